"""What a catalogue entry is made of, for many products at once: read in four queries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection

from marketplace.domain.data.catalogue_record import Record
from marketplace.domain.data.facets import FORMAT_CODES, age_band, price_band
from marketplace.domain.data.prices import PriceRule
from marketplace.domain.data.quality import (
    NOTHING_MEASURED,
    WINDOW,
    Quality,
    quality_of_feed,
    quality_of_file,
    young_within,
)
from marketplace.domain.data.service import Measured, ServiceLevel
from marketplace.domain.data.vocabularies import period_of
from marketplace.models import DataProduct

Box = tuple[int, int, int, int]
# Where nothing was found out: a place off the map and a day before all others, so that no search
# by area or period meets it. Not an empty range, which has no bounds to calculate with.
_NOWHERE: Final = 200_000_000
_NEVER: Final = "[0001-01-01,0001-01-02)"

_NEWEST: Final = """
SELECT DISTINCT ON (product_id) product_id, id, number, published_at, row_count, byte_count,
    manifest_sha256, profile->'bbox', profile->>'start', profile->>'end',
    coalesce((profile->>'resolution_s')::integer, 0), (profile->>'completeness_ppm')::integer,
    profile->>'zone',
    (SELECT coalesce(sum((f->>'count')::bigint), 0)::bigint FROM jsonb_array_elements(findings) f
     WHERE f->>'severity' IN ('error', 'warning'))
FROM marketplace_dataversion
WHERE product_id = ANY(%s) AND state = 2
ORDER BY product_id, number DESC
"""
_LOOKS: Final = """
SELECT asked.id, count(*), count(*) FILTER (WHERE is_up),
    count(*) FILTER (WHERE is_up AND age_s <= asked.age),
    count(*) FILTER (WHERE is_up AND is_valid),
    count(completeness_ppm) FILTER (WHERE is_up),
    coalesce(sum(completeness_ppm) FILTER (WHERE is_up), 0)::bigint
FROM unnest(%s::bigint[], %s::bigint[]) AS asked(id, age)
JOIN marketplace_proberesult looked ON looked.product_id = asked.id
WHERE looked.at > %s AND looked.at <= %s
GROUP BY asked.id
"""
_AGES: Final = """
SELECT asked.id, looked.age_s + extract(epoch FROM %s - looked.at)::bigint
FROM unnest(%s::bigint[]) AS asked(id)
CROSS JOIN LATERAL (
    SELECT age_s, at FROM marketplace_proberesult
    WHERE product_id = asked.id AND is_up AND age_s IS NOT NULL AND at <= %s
    ORDER BY at DESC LIMIT 1) looked
