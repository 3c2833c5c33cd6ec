"""The catalogue over HTTP: search with facets, one product. For everybody signed in."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.domain.data.facets import FACETS
from marketplace.domain.data.policy import offer
from marketplace.domain.data.quality import Band
from marketplace.domain.data.wishes import Area
from marketplace.errors import N_, Invalid, NotFound
from marketplace.queries.data.catalogue import PAGES_MAX, SORTS, Filters, Found, Line, search
from marketplace.queries.data.catalogue_product import ProductPage, VersionLine, get_product

_EDGES = ("west", "south", "east", "north")
# ``format`` in an address is how the framework is asked for another form of answer.
_NAMES = {name: "data_format" if name == "format" else name for name in FACETS}
_PARAMETERS = [
    OpenApiParameter("text", str, description="Words; each must begin one of the product's."),
    *(OpenApiParameter(name, int, description="Microdegrees; all or none.") for name in _EDGES),
    OpenApiParameter("first_day", date, description="Of the period asked for."),
    OpenApiParameter("last_day", date, description="Included."),
    *(
        OpenApiParameter(_NAMES[name], int, many=True, description=f"Bands 0 to {size - 1}.")
        for name, size in FACETS.items()
    ),
    OpenApiParameter("sort", str, enum=list(SORTS)),
    OpenApiParameter("page", int),
]
_BADGES = ", ".join(band.name.lower() for band in Band)


class AreaOut(serializers.Serializer[Any]):
    """A box of longitude and latitude. [microdegrees]"""

    west = serializers.IntegerField()
    south = serializers.IntegerField()
    east = serializers.IntegerField()
    north = serializers.IntegerField()


class CatalogueLineOut(serializers.Serializer[Any]):
    """A product among those found."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    language = serializers.CharField()
    kind = serializers.ChoiceField(choices=["file", "feed"])
    format = serializers.CharField()
    provider_name = serializers.CharField(help_text="Empty: a former member.")
    licence = serializers.CharField()
    price = serializers.DictField()
    price_micro = serializers.IntegerField(help_text="Once, or for a month at most.")
    currency = serializers.CharField()
    age_s = serializers.IntegerField(allow_null=True)
    quality_ppm = serializers.IntegerField(allow_null=True)
    badge = serializers.CharField(help_text=_BADGES)
    resolution_s = serializers.IntegerField()
    area = AreaOut(allow_null=True)
    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    updated_at = serializers.DateTimeField()


class FoundOut(serializers.Serializer[Any]):
    """A page of what was found; ``facets`` has what one more click on each value would leave."""

    total = serializers.IntegerField()
    page = serializers.IntegerField()
    page_count = serializers.IntegerField()
    facets = serializers.DictField(child=serializers.ListField(child=serializers.IntegerField()))
    results = CatalogueLineOut(many=True)


class PublishedOut(serializers.Serializer[Any]):
    """A published version."""

    id = serializers.IntegerField()
    number = serializers.IntegerField()
    published_at = serializers.DateTimeField()
    note = serializers.CharField()
    byte_count = serializers.IntegerField()
    row_count = serializers.IntegerField()
    manifest_sha256 = serializers.CharField()
    gated_at_home = serializers.BooleanField()


class MeasuredQualityOut(serializers.Serializer[Any]):
    """Measured figures; null: not measured. [ppm]"""

    availability_ppm = serializers.IntegerField(allow_null=True)
    freshness_ppm = serializers.IntegerField(allow_null=True)
    validity_ppm = serializers.IntegerField(allow_null=True)
    completeness_ppm = serializers.IntegerField(allow_null=True)
    whole_ppm = serializers.IntegerField(allow_null=True)
    badge = serializers.CharField(help_text=_BADGES)


class CatalogueProductOut(serializers.Serializer[Any]):
    """A product as it can be seen before it is bought."""

    id = serializers.IntegerField()
    is_listed = serializers.BooleanField()
    title = serializers.CharField()
    description = serializers.CharField()
    language = serializers.CharField()
    keywords = serializers.ListField(child=serializers.CharField())
    kind = serializers.ChoiceField(choices=["file", "feed"])
    format = serializers.CharField()
    theme = serializers.CharField()
    frequency = serializers.CharField()
    licence = serializers.CharField()
    provider_id = serializers.IntegerField()
    provider_name = serializers.CharField()
    price = serializers.DictField()
    currency = serializers.CharField()
    offer = serializers.DictField(help_text="What may be done with it, as an ODRL offer.")
    service_level = serializers.DictField()
    age_s = serializers.IntegerField(allow_null=True)
    quality = MeasuredQualityOut()
    listed_at = serializers.DateTimeField()
    versions = PublishedOut(many=True)
    profile = serializers.DictField()
    findings = serializers.ListField(child=serializers.DictField())
    privacy_report = serializers.DictField()
    sample = serializers.DictField()


