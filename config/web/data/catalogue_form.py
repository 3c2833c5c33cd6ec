"""What somebody looks for, read from a page's address; what cannot be read is told and left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from config.web.data.named_areas import NAMED_AREAS
from marketplace.domain.data.facets import FACETS
from marketplace.domain.data.wishes import MICRODEGREES, Area
from marketplace.errors import Invalid
from marketplace.queries.data.catalogue import PAGES_MAX, SORTS, Filters

EDGES: Final = ("west", "south", "east", "north")
TEXT_MAX: Final = 200
DEGREES_MAX: Final = 1000


@dataclass(frozen=True)
class Asked:
    """The filters, what was written in each field, and what is wrong with it."""

    filters: Filters
    written: Mapping[str, str]
    problems: list[str] = field(default_factory=list)


def read_filters(query: QueryDict) -> Asked:
    """Read filters; a field that makes no sense does not narrow, and the page says so."""
    problems: list[str] = []
    names = ("q", "place", "from", "to", "sort", *EDGES)
    written = {name: query.get(name, "").strip() for name in names}
    written["q"] = written["q"][:TEXT_MAX]
    sort = written["sort"] if written["sort"] in SORTS else "price"
    first, last = (_day(written[name], problems) for name in ("from", "to"))
    if first and last and first > last:
        problems.append(_("The first day lies after the last one."))
        first = last = None
    return Asked(
        Filters(
            area=_area(written, problems),
            first_day=first,
            last_day=last,
            text=written["q"],
            chosen={name: _chosen(query.getlist(name), size) for name, size in FACETS.items()},
            sort=sort,
            page=_page(query.get("page", "")),
        ),
        {**written, "sort": sort},
        problems,
    )


def _area(written: Mapping[str, str], problems: list[str]) -> Area | None:
    """Return a place by its name, else a box by its edges."""
    place = NAMED_AREAS.get(written["place"])
    if place is not None:
        return place.area
    edges = [written[name] for name in EDGES]
    if not any(edges):
        return None
    try:
        west, south, east, north = (_microdegrees(edge) for edge in edges)
        return Area(west, south, east, north)
    except Invalid as error:
        problems.append(_(error.text).format(**error.params))
    except (ArithmeticError, ValueError):
        problems.append(_("An area has four edges in degrees, like 37.7."))
    return None


def _microdegrees(written: str) -> int:
    degrees = Decimal(written)
    if not abs(degrees) <= DEGREES_MAX:  # before a thousand digits are multiplied
        raise ValueError(written[:20])
    return int(degrees * MICRODEGREES)


def _day(written: str, problems: list[str]) -> date | None:
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        problems.append(_("A day is written like 2026-03-01."))
        return None


def _chosen(values: list[str], size: int) -> frozenset[int]:
    return frozenset(
        int(value)
        for value in values
        if value.isascii() and value.isdigit() and len(value) <= 2 and int(value) < size
    )


def _page(written: str) -> int:
    is_number = written.isascii() and written.isdigit() and len(written) <= len(str(PAGES_MAX))
    return min(max(1, int(written)), PAGES_MAX) if is_number else 1