"""


@dataclass(frozen=True)
class Newest:
    """The newest published version of a product."""

    id: int
    number: int
    published_at: datetime
    row_count: int
    byte_count: int
    manifest_sha256: str
    bbox: Box | None
    start: datetime | None
    end: datetime | None
    resolution_s: int
    completeness_ppm: int | None
    zone: str
    finding_count: int

    @property
    def data_until(self) -> datetime:
        """When its newest data is from; a timetable of days to come is as old as its version."""
        return min(self.end, self.published_at) if self.end else self.published_at


@dataclass(frozen=True)
class Entry:
    """A listed product as search and catalogue will have it; ``measured`` is of a feed. [s]"""

    product: DataProduct
    newest: Newest | None
    price: PriceRule
    quality: Quality
    age_s: int | None
    measured: Measured

    @property
    def is_feed(self) -> bool:
        """Whether it is a live feed."""
        return self.product.kind == DataProduct.Kind.FEED

    @property
    def updated_at(self) -> datetime:
        """When it was listed, or its newest version published."""
        listed_at = listed_at_of(self.product)
        return max(listed_at, self.newest.published_at) if self.newest else listed_at

    def facet(self) -> tuple[object, ...]:
        """Return the row of `DataFacet`, in the order of `catalogue_store`'s columns."""
        bbox = self.newest.bbox if self.newest else None
        west, south, east, north = bbox or (_NOWHERE,) * 4
        return (
            self.product.pk,
            f"[{west},{max(west, east)}]",
            f"[{south},{max(south, north)}]",
            self._period(),
            self.newest.resolution_s if self.newest else 0,
            self.product.kind,
            FORMAT_CODES[self.product.format],
            age_band(self.age_s),
            price_band(self.price.monthly_micro),
            int(self.quality.band),
            self.price.monthly_micro,
            self.product.currency,
            self.age_s,
            self.quality.whole_ppm,
            self.updated_at,
        )

    def record(self, *, changed_at: datetime) -> Record:
        """Return what the catalogue says about it."""
        product, newest = self.product, self.newest
        return Record(
            product_id=product.pk,
            provider_id=product.provider_id,
            is_feed=self.is_feed,
            format=product.format,
            language=product.language,
            title=product.title,
            description=product.description,
            keywords=tuple(product.keywords),
            theme=product.theme,
            frequency=product.frequency,
            licence=product.licence,
            is_free=self.price.is_free,
            listed_at=listed_at_of(product),
            changed_at=changed_at,
            bbox=newest.bbox if newest else None,
            start=newest.start if newest else None,
            end=newest.end if newest else None,
            resolution_s=newest.resolution_s if newest else 0,
            version=newest.number if newest else 0,
            byte_count=newest.byte_count if newest else 0,
            manifest_sha256=newest.manifest_sha256 if newest else "",
            quality=self.quality,
        )

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first and the last day of it, both included, where its data is from."""
        newest = self.newest
        if newest is None or newest.start is None:
            return None, None
        zone = self._zone
        first = newest.start.astimezone(zone).date()
        if newest.end is None:
            return first, None
        # Half-open: what ends at midnight does not touch the day that begins there.
        final = max(newest.start, newest.end - timedelta(microseconds=1))
        return first, final.astimezone(zone).date()

    @property
    def newest_day(self) -> date | None:
        """The day from which its newest data is, where it is from."""
        if self.newest is None:
            return None
        final = self.newest.data_until - timedelta(microseconds=1)
        return final.astimezone(self._zone).date()

    @property
    def _zone(self) -> ZoneInfo:
        # What a file says of itself comes first; of most, the provider says it.
        said = self.newest.zone if self.newest else ""
        try:
            return ZoneInfo(said or self.product.reading.get("zone") or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")  # a package from home says what it likes

    def _period(self) -> str:
        first, final = self.days
        if self.is_feed:
            return f"[{first or listed_at_of(self.product).astimezone(self._zone).date()},)"
        if first is None or final is None:
            return _NEVER
        return f"[{first},{final}]"


def listed_at_of(product: DataProduct) -> datetime:
    """Return when a product was listed; the database holds that what is listed has it."""
    assert product.listed_at is not None
    return product.listed_at


def entries_of(products: Sequence[DataProduct], *, now: datetime) -> list[Entry]:
    """Return listed products with what was published and measured of them."""
    newest = _newest([product.pk for product in products])
    feeds = [product for product in products if product.kind == DataProduct.Kind.FEED]
    limits = {product.pk: age_limit_of(product) for product in feeds}
    looks = _looks(limits, now=now)
    ages = _ages([product.pk for product in feeds], now=now)
    entries = []
    for product in products:
        version = newest.get(product.pk)
        measured = looks.get(product.pk, Measured())
        if product.kind == DataProduct.Kind.FEED:
            quality = quality_of_feed(measured, has_age=limits[product.pk] is not None)
            age_s = ages.get(product.pk)
        elif version is not None:
            quality = quality_of_file(
                rows=version.row_count,
                rows_with_findings=version.finding_count,
                completeness_ppm=version.completeness_ppm,
                published_at=version.published_at,
                period_s=period_of(product.frequency),
                now=now,
            )
            age_s = max(0, int((now - version.data_until).total_seconds()))
        else:
            quality, age_s = NOTHING_MEASURED, None
        price = PriceRule.of(product.price)
        entries.append(Entry(product, version, price, quality, age_s, measured))
    return entries


def age_limit_of(product: DataProduct) -> int | None:
    """Return how old a feed's answer may be to count as young; None where any age does. [s]"""
    level = ServiceLevel.of_json(product.service_level)
    return young_within(level.max_age_s, period_of(product.frequency))


def _newest(ids: list[int]) -> dict[int, Newest]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [ids])
        return {row[0]: _newest_of(row) for row in cursor.fetchall()}


def _newest_of(row: Sequence[Any]) -> Newest:
    # Without Django's field around it the driver leaves JSON as it is written.
    bbox = json.loads(row[7]) if isinstance(row[7], str) else row[7]
    return Newest(
        id=row[1],
        number=row[2],
        published_at=row[3],
        row_count=row[4],
        byte_count=row[5],
        manifest_sha256=row[6],
        bbox=(bbox[0], bbox[1], bbox[2], bbox[3]) if bbox else None,
        start=_moment(row[8]),
        end=_moment(row[9]),
        resolution_s=row[10],
        completeness_ppm=row[11],
        zone=row[12] or "",
        finding_count=row[13],
    )


def _moment(written: str | None) -> datetime | None:
    if not written:
        return None
    at = datetime.fromisoformat(written)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _looks(limits: Mapping[int, int | None], *, now: datetime) -> dict[int, Measured]:
    """Add up the looks of the window; without a limit no answer counts as young."""
    if not limits:
        return {}
    ages = [-1 if limit is None else limit for limit in limits.values()]
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS, [list(limits), ages, now - WINDOW, now])
        return {row[0]: Measured(*row[1:]) for row in cursor.fetchall()}


def _ages(ids: list[int], *, now: datetime) -> dict[int, int]:
    """Return how old the newest answer of each feed is by now. [s]"""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_AGES, [now, ids, now])
        return dict(cursor.fetchall())
