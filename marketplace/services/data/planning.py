"""What providers license for the city's planning: the newest version of each, opened by the hall.

Of data about people there is only what passed the gate, so that no part holds more than is sold.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from gate.manifest import Manifest
from gate.package import read_part
from marketplace.errors import N_, FileDamaged, UploadTooLarge
from marketplace.models import DataProduct, DataVersion, FeedState
from marketplace.queries.identity import names_of
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_version_key
from marketplace.services.data.feed_copies import read

_STATIONS: Final = frozenset({"system_information", "station_information", "station_status"})


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


@dataclass(frozen=True)
class PlanningFeed:
    """A feed of shared vehicles that the city's figures may be made from, as it was last seen."""

    source: PlanningSource
    changed_at: datetime
    zone: ZoneInfo
    information: Mapping[str, Any]
    status: Mapping[str, Any]


def list_planning_sources() -> list[PlanningSource]:
    """Return the newest ready version of every listed file that is licensed for planning."""
    return _licensed(DataProduct.Kind.FILE)


def planning_feed_ids() -> set[int]:
    """Return the listed feeds of shared vehicles that are licensed for planning."""
    return set(_feeds())


def list_planning_feeds() -> list[PlanningFeed]:
    """Return the stations of these feeds, of those that are whole in the hall's copy."""
    feeds = _feeds()
    files: dict[int, dict[str, FeedState]] = defaultdict(dict)
    for state in FeedState.objects.filter(product__in=feeds):
        files[state.product_id][state.name.partition(".")[0]] = state
    found = []
    for product_id, own in files.items():
        if own.keys() >= _STATIONS:
            with suppress(FileDamaged):  # the next look renews the copy
                found.append(_feed(feeds[product_id], own))
    return found


def _feeds() -> dict[int, PlanningSource]:
    feeds = _licensed(DataProduct.Kind.FEED)
    return {each.product_id: each for each in feeds if each.format == "gbfs"}


def _feed(source: PlanningSource, files: Mapping[str, FeedState]) -> PlanningFeed:
    def document(name: str) -> Any:
        body = read(product_id=source.product_id, sha256=files[name].sha256)
        return json.loads(body)

    zone = document("system_information")["data"].get("timezone", "UTC")
    return PlanningFeed(
        source,
        files["station_status"].changed_at,
        ZoneInfo(zone),
        document("station_information"),
        document("station_status"),
    )


def _licensed(kind: DataProduct.Kind) -> list[PlanningSource]:
    versions = (
        DataVersion.objects.filter(
            state=DataVersion.State.READY,
            product__state=DataProduct.State.LISTED,
            product__kind=kind,
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
    UploadTooLarge
        If it is larger than what is held in memory.
    """
    version = DataVersion.objects.get(id=version_id)
    assert version.manifest is not None, "a ready version has a manifest"
    manifest = Manifest.from_bytes(bytes(version.manifest))
    names = [part.name for part in manifest.package.parts if part.name.startswith(prefix)]
    if not names:
        raise KeyError(prefix)
    if manifest.package.part(names[0]).byte_count > storage.IN_MEMORY_MAX_BYTES:
        raise UploadTooLarge(
            N_("At most {maximum} bytes are taken in."), maximum=storage.IN_MEMORY_MAX_BYTES
        )
    with storage.package_path(version.package).open("rb") as file:
        data = read_part(file, manifest.package, open_version_key(version), names[0])
    with storage.held_bytes(data) as path:
        yield path
