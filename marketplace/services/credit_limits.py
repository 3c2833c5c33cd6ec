"""Set what a member may come to owe."""

from datetime import datetime

from django.db import transaction

from marketplace.domain.credit import LIMIT_MAX_MICRO, REASON_CHARACTERS_MAX
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import CreditLimitChange, Participant
from marketplace.services.notices import notify


@transaction.atomic
def set_credit_limit(
    *,
    participant_id: int,
    limit_micro: int | None,
    reason: str,
    operator_id: int,
    now: datetime,
) -> None:
    """Give a member a credit limit of their own, or that of the rules again; tell them why.

    It counts from the next clearing and for the next orders on. What open orders hold stays held.

    Parameters
    ----------
    limit_micro : int or None
        Most that the member may owe and still take part; None: what the rules say. [micro]

    Raises
    ------
    NotFound
        If there is no such member with an account of energy.
    Invalid
        If the limit lies out of bounds or is the same as before, or nothing or too much was said.
    """
    if limit_micro is not None and not 0 <= limit_micro <= LIMIT_MAX_MICRO:
        raise Invalid("limit", N_("A limit is from nothing to a billion."))
    if not reason.strip():
        raise Invalid("reason", N_("Say why: the member reads it."))
    if len(reason) > REASON_CHARACTERS_MAX:
        raise Invalid("reason", N_("At most {maximum} characters."), maximum=REASON_CHARACTERS_MAX)
    # Orders are admitted under the same lock.
    member = (
        Participant.objects.select_for_update(no_key=True)
        .filter(id=participant_id, community__isnull=False, energy_account_id__isnull=False)
        .first()
    )
    if member is None:
        raise NotFound(N_("There is no such member."))
    if member.credit_limit_micro == limit_micro:
        raise Invalid("limit", N_("That is the member’s limit already."))
    change = CreditLimitChange.objects.create(
        participant=member,
        before_micro=member.credit_limit_micro,
        after_micro=limit_micro,
        reason=reason.strip(),
        operator_id=operator_id,
        at=now,
    )
    member.credit_limit_micro = limit_micro
    member.save(update_fields=["credit_limit_micro"])
    notify(
        participant_id=member.pk,
        kind=NoticeKind.CREDIT_LIMIT,
        key=str(change.pk),
        subject={"participant": member.pk, "reason": change.reason},
        now=now,
    )
