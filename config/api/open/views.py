"""Published figures for everybody: no sign-in, no cookie, cacheable, under an open licence.

What is answered never changes under its address, so that a citation stays what it was; only the
list of publications and a community's series grow.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from analytics.domain.published import canonical_text
from analytics.queries.publications import (
    PublicationLine,
    find_publication,
    get_document,
    list_newest,
    list_publications,
)
from config.api.open.tables import COLUMNS, csv_text
from marketplace.queries.pages import Place, list_places

FOREVER: Final = 365 * 24 * 3600
FOR_A_WHILE: Final = 300
TABLE: Final = OpenApiParameter(
    "table", str, OpenApiParameter.PATH, enum=list(COLUMNS), description="Which figures."
)


class CsvRenderer(BaseRenderer):
    """Lets a program ask for what it gets; the view writes the table itself."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *_: Any, **__: Any) -> str:
        """Write an error as one line."""
        return str(data)


class LogPlaceOut(serializers.Serializer[Any]):
    """Where the log stood."""

    key = serializers.CharField(help_text="Of the document with this publication's SHA-256.")
    size = serializers.IntegerField(allow_null=True, help_text="Leaves when it was published.")
    root_hash = serializers.CharField(
        help_text="Root of the log then, in hex; empty before a block."
    )


class PublicationOut(serializers.Serializer[Any]):
    """A publication: a civil month of a community, in one revision."""

    id = serializers.IntegerField()
    community_id = serializers.IntegerField()
    community_name = serializers.CharField()
    month = serializers.CharField(help_text="YYYY-MM, of the community's civil time.")
    revision = serializers.IntegerField(help_text="1; a batch of corrections makes the next.")
    is_newest = serializers.BooleanField()
    published_at = serializers.DateTimeField()
    sha256 = serializers.CharField(help_text="Of the answer at `url`, byte for byte.")
    log = LogPlaceOut()
    url = serializers.CharField()
    tables = serializers.DictField(child=serializers.CharField(), help_text="As CSV.")


class PublicationsOut(serializers.Serializer[Any]):
    """All publications, newest month first."""

    licence = serializers.CharField(help_text="Address of the licence of all figures.")
    attribution = serializers.CharField(help_text="Whom to name.")
    publications = PublicationOut(many=True)


class Open(APIView):
    """What anybody may read, from any page."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = [JSONRenderer]


class Publications(Open):
    """The list of publications."""

    @extend_schema(operation_id="open_publications_list", responses=PublicationsOut)
    def get(self, request: Request) -> HttpResponseBase:
        """List what was published, newest month first."""
        names = {place.community_id: place for place in list_places()}
        lines = list_publications()
        newest = {(each.community_id, each.month): each.revision for each in reversed(lines)}
        body = {
            "licence": settings.OPEN_DATA_LICENCE,
            "attribution": settings.OPEN_DATA_ATTRIBUTION,
            "publications": [
                _written(each, names, is_newest=each.revision == newest[_month_of(each)])
                for each in lines
            ],
        }
        text = canonical_text(dict(body))
        return answer(
            request,
            text,
            "application/json",
            tag=hashlib.sha256(text.encode()).hexdigest(),
            changed_at=max((each.published_at for each in lines), default=None),
            age=FOR_A_WHILE,
        )


class PublishedText(Open):
    """One publication, exactly as it was published."""

    @extend_schema(responses={200: dict[str, Any]})
    def get(self, request: Request, publication_id: int) -> HttpResponseBase:
        """Return a publication; its SHA-256 is the one in the log. See docs/figures.md."""
        found = find_publication(publication_id=publication_id)
        if found is None:
            raise Http404
        line, text = found
        return answer(
            request, text, "application/json", tag=line.sha256, changed_at=line.published_at
        )


class PublishedTable(Open):
    """One table of a publication."""

    renderer_classes = [CsvRenderer, JSONRenderer]

    @extend_schema(parameters=[TABLE], responses={(200, "text/csv"): str})
    def get(self, request: Request, publication_id: int, table: str) -> HttpResponseBase:
        """Return days, hours of the day, flows or savings of a publication as CSV."""
        found = find_publication(publication_id=publication_id)
        if found is None or table not in COLUMNS:
            raise Http404
        line = found[0]
        return answer(
            request,
            csv_text([get_document(line=line)], table),
            "text/csv; charset=utf-8",
            tag=f"{table}-{line.sha256}",
            changed_at=line.published_at,
        )


class Series(Open):
    """One table of a community, over all months."""

    renderer_classes = [CsvRenderer, JSONRenderer]

    @extend_schema(parameters=[TABLE], responses={(200, "text/csv"): str})
    def get(self, request: Request, community_id: int, table: str) -> HttpResponseBase:
        """Return a table of all months of a community as CSV, each in its newest revision."""
        lines = list_newest(community_id=community_id)
        if not lines or table not in COLUMNS:
            raise Http404
        tag = hashlib.sha256("".join(each.sha256 for each in lines).encode()).hexdigest()
        return answer(
            request,
            csv_text((get_document(line=each) for each in lines), table),
            "text/csv; charset=utf-8",
            tag=f"{table}-{tag}",
            changed_at=max(each.published_at for each in lines),
            age=FOR_A_WHILE,
        )


def answer(
    request: HttpRequest | Request,
    text: str,
    media_type: str,
    *,
    tag: str,
    changed_at: datetime | None,
    age: int = FOREVER,
) -> HttpResponseBase:
    """Return a text that caches may keep, or 304 to who has it already."""
    response = HttpResponse(text, content_type=media_type)
    response["ETag"] = f'"{tag}"'
    immutable = ", immutable" if age == FOREVER else ""
    response["Cache-Control"] = f"public, max-age={age}{immutable}"
    response["Access-Control-Allow-Origin"] = "*"
    response["Link"] = f'<{settings.OPEN_DATA_LICENCE}>; rel="license"'
    second = int(changed_at.astimezone(UTC).timestamp()) if changed_at else None
    if second is not None:
        response["Last-Modified"] = http_date(second)
    plain = request._request if isinstance(request, Request) else request
    found = get_conditional_response(
        plain, etag=response["ETag"], last_modified=second, response=response
    )
    assert found is not None  # there is a response to fall back on
    return found


def _month_of(line: PublicationLine) -> tuple[int, Any]:
    return line.community_id, line.month


def _written(line: PublicationLine, names: dict[int, Place], *, is_newest: bool) -> dict[str, Any]:
    place = names.get(line.community_id)
    return {
        "id": line.id,
        "community_id": line.community_id,
        "community_name": place.name if place else "",
        "month": f"{line.month:%Y-%m}",
        "revision": line.revision,
        "is_newest": is_newest,
        "published_at": line.published_at.astimezone(UTC).isoformat(),
        "sha256": line.sha256,
        "log": {"key": line.log_key, "size": line.log_size, "root_hash": line.log_root},
        "url": reverse("api_open_publication", args=[line.id]),
        "tables": {table: reverse("api_open_table", args=[line.id, table]) for table in COLUMNS},
    }
