"""News of one's own orders as server-sent events.

A stream holds a thread of the web server, so it is short: it ends by itself, and the browser comes
back with the number of the last event it saw. Nothing is lost between two streams, since events
are rows; when too many streams run already, one that tells what there is and ends at once serves
as well, two seconds later.
"""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from marketplace.api.asked import reach_of
from marketplace.api.callers import caller_id
from marketplace.api.streams import places
from marketplace.queries.order_events import (
    Position,
    get_newest_position,
    list_news,
    read_position,
)

STREAM_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 1.0
RETRY_MILLISECONDS: Final = 2000
MEDIA_TYPE: Final = "text/event-stream"


class EventStreamRenderer(BaseRenderer):
    """Lets a browser ask for events; the stream itself is written by the view."""

    media_type = MEDIA_TYPE
    format = "events"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> bytes:
        """Write an answer that is no stream, such as an error."""
        del accepted_media_type, renderer_context
        return json.dumps(data).encode()


class OrderEvents(APIView):
    """News of orders."""

    renderer_classes = (EventStreamRenderer, JSONRenderer)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                str,
                OpenApiParameter.HEADER,
                description="The last event you saw; what came after it is sent.",
            )
        ],
        responses={(200, MEDIA_TYPE): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream what becomes of your orders: received, accepted, refused, cancelled, auction.

        Each event's data is JSON with `event`, the interval, and the batch or the fills by order.
        """
        own = [member.participant_id for member in reach_of(request).members]
        last = read_position(request.headers.get("Last-Event-ID", ""))
        response = StreamingHttpResponse(
            _stream(own, last, caller_id(request)), content_type=MEDIA_TYPE
        )
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response


def _stream(own: Sequence[int], last: Position | None, user_id: int) -> Iterator[bytes]:
    position = get_newest_position(participant_ids=own) if last is None else last
    # Whoever just came learns where they stand, so that they miss nothing from here on.
    yield f"retry: {RETRY_MILLISECONDS}\nid: {position}\nevent: hello\ndata: {{}}\n\n".encode()
    with places.take(("orders", user_id)) as stays:
        ends_at = time.monotonic() + (STREAM_SECONDS if stays else 0)
        while True:
            for news in list_news(participant_ids=own, after=position):
                position = news.position
                data = json.dumps(news.body, ensure_ascii=False)
                yield f"id: {position}\nevent: orders\ndata: {data}\n\n".encode()
            if time.monotonic() >= ends_at:
                return
            time.sleep(LOOK_SECONDS)
            yield b": still here\n\n"  # fails where nobody listens any more, and ends the stream
