"""Writes that may be repeated: the same Idempotency-Key brings the first answer again."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import caller_id
from marketplace.errors import N_, IdempotencyKeyReused, Invalid
from marketplace.models import IdempotencyKey
from marketplace.queries.identity import WRITES
from marketplace.services.identity import get_user_key

View = Callable[..., Response]

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
KEY_LENGTH_MAX: Final = 200
SUCCESS_BELOW: Final = 400


def idempotent(view: View) -> View:
    """Make a write of an ``APIView`` repeatable under the header ``Idempotency-Key``.

    The key, the write and its answer are one transaction: a repeat that arrives meanwhile waits
    for the first and gets its answer. An error undoes the key too, because it changed nothing.
    Without the header the write is an ordinary one.
    """

    @wraps(view)
    def repeatable(self: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return view(self, request, *args, **kwargs)
        if not 0 < len(key) <= KEY_LENGTH_MAX or not (key.isascii() and key.isprintable()):
            raise Invalid(
                HEADER,
                N_("The key must be printable ASCII of at most {maximum} characters."),
                maximum=KEY_LENGTH_MAX,
            )
        with transaction.atomic():
            return _answer_once(key, request, lambda: view(self, request, *args, **kwargs))

    return repeatable


def _answer_once(key: str, request: Request, act: Callable[[], Response]) -> Response:
    fingerprint = _fingerprint(request)
    user_tag = get_user_key(user_id=caller_id(request)).tag(WRITES)
    IdempotencyKey.objects.bulk_create(
        [
            IdempotencyKey(
                user_tag=user_tag,
                key=key,
                fingerprint=fingerprint,
                status=0,
                created_at=timezone.now(),
            )
        ],
        ignore_conflicts=True,
    )
    known = IdempotencyKey.objects.get(user_tag=user_tag, key=key)
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused(N_("This Idempotency-Key came with another request before."))
    if known.status:
        return Response(known.body, status=known.status, headers={REPLAYED_HEADER: "true"})
    response = act()
    if response.status_code < SUCCESS_BELOW:
        IdempotencyKey.objects.filter(pk=known.pk).update(
            status=response.status_code, body=response.data
        )
    else:
        transaction.set_rollback(True)
    return response


def _fingerprint(request: Request) -> str:
    # Read before anybody parses: afterwards the bytes are gone.
    parts = [(request.method or "").encode(), request.get_full_path().encode(), request.body]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
