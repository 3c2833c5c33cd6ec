"""A new person's way in: a link to their address, and the password they choose behind it.

Until the link is opened the database holds nothing that says whose address it went to.
"""

from datetime import datetime

from django.db import connection, transaction

from marketplace.domain.applications import (
    CONFIRMATION_LASTS,
    new_token,
    token_key,
    token_sha256,
)
from marketplace.domain.identity import IdentityKey
from marketplace.errors import N_, NotFound
from marketplace.models import EmailConfirmation, User
from marketplace.services.people import add_person

ADDRESS = "address of a link"
_GONE = N_("This link does not work any more. Ask for a new one.")


def begin_sign_up(*, email: str, now: datetime) -> str | None:
    """Make a link for an address; return its secret, None where the address signs in already."""
    if User.objects.filter(email=email.lower()).exists():
        return None
    token = new_token()
    sealed = IdentityKey(token_key(token)).seal_text(email.lower(), purpose=ADDRESS)
    EmailConfirmation.objects.create(
        token_sha256=token_sha256(token),
        sealed_address=sealed,
        expires_at=now + CONFIRMATION_LASTS,
    )
    return token


def find_link(*, token: str, now: datetime) -> str | None:
    """Return the address that a link went to; None if it is none, or not any more."""
    found = EmailConfirmation.objects.filter(
        token_sha256=token_sha256(token), expires_at__gt=now
    ).first()
    return None if found is None else _address(found, token)


@transaction.atomic
def finish_sign_up(*, token: str, password: str, language: str, now: datetime) -> int:
    """Let whoever opened a link sign in by its address from now on; return the person's id.

    Raises
    ------
    NotFound
        If the link was used, is too old, or never was; or the address has been taken meanwhile.
    """
    found = (
        EmailConfirmation.objects.select_for_update()
        .filter(token_sha256=token_sha256(token), expires_at__gt=now)
        .first()
    )
    if found is None:
        raise NotFound(_GONE)
    address = _address(found, token)
    with connection.cursor() as cursor:
        # Two links to one address at once: the second must not find the account of the first.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [address])
    if User.objects.filter(email=address).exists():
        raise NotFound(_GONE)
    user_id = add_person(email=address, password=password, language=language)
    # To the day: to the second it would stand beside whatever this person does next.
    joined = now.replace(hour=0, minute=0, second=0, microsecond=0)
    User.objects.filter(pk=user_id).update(date_joined=joined)
    found.delete()
    return user_id


def forget_old_links(*, now: datetime) -> int:
    """Delete links that nobody opened in time; return how many."""
    return EmailConfirmation.objects.filter(expires_at__lte=now).delete()[0]


def _address(confirmation: EmailConfirmation, token: str) -> str:
    key = IdentityKey(token_key(token))
    return key.unseal_text(bytes(confirmation.sealed_address), purpose=ADDRESS)