class Catalogue(APIView):
    """What is listed."""

    @extend_schema(operation_id="data_catalogue_search", parameters=_PARAMETERS, responses=FoundOut)
    def get(self, request: Request) -> Response:
        """Search, with the number of products that each further choice would leave."""
        found = search(filters=_filters(request))
        return Response(_found(found))


class CatalogueProduct(APIView):
    """One product."""

    @extend_schema(operation_id="data_catalogue_product", responses=CatalogueProductOut)
    def get(self, request: Request, product_id: int) -> Response:
        """Return a product that is or was listed, with everything there is to see of it."""
        page = get_product(product_id=product_id, now=timezone.now())
        if page is None:
            raise NotFound(N_("There is no such product."))
        return Response(_product(page))


def _filters(request: Request) -> Filters:
    query = request.query_params
    sort = query.get("sort", "price")
    if sort not in SORTS:
        raise Invalid("sort", N_("One of: {names}."), names=", ".join(SORTS))
    edges = [_whole(query.get(name), name) for name in _EDGES]
    area = None
    if any(edge is not None for edge in edges):
        west, south, east, north = edges
        if west is None or south is None or east is None or north is None:
            raise Invalid("area", N_("An area has four edges."))
        area = Area(west, south, east, north)
    chosen = {}
    for name, size in FACETS.items():
        values = [_whole(value, _NAMES[name]) for value in query.getlist(_NAMES[name])]
        if not all(value is not None and 0 <= value < size for value in values):
            text = N_("A whole number in 0..{most} is needed.")
            raise Invalid(_NAMES[name], text, most=size - 1)
        chosen[name] = frozenset(value for value in values if value is not None)
    page = _whole(query.get("page"), "page")
    if page is not None and not 1 <= page <= PAGES_MAX:
        raise Invalid("page", N_("A whole number in 1..{maximum} is needed."), maximum=PAGES_MAX)
    first_day = _day(query.get("first_day"), "first_day")
    last_day = _day(query.get("last_day"), "last_day")
    if first_day is not None and last_day is not None and last_day < first_day:
        raise Invalid("last_day", N_("The last day must not come before the first."))
    return Filters(
        area=area,
        first_day=first_day,
        last_day=last_day,
        text=query.get("text", "")[:200],
        chosen=chosen,
        sort=sort,
        page=page or 1,
    )


def _whole(written: str | None, name: str) -> int | None:
    if not written:
        return None
    digits = written.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise Invalid(name, N_("A whole number is needed."))
    return int(written)


def _day(written: str | None, name: str) -> date | None:
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise Invalid(name, N_("A day is written like 2026-03-01.")) from error


def _found(found: Found) -> dict[str, Any]:
    return {
        "total": found.total,
        "page": found.page,
        "page_count": found.page_count,
        "facets": found.counts,
        "results": [_line(line) for line in found.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "title": line.title,
        "language": line.language,
        "kind": "feed" if line.kind == 2 else "file",
        "format": line.format,
        "provider_name": line.provider_name,
        "licence": line.licence,
        "price": line.price.document(),
        "price_micro": line.price_micro,
        "currency": line.currency,
        "age_s": line.age_s,
        "quality_ppm": line.quality_ppm,
        "badge": Band(line.quality_band).name.lower(),
        "resolution_s": line.resolution_s,
        "area": None if line.area is None else {name: getattr(line.area, name) for name in _EDGES},
        "first_day": line.first_day,
        "last_day": line.last_day,
        "updated_at": line.updated_at,
    }


def _product(page: ProductPage) -> dict[str, Any]:
    copied = (
        *("id", "is_listed", "title", "description", "language", "keywords", "format", "theme"),
        *("frequency", "licence", "provider_id", "provider_name", "currency", "age_s", "listed_at"),
    )
    preview: Mapping[str, Any] = {
        name: getattr(page.preview, name) if page.preview else empty
        for name, empty in (
            ("profile", {}),
            ("findings", []),
            ("privacy_report", {}),
            ("sample", {}),
        )
    }
    quality = page.quality
    return {
        **{name: getattr(page, name) for name in copied},
        "kind": "feed" if page.is_feed else "file",
        "price": page.price.document(),
        "offer": offer(page.policy, product_id=page.id),
        "service_level": page.level.to_json(),
        "quality": {
            "availability_ppm": quality.availability_ppm,
            "freshness_ppm": quality.freshness_ppm,
            "validity_ppm": quality.validity_ppm,
            "completeness_ppm": quality.completeness_ppm,
            "whole_ppm": quality.whole_ppm,
            "badge": quality.band.name.lower(),
        },
        "versions": [
            {name: getattr(version, name) for name in VersionLine.__dataclass_fields__}
            for version in page.versions
        ],
        **preview,
    }
