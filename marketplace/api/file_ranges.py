"""A large file over HTTP in ranges: resumable, streamed from the disk (RFC 9110, 13 and 14)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

PIECE_BYTES: Final = 256 * 1024
# While it goes out, whether it still may is asked so often: on a fast line, many times a second.
ASKED_EVERY_PIECES: Final = 32
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True)
class Span:
    """Which bytes: half-open."""

    start: int
    end: int


class NotSatisfiable(Exception):
    """The range begins behind the end of the file."""


def asked_span(request: HttpRequest, *, size: int, etag: str) -> Span | None:
    """Return the one range that is asked for; None: the whole, as for ranges we do not know.

    Raises
    ------
    NotSatisfiable
        If there is nothing in the range.
    """
    written = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if written is None or (condition is not None and condition != etag):
        return None
    found = _RANGE.fullmatch(written.replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if last == "" else min(size, int(last) + 1)
        if last != "" and int(last) < start:
            return None
    if start >= min(end, size):
        raise NotSatisfiable
    return Span(start, end)


def ranged_file(
    request: HttpRequest,
    *,
    path: Path,
    size: int,
    etag: str,
    may_go_on: Callable[[], bool],
    note_sent: Callable[[int], None],
) -> HttpResponseBase:
    """Answer with a file or a range of it.

    Parameters
    ----------
    etag : str
        Quoted; the file never changes under one.
    may_go_on : callable
        Asked again and again while the bytes go out; False cuts the answer off.
    note_sent : callable
        Is told how many bytes went out, at the end of the answer however it ends.
    """
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-store"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    try:
        span = asked_span(request, size=size, etag=etag)
    except NotSatisfiable:
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    status, sent = (200, Span(0, size)) if span is None else (206, span)
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    headers["Content-Length"] = str(sent.end - sent.start)
    headers["Content-Type"] = "application/octet-stream"
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    pieces = _pieces(path, sent, may_go_on, note_sent)
    return StreamingHttpResponse(pieces, status=status, headers=headers)


def _pieces(
    path: Path, span: Span, may_go_on: Callable[[], bool], note_sent: Callable[[int], None]
) -> Iterator[bytes]:
    left, number = span.end - span.start, 0
    try:
        with path.open("rb") as file:
            file.seek(span.start)
            while left:
                if number and number % ASKED_EVERY_PIECES == 0 and not may_go_on():
                    return
                piece = file.read(min(PIECE_BYTES, left))
                if not piece:
                    return
                left, number = left - len(piece), number + 1
                yield piece
    finally:
        note_sent(span.end - span.start - left)
