"""A package that its provider gated at home: opened, every chunk verified, its contents judged.

The hall takes nobody's word: it decrypts what came, compares every hash, and runs over the clear
parts what it would run over its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from gate.formats import check
from gate.keys import check_key
from gate.manifest import Manifest, PackageManifest
from gate.package import read_chunks, verify_package
from marketplace.domain.data.product import ABOUT_PEOPLE
from marketplace.errors import N_, UploadUnfit
from marketplace.models import DataUpload, DataVersion
from marketplace.services.data import storage
from marketplace.services.data.made import Follow, Made
from marketplace.services.data.raw_uploads import DICTIONARY, NAMES, check_findings, options_of

DICTIONARY_MAX_BYTES: Final = 1 << 20


def package_id(upload: DataUpload) -> bytes:
    """Return the id of a home package."""
    return _manifest(upload).package.package_id


def make(
    *, version: DataVersion, upload: DataUpload, key: bytes, follow: Follow, now: datetime
) -> Made:
    """Judge a home package, and move it to its place.

    Raises
    ------
    gate.manifest.PackageBroken
        If the bytes or the key are not what the manifest says.
    Refused, UploadUnfit
        If what is in it would not have been published here.
    """
    manifest = _manifest(upload)
    package = manifest.package
    name = package.package_id.hex()
    # A provider chooses the id of what was packed at home: it must not be somebody's package.
    check_new(name, version_id=version.id)
    check_key(package.package_id, key, manifest.key_commitment)
    path = storage.quarantine_path(upload.token)
    if not path.exists():
        path = storage.package_path(name)  # a run that was killed had moved it already
    with path.open("rb") as file:
        follow("check")
        verify_package(file, package, key)
        follow("gate")
        made = _judged(version, manifest, file, key, now)
    storage.keep_home_package(upload.token, name)
    return made


def _judged(
    version: DataVersion, manifest: Manifest, file: IO[bytes], key: bytes, now: datetime
) -> Made:
    product = version.product
    if product.format in ABOUT_PEOPLE:
        from marketplace.services.data.gated_trips import recheck_at_home

        return recheck_at_home(version=version, manifest=manifest, file=file, key=key)
    name = _data_part(manifest.package, product.format)
    with opened_part(file, manifest.package, key, name) as path:
        checked = check(path, product.format, at=now, options=options_of(product), name=name)
    check_findings(checked, name)
    if checked.records != manifest.row_count:
        raise UploadUnfit(
            N_("The manifest says {said} records, the data has {found}."),
            said=manifest.row_count,
            found=checked.records,
        )
    return Made(
        package_id=manifest.package.package_id,
        key=key,
        manifest=manifest,
        row_count=checked.records,
        profile=checked.profile.as_json(),
        findings=[each.as_json() for each in checked.findings],
        sample=checked.sample.as_json(),
        privacy_report={},
        is_ours=False,
    )


def check_new(package: str, *, version_id: int) -> None:
    """Refuse the id of a package, in hex, that another version has; raises `UploadUnfit`."""
    if DataVersion.objects.filter(package=package).exclude(id=version_id).exists():
        raise UploadUnfit(N_("A package of this number was published before: pack the data anew."))


def _data_part(package: PackageManifest, format_: str) -> str:
    """Return the part that the data is in; nothing comes beside it that nobody looked at."""
    expected = {f"{format_}.{ending}" for ending, _ in NAMES.values()}
    found = [each.name for each in package.parts if each.name in expected]
    if len(found) != 1:
        raise UploadUnfit(
            N_("The package has no part named after its format: {format}.…"), format=format_
        )
    for each in package.parts:
        is_dictionary = each.name == DICTIONARY and each.byte_count <= DICTIONARY_MAX_BYTES
        if each.name != found[0] and not is_dictionary:
            raise UploadUnfit(
                N_("The hall cannot judge the part {name}: pack the data and {dictionary} alone."),
                name=each.name,
                dictionary=DICTIONARY,
            )
    return found[0]


@contextmanager
def opened_part(file: IO[bytes], package: PackageManifest, key: bytes, name: str) -> Iterator[Path]:
    """Decrypt one part into a file that no folder knows, for readers that ask for a path."""
    chunks = read_chunks(file, package, key, indexes=package.chunk_range(name))
    with storage.nameless_copy(chunks, byte_count=package.part(name).byte_count) as path:
        yield path


def _manifest(upload: DataUpload) -> Manifest:
    assert upload.home_manifest is not None, "a home package came with its manifest"
    return Manifest.from_bytes(bytes(upload.home_manifest))
