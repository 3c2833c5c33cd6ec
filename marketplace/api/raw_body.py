"""Bodies that are files: read as a stream, never held whole."""

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from marketplace.errors import N_, Invalid, UploadTooLarge

PIECE_BYTES: Final = 256 * 1024


class LengthRequired(APIException):
    """A body without its length."""

    status_code = 411
    default_detail = "Say the length of the body in Content-Length."
    default_code = "length_required"


class RawParser(BaseParser):
    """Hands on the stream of a body of bytes without reading it."""

    media_type = "application/octet-stream"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the stream."""
        return stream


def pieces_of(request: Request, *, maximum: int) -> Iterator[bytes]:
    """Yield a request's body in pieces, all of it or an error.

    Raises
    ------
    LengthRequired, UploadTooLarge, Invalid
        If the length is missing or too large, or the body ends before it.
    """
    written = request.META.get("CONTENT_LENGTH") or ""
    if not (written.isascii() and written.isdigit()) or len(written) > len(str(maximum)) + 1:
        raise LengthRequired
    left = int(written)
    if left > maximum:
        raise UploadTooLarge(N_("At most {maximum} bytes are taken in."), maximum=maximum)
    stream = request.stream
    while left:
        piece = stream.read(min(left, PIECE_BYTES)) if stream is not None else b""
        if not piece:
            raise Invalid("body", N_("The connection ended before the file did: send it again."))
        left -= len(piece)
        yield piece
