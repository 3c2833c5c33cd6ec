"""What providers license for the city's planning: the newest version of each, opened by the hall.

Of data about people there is only what passed the gate, so that no part holds more than is sold.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gate.manifest import Manifest
from gate.package import read_part
from marketplace.models import DataProduct, DataVersion
from marketplace.queries.identity import names_of
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_version_key


@dataclass(frozen=True)
class PlanningSource:
    """A version that the city's figures may be made from."""

    product_id: int
    version_id: int
    version_number: int
    manifest_sha256: str
    format: str
    title: str
    licence: str
    provider_name: str
    columns: Mapping[str, str]


def list_planning_sources() -> list[PlanningSource]:
    """Return the newest ready version of every listed file that is licensed for planning."""
    versions = (
        DataVersion.objects.filter(
            state=DataVersion.State.READY,
            product__state=DataProduct.State.LISTED,
            product__kind=DataProduct.Kind.FILE,
            product__is_for_planning=True,
        )
        .select_related("product__provider")
        .order_by("product_id", "-number")
        .distinct("product_id")
    )
    names = names_of(each.product.provider for each in versions)
    return [
        PlanningSource(
            each.product_id,
            each.id,
            each.number,
            each.manifest_sha256,
            each.product.format,
            each.product.title,
            each.product.licence,
            names[each.product.provider_id],
            each.product.reading.get("columns", {}),
        )
        for each in versions
    ]


@contextmanager
def opened_part(*, version_id: int, prefix: str) -> Iterator[Path]:
    """Hold the part whose name begins so in memory, for readers that ask for a path.

    Raises
    ------
    KeyError
        If the version has no such part.
    """
    version = DataVersion.objects.get(id=version_id)
    assert version.manifest is not None, "a ready version has a manifest"
    manifest = Manifest.from_bytes(bytes(version.manifest))
    names = [part.name for part in manifest.package.parts if part.name.startswith(prefix)]
    if not names:
        raise KeyError(prefix)
    with storage.package_path(version.package).open("rb") as file:
        data = read_part(file, manifest.package, open_version_key(version), names[0])
    with storage.held_bytes(data) as path:
        yield path
