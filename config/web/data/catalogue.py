"""Search of the catalogue: for everybody signed in."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from config.web.data import catalogue_words as say
from config.web.data.acting import trader_of
from config.web.data.catalogue_form import EDGES, Asked, read_filters
from config.web.data.catalogue_map import Box, box_map
from config.web.data.named_areas import NAMED_AREAS, NamedArea
from config.web.data.words import FORMAT_LABELS, KIND_LABELS
from marketplace.domain.data.traders import may_buy, may_sell
from marketplace.domain.data.wishes import MICRODEGREES, Area
from marketplace.queries.data.catalogue import (
    Found,
    Line,
    get_extent,
    list_areas_with_products,
    search,
)

WORLD = Area(-180 * MICRODEGREES, -60 * MICRODEGREES, 180 * MICRODEGREES, 80 * MICRODEGREES)


@dataclass(frozen=True)
class Row:
    """A product among those found, in words."""

    line: Line
    kind: str
    format: str
    price: str
    age: str
    badge: str
    badge_css: str
    quality: str


@dataclass(frozen=True)
class Value:
    """A value of a facet, with how many products one more click leaves."""

    value: int
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """A facet with the values that lead somewhere."""

    name: str
    label: str
    values: list[Value]


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show what is listed, narrowed by area, period, words and facets."""
    asked = read_filters(request.GET)
    found = search(filters=asked.filters)
    persona = trader_of(request)
    return render(
        request,
        "market/catalogue.html",
        {
            "asked": asked,
            "edges": _edges(asked),
            "found": found,
            "rows": [_row(line) for line in found.lines],
            "facets": _facets(asked, found),
            "places": _places(asked),
            "map": _map(asked, found),
            "pages": _pages(request, found),
            "is_narrowed": bool(request.GET),
            "may_buy": persona is not None and may_buy(persona.role),
            "may_sell": persona is not None and may_sell(persona.role),
        },
    )


def _row(line: Line) -> Row:
    return Row(
        line,
        str(KIND_LABELS[line.kind]),
        str(FORMAT_LABELS[line.format]),
        say.price_words(line.price, line.currency),
        say.age_words(line.age_s),
        say.badge_words(line.quality_band),
        say.badge_css(line.quality_band),
        "" if line.quality_ppm is None else say.percent(line.quality_ppm),
    )


def _facets(asked: Asked, found: Found) -> list[Facet]:
    facets = []
    for name, labels in say.facet_labels().items():
        chosen = asked.filters.chosen[name]
        values = [
            Value(value, label, found.counts[name][value], value in chosen)
            for value, label in labels.items()
            if found.counts[name][value] or value in chosen
        ]
        facets.append(Facet(name, str(say.FACET_LABELS[name]), values))
    return facets


def _places(asked: Asked) -> list[NamedArea]:
    """Return the named areas that have products, and the one that was chosen."""
    known = list(NAMED_AREAS.values())
    filled = list_areas_with_products(areas=[each.area for each in known])
    return [
        each
        for each, has_products in zip(known, filled, strict=True)
        if has_products or each.slug == asked.written["place"]
    ]


def _edges(asked: Asked) -> list[tuple[str, str, str]]:
    """Return the fields of an area: name, label, value. [degrees]"""
    labels = (_("West"), _("South"), _("East"), _("North"))
    area = asked.filters.area
    values = [asked.written[name] for name in EDGES]
    if area is not None:
        edges = (area.west, area.south, area.east, area.north)
        values = [f"{edge / MICRODEGREES:g}" for edge in edges]
    return list(zip(EDGES, labels, values, strict=True))


def _map(asked: Asked, found: Found) -> str:
    """Draw what this page found, and the area it was looked for in."""
    boxes = [Box(line.area, line.title) for line in found.lines if line.area is not None]
    area = asked.filters.area
    if area is not None:
        boxes.insert(0, Box(area, _("Area searched"), "asked"))
    around = area or get_extent() or WORLD
    return box_map(around, boxes, title=_("Map: areas of the products on this page"))


def _pages(request: HttpRequest, found: Found) -> dict[str, str]:
    """Return the addresses of the pages before and after this one."""
    pages = {}
    for name, number in (("previous", found.page - 1), ("next", found.page + 1)):
        if 1 <= number <= found.page_count:
            query = [(key, value) for key, value in _items(request) if key != "page"]
            pages[name] = f"?{urlencode([*query, ('page', str(number))])}"
    return pages


def _items(request: HttpRequest) -> list[tuple[str, str]]:
    return [(key, value) for key, values in request.GET.lists() for value in values if value]
