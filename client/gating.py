"""The gate at home: a file becomes a sealed package before anything of it leaves the machine.

The result is a folder: ``package`` (ciphertext), ``manifest.json``, ``package.key`` (readable by
its owner alone) and, for trips, the report of the gate in clear. A run that died is started again
from nothing, with another key: the same key is never used for other bytes.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from client.errors import ClientError, NotVerified
from client.files import keep, read_secret, sync_folder
from gate.keys import KEY_BYTES, check_key, key_commitment, new_key, new_package_id
from gate.manifest import Manifest, canonical_json
from gate.package import Packer

if TYPE_CHECKING:
    from gate.previous import Previous
    from gate.profile import Profile

PACKAGE, MANIFEST, KEY, REPORT = "package", "manifest.json", "package.key", "privacy-report.json"
PERIOD: Final = "period.json"
DICTIONARY: Final = "dictionary.json"
ABOUT_PEOPLE: Final = frozenset({"trips"})
_COPY_BYTES: Final = 1 << 20
# What a file is called in its package, by container and compression.
_NAMES: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("csv", ""): ("csv", "text/csv"),
    ("csv", "gzip"): ("csv.gz", "application/gzip"),
    ("parquet", ""): ("parquet", "application/vnd.apache.parquet"),
    ("zip", "zip"): ("zip", "application/zip"),
    ("xml", ""): ("xml", "application/xml"),
    ("xml", "gzip"): ("xml.gz", "application/gzip"),
}


@dataclass(frozen=True)
class Asked:
    """What is gated, and how.

    Attributes
    ----------
    policy : mapping
        Of trips: as the product's ``privacy_policy``; keys that are missing have defaults.
    columns : mapping
        Role to column, where the names do not tell.
    previous : tuple of Path
        Of trips: the gated folders of all versions before, newest first; a new one must fit them.
    """

    source: Path
    format: str
    stations: Path | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    previous: tuple[Path, ...] = ()


def gate_file(asked: Asked, folder: Path, *, tell: Callable[[str], None]) -> Manifest:
    """Check a file, put it through the gate where it is about people, and package it.

    Raises
    ------
    gate.errors.Refused
        If the file cannot be taken; nothing is left.
    ClientError
        If the folder is there already, or the file is not of the format.
    """
    if folder.exists():
        raise ClientError(f"{folder} is there already: choose another folder, or remove it")
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)  # of a run that died: key and bytes go together
    aside.mkdir(parents=True, mode=0o700)
    try:
        manifest = _packaged(asked, aside, tell)
        sync_folder(aside)
        aside.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def read_gated(folder: Path) -> tuple[Manifest, bytes]:
    """Return manifest and key of a gated folder.

    Raises
    ------
    NotVerified
        If key and manifest do not belong together.
    """
    try:
        manifest = Manifest.from_bytes((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ClientError(f"{folder} holds no gated package: run gate first") from error
    key = read_secret(folder / KEY, "the package's key")
    if len(key) != KEY_BYTES:
        raise NotVerified(f"{folder / KEY} is no key")
    check_key(manifest.package.package_id, key, manifest.key_commitment)
    return manifest, key


def _packaged(asked: Asked, folder: Path, tell: Callable[[str], None]) -> Manifest:
    # They read whole tables by pyarrow: loaded only by who gates.
    from gate.formats import Options, check
    from gate.recognise import recognise

    found = recognise(asked.source)
    if found.format != asked.format and not (found.format == "table" and asked.columns):
        raise ClientError(f"{asked.source} holds {found.format}, not {asked.format}")
    tell("checking")
    checked = check(
        asked.source,
        asked.format,
        at=datetime.now(UTC),
        companions={} if asked.stations is None else {"stations": asked.stations},
        options=Options(columns=dict(asked.columns), zone=asked.zone),
        name=asked.source.name,
    )
    wrong = [each for each in checked.findings if each.severity == "error"]
    if wrong:
        raise ClientError(f"{asked.source}: {wrong[0].place}: {wrong[0].text}")
    tell("packaging")
    with (folder / PACKAGE).open("xb") as sink:
        package_id, key = new_package_id(), new_key()
        packer = Packer(sink, package_id, key)
        commitment = key_commitment(package_id, key)
        if asked.format in ABOUT_PEOPLE:
            manifest = _trips(asked, packer, commitment, folder)
        else:
            name, media_type = _NAMES[found.container, found.compression]
            _copy(asked.source, packer, f"{asked.format}.{name}", media_type)
            packer.add(DICTIONARY, "application/json", _dictionary(checked.profile))
            package = packer.finish()
            manifest = Manifest(asked.format, checked.records, package, commitment)
        sink.flush()
        os.fsync(sink.fileno())
    keep(folder / KEY, key, is_secret=True)
    keep(folder / MANIFEST, manifest.to_bytes())
    return manifest


def _trips(asked: Asked, packer: Packer, commitment: str, folder: Path) -> Manifest:
    from gate.policy import Policy
    from gate.report import REPORT_PART
    from gate.trips import publish_trips

    policy = Policy.from_json(asked.policy)
    gated = publish_trips(
        asked.source,
        stations=asked.stations,
        policy=policy,
        out=packer,
        name=asked.source.name,
        previous=_previous(asked.previous),
    )
    package = packer.finish()
    keep(folder / REPORT, json.dumps(gated.report.as_json(), indent=2).encode())
    period = {"start": gated.profile.start, "end": gated.profile.end}
    keep(folder / PERIOD, json.dumps(period).encode())
    return Manifest(
        format=asked.format,
        row_count=gated.cells,
        package=package,
        key_commitment=commitment,
        policy_sha256=policy.sha256,
        report_sha256=package.part(REPORT_PART).sha256,
        previous_sha256=gated.report.previous_sha256,
    )


def _previous(folders: Sequence[Path]) -> "Previous | None":
    """Return what a new version of trips must fit, from the folders of those before."""
    from gate.areas import AREAS_PART, Areas
    from gate.package import read_part
    from gate.previous import Earlier, Previous

    if not folders:
        return None
    versions = []
    for folder in folders:
        manifest, _ = read_gated(folder)
        try:
            period = json.loads((folder / PERIOD).read_bytes())
        except (OSError, ValueError) as error:
            raise ClientError(f"{folder} holds no package of trips") from error
        versions.append(
            Earlier(manifest.sha256, manifest.policy_sha256 or "", period["start"], period["end"])
        )
    newest, key = read_gated(folders[0])
    with (folders[0] / PACKAGE).open("rb") as file:
        areas = Areas.from_csv(read_part(file, newest.package, key, AREAS_PART))
    return Previous(areas=areas, versions=versions)


def _copy(source: Path, packer: Packer, name: str, media_type: str) -> None:
    with source.open("rb") as file, closing(packer.add_part(name, media_type)) as part:
        while piece := file.read(_COPY_BYTES):
            part.write(piece)


def _dictionary(profile: "Profile") -> bytes:
    """Return what the columns mean, for whoever opens the package without us."""
    from gate.meanings import MEANINGS

    columns = [
        {"name": each.name, "type": each.type, "meaning": MEANINGS.get(each.meaning, "")}
        for each in profile.columns
    ]
    entities = dict(profile.entities)
    return canonical_json(
        {"type": "heliopolis/dictionary/1", "columns": columns, "entities": entities}
    )
