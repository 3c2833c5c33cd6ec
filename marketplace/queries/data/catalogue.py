"""Search among what is listed: one count by all facets, one page of products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from marketplace.domain.data.facets import FACETS, counts_of, cube_of, total_of
from marketplace.domain.data.prices import PriceRule
from marketplace.domain.data.search_words import query
from marketplace.domain.data.wishes import Area
from marketplace.models import DataFacet, DataProduct
from marketplace.queries.identity import names_of

PAGE_ROWS: Final = 20
PAGES_MAX: Final = 500
SORTS: Final[Mapping[str, str]] = {
    "price": "price_micro, product_id",
    "quality": "quality_ppm DESC NULLS LAST, product_id",
    "newest": "updated_at DESC, product_id DESC",
}
_COLUMNS: Final[Mapping[str, str]] = {
    "kind": "kind - 1",
    "format": "format",
    "age": "age_band",
    "price": "price_band",
    "quality": "quality_band",
}
_EAST_END: Final = 180_000_000
_NORTH_END: Final = 90_000_000
_CELL: Final = "(kind - 1) + 2 * (format + 9 * (age_band + 6 * (price_band + 5 * quality_band)))"
_TOUCHED: Final = """
SELECT EXISTS (
    SELECT FROM marketplace_datafacet
    WHERE longitude && int4range(west, east) AND latitude && int4range(south, north))
FROM unnest(%s::integer[], %s::integer[], %s::integer[], %s::integer[]) WITH ORDINALITY
    AS asked(west, east, south, north, place)
ORDER BY place
"""
# What a page shows; policies, profiles and samples stay where they are.
_SHOWN: Final = ("title", "language", "kind", "format", "currency", "price", "licence", "theme")


@dataclass(frozen=True)
class Filters:
    """What somebody looks for.

    Attributes
    ----------
    area : Area or None
        What is found touches it.
    first_day, last_day : date or None
        The period asked for, both days included; either may be open.
    chosen : mapping of facet to values
        See `FACETS`; values of one facet add up, facets narrow each other.
    sort : str
        Of `SORTS`.
    page : int
        From 1.
    """

    area: Area | None = None
    first_day: date | None = None
    last_day: date | None = None
    text: str = ""
    chosen: Mapping[str, frozenset[int]] = field(default_factory=dict)
    sort: str = "price"
    page: int = 1


@dataclass(frozen=True)
class Line:
    """A product among those found. [micro], [s], [ppm]"""

    id: int
    title: str
    language: str
    kind: int
    format: str
    provider_name: str
    licence: str
    theme: str
    price: PriceRule
    price_micro: int
    currency: str
    age_s: int | None
    quality_ppm: int | None
    quality_band: int
    resolution_s: int
    area: Area | None
    first_day: date | None
    last_day: date | None
    updated_at: datetime


@dataclass(frozen=True)
class Found:
    """A page of what was found, and what one more click on each facet's value would leave."""

    lines: tuple[Line, ...]
    total: int
    counts: Mapping[str, list[int]]
    page: int
    page_count: int


