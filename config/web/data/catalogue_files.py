"""The catalogue as files for other catalogues: `/catalog.ttl` and `/catalog.jsonld`, streamed.

Public: a listing is an invitation, and harvesters do not sign in. What costs something or names a
buyer is not in it. The whole is never held: stored fragments are joined as they are read.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from config.log.files import accepts_gzip
from marketplace.domain.data import turtle as writer
from marketplace.domain.data.catalogue_frame import (
    agent,
    catalogue_nodes,
    provider_path,
    shared_nodes,
)
from marketplace.domain.data.turtle import Node
from marketplace.queries.data.catalogue_files import Standing, get_standing, stream_fragments

TURTLE: Final = "text/turtle; charset=utf-8"
JSON_LD: Final = "application/ld+json"
# Somebody who may no more be named still publishes under contract.
FORMER: Final = "A former member"
_PIECE_BYTES: Final = 1 << 16


@login_not_required
@require_safe
def catalogue_turtle(request: HttpRequest) -> HttpResponseBase:
    """Write the catalogue as Turtle."""
    return _answer(request, TURTLE, _turtle)


@login_not_required
@require_safe
def catalogue_json_ld(request: HttpRequest) -> HttpResponseBase:
    """Write the catalogue as JSON-LD."""
    return _answer(request, JSON_LD, _json_ld)


def _answer(
    request: HttpRequest, media_type: str, write: Callable[[str, Standing], Iterator[str]]
) -> HttpResponseBase:
    standing = get_standing()
    zipped = accepts_gzip(request)
    # The same state at another address, or zipped, are other bytes.
    etag = f'"{standing.tag}-{request.get_host()}{"-gzip" if zipped else ""}"'
    unchanged = get_conditional_response(request, etag=etag)
    answer: HttpResponseBase
    if unchanged is not None:
        answer = unchanged
    elif request.method == "HEAD":
        answer = HttpResponse(content_type=media_type)
    else:
        pieces = _pieces(write(request.build_absolute_uri("/"), standing))
        answer = StreamingHttpResponse(
            _gzipped(pieces) if zipped else pieces, content_type=media_type
        )
        if zipped:
            answer["Content-Encoding"] = "gzip"
    answer["ETag"] = etag
    answer["Vary"] = "Accept-Encoding"
    answer["Cache-Control"] = "public, max-age=60"
    return answer


def _turtle(base: str, standing: Standing) -> Iterator[str]:
    yield writer.turtle_head(base)
    yield from stream_fragments(form="turtle")
    yield writer.turtle(_frame(standing))


def _json_ld(base: str, standing: Standing) -> Iterator[str]:
    yield writer.json_ld_head(base)
    yield writer.json_ld(_frame(standing))
    for fragment in stream_fragments(form="json_ld"):
        yield ",\n"
        yield fragment
    yield writer.JSON_LD_END


def _frame(standing: Standing) -> Iterator[Node]:
    now = timezone.now()
    yield from catalogue_nodes(issued=standing.begun_at or now, changed=standing.changed_at or now)
    for provider_id, name in standing.providers.items():
        yield agent(provider_path(provider_id), name or FORMER)
    yield from shared_nodes()


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Gather texts into pieces that are worth sending."""
    waiting = bytearray()
    for text in texts:
        waiting += text.encode()
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=6, wbits=31)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()
