"""Writes that a person sends twice, by a double click or a reload, and means once."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from marketplace.models import IdempotencyKey
from marketplace.queries.identity import WRITES
from marketplace.services.identity import get_user_key

ANSWERED = 200


@transaction.atomic
def act_once(*, user_id: int, token: str, act: Callable[[], None], now: datetime) -> bool:
    """Do something unless this person did it under this token before; say whether it was done.

    Token and write are one transaction: a second attempt waits for the first, and an error undoes
    the token too, so that a corrected form goes through.
    """
    _, is_first = IdempotencyKey.objects.get_or_create(
        user_tag=get_user_key(user_id=user_id).tag(WRITES),
        key=f"form:{token}",
        defaults={"fingerprint": "", "status": ANSWERED, "created_at": now},
    )
    if is_first:
        act()
    return is_first
