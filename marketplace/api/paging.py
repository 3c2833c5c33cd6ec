"""Pages of the API: newest first, each with the address of the next."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from marketplace.errors import N_, Invalid

PAGE_ROWS: Final = 100
PAGE_ROWS_MAX: Final = 500
ID_MAX: Final = 2**63 - 1
LAST_SECOND: Final = 7_258_118_400  # the year 2200: nothing of ours starts later
PAGE_PARAMETERS: Final = [
    OpenApiParameter("cursor", int, description="From `next`: rows before this id."),
    OpenApiParameter("limit", int, description=f"Rows per page, at most {PAGE_ROWS_MAX}."),
]


class Line(Protocol):
    """A row that has a place in the order."""

    @property
    def id(self) -> int:
        """Grows with time."""


LineT = TypeVar("LineT", bound=Line)


def page_of(
    request: Request,
    fetch: Callable[[int | None, int], Sequence[LineT]],
    shape: Callable[[LineT], dict[str, Any]],
) -> Response:
    """Answer one page: ``fetch(before_id, limit)`` reads it, ``shape`` writes a row."""
    before_id = _whole(request, "cursor", ID_MAX)
    limit = _whole(request, "limit", PAGE_ROWS_MAX) or PAGE_ROWS
    lines = fetch(before_id, limit + 1)
    following = None
    if len(lines) > limit:
        lines = lines[:limit]
        following = replace_query_param(request.build_absolute_uri(), "cursor", str(lines[-1].id))
    return Response({"next": following, "results": [shape(line) for line in lines]})


def pages(out: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe a page of rows."""
    return inline_serializer(
        f"{out.__name__}Page",
        {"next": serializers.URLField(allow_null=True), "results": out(many=True)},
    )


def moment_of(cursor: int | None) -> datetime | None:
    """Return the moment that a cursor through time stands for. [s since 1970-01-01 UTC]"""
    return None if cursor is None else datetime.fromtimestamp(min(cursor, LAST_SECOND), UTC)


def _whole(request: Request, name: str, maximum: int) -> int | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(maximum))
    if not (is_number and 1 <= int(value) <= maximum):
        raise Invalid(name, N_("A whole number in 1..{maximum} is needed."), maximum=maximum)
    return int(value)
