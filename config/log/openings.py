"""Openings for validators: what the log's leaves commit to. Closed without a credential."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from config.log.files import NEVER, TEXT, text
from ledger.queries import get_pruned_block
from ledger.queries.openings import iterate_openings, iterate_snapshot
from ledger.services.attestation import may_read_openings
from marketplace.queries.documents import get_document


@dataclass(frozen=True)
class Validator:
    """Whoever holds a credential; no person, no member."""

    is_authenticated: bool = True


class OpeningsCredential(BaseAuthentication):
    """``Authorization: Bearer CREDENTIAL``, made by ``manage.py openings_credential``."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Return a validator, None where no credential was sent."""
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        if not may_read_openings(token=token.decode("latin-1").strip()):
            raise exceptions.AuthenticationFailed("This credential opens nothing.")
        return Validator(), None

    def authenticate_header(self, request: Request) -> str:
        """Say how to authenticate."""
        return "Bearer"


class ForValidators(APIView):
    """Closed to everybody who has no credential for openings."""

    authentication_classes = [OpeningsCredential]
    permission_classes = [IsAuthenticated]
    # It belongs to the log, not to the API of the market.
    schema = None


class BlockOpenings(ForValidators):
    """The openings of one block."""

    def get(self, request: Request, block: int) -> HttpResponseBase:
        """Stream them, a line for each."""
        lines = iterate_openings(block=block)
        if lines is not None:
            return _streamed(lines)
        pruned = get_pruned_block()
        if 0 < block <= pruned:
            return text(
                f"block {block} was pruned, as all up to {pruned} were: start from the snapshot\n",
                status=410,
            )
        return text(f"there are no openings of block {block}\n", status=404)


class SnapshotText(ForValidators):
    """The state to start from where earlier blocks cannot be opened any more."""

    def get(self, request: Request) -> HttpResponseBase:
        """Stream its lines."""
        pieces = iterate_snapshot()
        if pieces is None:
            return text("nothing was pruned: start from the first block\n", status=404)
        return _streamed(pieces)


class DocumentText(ForValidators):
    """What a document in the log stands for."""

    def get(self, request: Request, key: str) -> HttpResponse:
        """Return its rows, one a line, or its text."""
        document = get_document(key=key)
        if document is None:
            return text(f"no document {key!r} stands for anything else\n", status=404)
        return text(document)


def _streamed(lines: Iterator[bytes]) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(_pieces(lines), content_type=TEXT)
    answer["Cache-Control"] = NEVER
    return answer


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines some at a time: each piece is a system call of its own."""
    piece, size = [], 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= 64 * 1024:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)
