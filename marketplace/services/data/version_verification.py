"""Compare versions of data with the log, with their manifests, and with the packages on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from gate.manifest import Manifest, PackageBroken
from ledger.queries import get_answers, get_bodies
from marketplace.errors import VersionsDiffer
from marketplace.models import DataVersion
from marketplace.services.data import storage
from marketplace.services.data.version_work import version_document, version_document_key

_AT_ONCE: Final = 200


def verify_versions() -> int:
    """Check every ready version; return how many there are.

    Each is compared with its logged document, its manifest with its hash, and its package with the
    length that the manifest gives it. What is in a package is compared when it is delivered.

    Raises
    ------
    VersionsDiffer
        The message names the first version that is not what was published.
    """
    count = 0
    for versions in _pieces():
        keys = [version_document_key(each.id) for each in versions]
        bodies, answers = get_bodies(keys=keys), get_answers(keys=keys)
        for version, key in zip(versions, keys, strict=True):
            answer = answers.get(key)
            if answer is None or answer.state == "refused":
                raise _differs(version, "was never handed to the ledger, or was refused")
            body = bodies.get(key)
            # One that waits will be in the next blocks; of a pruned period nothing is left.
            if body and body != version_document(version).command(key).body:
                raise _differs(version, "is not what the log has")
            _check_package(version)
        count += len(versions)
    return count


def _check_package(version: DataVersion) -> None:
    manifest = bytes(version.manifest or b"")
    if hashlib.sha256(manifest).hexdigest() != version.manifest_sha256:
        raise _differs(version, "has another manifest than was logged")
    if not version.package:
        return  # of a feed, which has no package
    try:
        package = Manifest.from_bytes(manifest).package
    except PackageBroken as broken:
        raise _differs(version, f"has a manifest that cannot be read: {broken}") from broken
    path = storage.package_path(version.package)
    size = path.stat().st_size if path.exists() else -1
    if version.package != package.package_id.hex() or size != package.cipher_byte_count:
        raise _differs(version, f"has not got its package at {path}: put its copy back")


def _pieces() -> Iterator[Sequence[DataVersion]]:
    last = 0
    ready = DataVersion.objects.filter(state=DataVersion.State.READY).select_related("product")
    while piece := list(ready.filter(id__gt=last).order_by("id")[:_AT_ONCE]):
        yield piece
        last = piece[-1].id


def _differs(version: DataVersion, what: str) -> VersionsDiffer:
    return VersionsDiffer(f"version {version.number} of data product {version.product_id} {what}")