def search(*, filters: Filters) -> Found:
    """Return a page of listed products, and the numbers beside the facets."""
    where, values = _where(filters)
    chosen = {name: sorted(filters.chosen[name]) for name in FACETS if filters.chosen.get(name)}
    narrowed = [where, *(f"{_COLUMNS[name]} = ANY(%s)" for name in chosen)]
    page = min(max(1, filters.page), PAGES_MAX)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_CELL} AS cell, count(*) FROM marketplace_datafacet f"  # noqa: S608 - our names
            f" WHERE {where} GROUP BY 1",
            values,
        )
        cube = cube_of(cursor.fetchall())
        cursor.execute(
            f"SELECT product_id FROM marketplace_datafacet f WHERE {' AND '.join(narrowed)}"  # noqa: S608 - our names
            f" ORDER BY {SORTS[filters.sort]} LIMIT {PAGE_ROWS} OFFSET {(page - 1) * PAGE_ROWS}",
            [*values, *chosen.values()],
        )
        ids = [id_ for (id_,) in cursor.fetchall()]
    total = total_of(cube, chosen)
    return Found(
        lines=_lines(ids),
        total=total,
        counts=counts_of(cube, chosen),
        page=page,
        page_count=min(PAGES_MAX, -(-total // PAGE_ROWS)),
    )


def get_extent() -> Area | None:
    """Return the box around everything that is listed and has a place; None: nothing has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(lower(longitude)), min(lower(latitude)), max(upper(longitude)),"
            " max(upper(latitude)) FROM marketplace_datafacet WHERE lower(longitude) <= %s",
            [_EAST_END],
        )
        west, south, east, north = cursor.fetchone()
    return None if west is None else _area(west, south, east, north)


def list_areas_with_products(*, areas: Sequence[Area]) -> list[bool]:
    """Return for each area whether anything that is listed touches it."""
    edges = [[getattr(area, edge) for area in areas] for edge in ("west", "east", "south", "north")]
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED, edges)
        return [found for (found,) in cursor.fetchall()]


def area_of(facet: DataFacet) -> Area | None:
    """Return the box that a product covers, None where nothing of it has a place."""
    longitude, latitude = facet.longitude, facet.latitude
    if longitude.lower > _EAST_END:
        return None
    return _area(longitude.lower, latitude.lower, longitude.upper, latitude.upper)


def _area(west: int, south: int, east: int, north: int) -> Area:
    """Return a box that ends where the map does, and is never without a size."""
    east, north = min(east, _EAST_END), min(north, _NORTH_END)
    return Area(min(west, east - 1), min(south, north - 1), east, north)


def days_of(facet: DataFacet) -> tuple[date | None, date | None]:
    """Return the first and the last covered day; a live feed has no last one."""
    first, end = facet.period.lower, facet.period.upper
    if end is not None and end.year == 1:
        return None, None
    return first, end - timedelta(days=1) if end is not None else None


def _where(filters: Filters) -> tuple[str, list[Any]]:
    """Return the conditions that every count shares.

    Django prepares no statement, so that PostgreSQL plans each for its own box and period.
    """
    conditions = ["true"]
    values: list[Any] = []
    if filters.area is not None:
        area = filters.area
        conditions.append("longitude && int4range(%s, %s)")
        conditions.append("latitude && int4range(%s, %s)")
        values += [area.west, area.east, area.south, area.north]
    if filters.first_day is not None or filters.last_day is not None:
        conditions.append(
            "period && daterange(%s, %s, '[]') AND upper(period) IS DISTINCT FROM '0001-01-02'"
        )
        values += [filters.first_day, filters.last_day]
    asked = query(filters.text)
    if asked:
        conditions.append(
            "product_id IN (SELECT product_id FROM marketplace_cataloguerecord"
            " WHERE words @@ %s::tsquery)"
        )
        values.append(asked)
    return " AND ".join(conditions), values


def _lines(ids: list[int]) -> tuple[Line, ...]:
    facets = (
        DataFacet.objects.filter(pk__in=ids)
        .select_related("product__provider")
        .only(
            *(each.attname for each in DataFacet._meta.concrete_fields),
            *(f"product__{name}" for name in _SHOWN),
            "product__provider__identity_slot",
            "product__provider__sealed_name",
        )
    )
    found = {facet.pk: facet for facet in facets}
    names = names_of(facet.product.provider for facet in found.values())
    return tuple(
        _line(found[id_], names[found[id_].product.provider_id]) for id_ in ids if id_ in found
    )


def _line(facet: DataFacet, provider_name: str) -> Line:
    product: DataProduct = facet.product
    first_day, last_day = days_of(facet)
    return Line(
        id=product.pk,
        title=product.title,
        language=product.language,
        kind=product.kind,
        format=product.format,
        provider_name=provider_name,
        licence=product.licence,
        theme=product.theme,
        price=PriceRule.of(product.price),
        price_micro=facet.price_micro,
        currency=product.currency,
        age_s=facet.age_s,
        quality_ppm=facet.quality_ppm,
        quality_band=facet.quality_band,
        resolution_s=facet.resolution_s,
        area=area_of(facet),
        first_day=first_day,
        last_day=last_day,
        updated_at=facet.updated_at,
    )
