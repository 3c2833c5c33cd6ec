"""From a raw upload to a package: recognised, checked, through the gate where it is about people.

Nothing of it is written in the clear: the working copy has no name, what is published is encrypted
chunk by chunk as it is made, and samples and figures of trips are those of the gate's output.
"""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Final

from gate.errors import Refused
from gate.findings import Finding
from gate.formats import Checked, Options, check
from gate.keys import key_commitment
from gate.manifest import Manifest, canonical_json
from gate.meanings import MEANINGS
from gate.profile import Profile
from gate.recognise import Recognised, recognise
from gate.refusals import refusal_of
from marketplace.domain.data.product import ABOUT_PEOPLE
from marketplace.errors import N_, UploadUnfit
from marketplace.models import DataProduct, DataVersion
from marketplace.services.data import storage
from marketplace.services.data.made import PPM, Follow, Made, reserved
from marketplace.services.data.storage import Quarantined

DICTIONARY: Final = "dictionary.json"
JSON_TYPE: Final = "application/json"
# What a file is called in its package, by container and compression.
NAMES: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("csv", ""): ("csv", "text/csv"),
    ("csv", "gzip"): ("csv.gz", "application/gzip"),
    ("parquet", ""): ("parquet", "application/vnd.apache.parquet"),
    ("zip", "zip"): ("zip", "application/zip"),
    ("xml", ""): ("xml", "application/xml"),
    ("xml", "gzip"): ("xml.gz", "application/gzip"),
}
_COPY_BYTES: Final = 1 << 20
_TOLD_EVERY: Final = 16 << 20


def make(
    *,
    version: DataVersion,
    upload: Quarantined,
    file_name: str,
    companions: Mapping[str, Quarantined],
    follow: Follow,
    now: datetime,
) -> Made:
    """Make the package of a version from its upload.

    Raises
    ------
    Refused, MarketplaceError
        If the upload cannot become a version of this product.
    """
    product = version.product
    # Until it is recognised anything may be in it: whatever could be about people stays in memory.
    is_about_people = product.format in ABOUT_PEOPLE
    with ExitStack() as stack:
        path = stack.enter_context(storage.working_copy(upload, is_about_people=is_about_people))
        beside = {
            role: stack.enter_context(storage.working_copy(each, is_about_people=False))
            for role, each in companions.items()
        }
        found = recognise(path)
        _check_format(product, found, file_name)
        follow("check")
        checked = check(
            path,
            product.format,
            at=now,
            companions=beside,
            options=options_of(product),
            name=file_name,
        )
        check_findings(checked, file_name)
        if is_about_people:
            # Reads whole tables by pyarrow: nothing that a web process should import.
            from marketplace.services.data import gated_trips

            return gated_trips.make(
                version=version,
                path=path,
                stations=beside.get("stations"),
                checked=checked,
                file_name=file_name,
                follow=follow,
            )
        return _as_it_is(version, path, found, checked, follow)


def _check_format(product: DataProduct, found: Recognised, file_name: str) -> None:
    if found.format == product.format:
        return
    # Columns may have names that tell nothing: then the roles that its provider gave them count.
    is_table = found.format in ("table", "unknown") and found.container in ("csv", "parquet")
    if is_table and product.reading.get("columns"):
        return
    if refusal := refusal_of(found, file_name):
        raise refusal
    raise UploadUnfit(
        N_("{file} holds {found}, but the product is {wanted}: choose the right file or product."),
        file=file_name,
        found=found.format,
        wanted=product.format,
    )


def options_of(product: DataProduct) -> Options:
    """Return what a provider said of how the product's files are read."""
    reading = product.reading
    return Options(
        columns=reading.get("columns", {}),
        zone=reading.get("zone", "UTC"),
        docked=reading.get("docked"),
    )


def check_findings(checked: Checked, file_name: str) -> None:
    """Refuse what its own validator finds wrong, by the first of it; all of it is kept."""
    errors = [each for each in checked.findings if each.severity == "error"]
    if not errors:
        return
    worst: Finding = max(errors, key=lambda each: each.count)
    raise Refused(
        f"invalid-{worst.code}",
        # Words of others: braces in them are no places for values.
        worst.text.replace("{", "{{").replace("}", "}}"),
        f"{file_name}: {worst.place}" if worst.place else file_name,
        N_("Correct it at its source and upload the file again; {count} such places were found."),
        count=worst.count,
    )


def _as_it_is(
    version: DataVersion, path: Path, found: Recognised, checked: Checked, follow: Follow
) -> Made:
    """Package a file about no people as it came, with its dictionary beside it."""
    format_ = version.product.format
    ending, media_type = NAMES[found.container, found.compression]
    follow("package")
    with reserved(version) as (packer, package_id, key):
        with path.open("rb") as source:
            size = path.stat().st_size
            with closing(packer.add_part(f"{format_}.{ending}", media_type)) as part:
                while piece := source.read(_COPY_BYTES):
                    part.write(piece)
                    if source.tell() % _TOLD_EVERY < _COPY_BYTES:
                        follow("package", source.tell() * PPM // size)
        packer.add(DICTIONARY, JSON_TYPE, dictionary_of(checked.profile))
        package = packer.finish()
    manifest = Manifest(
        format=format_,
        row_count=checked.records,
        package=package,
        key_commitment=key_commitment(package_id, key),
        previous_sha256=previous_manifest(version, checked.profile),
    )
    return Made(
        package_id=package_id,
        key=key,
        manifest=manifest,
        row_count=checked.records,
        profile=checked.profile.as_json(),
        findings=[each.as_json() for each in checked.findings],
        sample=checked.sample.as_json(),
        privacy_report={},
    )


def previous_manifest(version: DataVersion, profile: Profile) -> str | None:
    """Return the newest version before that covers some of the same time again, by its hash."""
    before = DataVersion.objects.filter(
        product=version.product_id, state=DataVersion.State.READY, number__lt=version.number
    ).order_by("-number")
    last = before.values_list("manifest_sha256", "profile").first()
    if last is None:
        return None
    sha256, known = last
    start, end = known.get("start"), known.get("end")
    if not (start and end and profile.start and profile.end):
        return sha256
    return sha256 if start < profile.end and profile.start < end else None


def dictionary_of(profile: Profile) -> bytes:
    """Return what the columns mean, for whoever opens the package without us."""
    return canonical_json(
        {
            "type": "heliopolis/dictionary/1",
            "columns": [
                {
                    "name": each.name,
                    "type": each.type,
                    "meaning": MEANINGS.get(each.meaning, ""),
                }
                for each in profile.columns
            ],
            "entities": dict(profile.entities),
        }
    )
