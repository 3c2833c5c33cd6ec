"""What a provider at home makes of the parts in a folder."""

import io
import json
from pathlib import Path

from gate import keys, package
from gate.manifest import Manifest
from gate.recheck import PARTS

KEY = bytes(32)


def packed(
    folder: Path, *, rows: int, parts: dict[str, str] = PARTS
) -> tuple[io.BytesIO, Manifest]:
    package_id, sink = keys.new_package_id(), io.BytesIO()
    packer = package.Packer(sink, package_id, KEY)
    for name, media_type in parts.items():
        packer.add(name, media_type, (folder / name).read_bytes())
    made = packer.finish()
    report = folder / "privacy-report.json"
    return sink, Manifest(
        format="trips",
        row_count=rows,
        package=made,
        key_commitment=keys.key_commitment(package_id, KEY),
        policy_sha256=json.loads(report.read_bytes())["policy_sha256"],
        report_sha256=made.part(report.name).sha256,
    )
