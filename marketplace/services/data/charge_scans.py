"""Move charges along by what the ledger answered and by the clock.

Every scan may run twice, late, or on two hosts: rows are claimed with SKIP LOCKED, and what is due
follows from the rows alone.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet

from ledger.queries import get_answers
from marketplace.domain.data.contract import ContractText
from marketplace.domain.notices import NoticeKind
from marketplace.errors import WalletCurrencyDiffers, WalletMissing
from marketplace.models import DataCharge, DataContract, DataProduct
from marketplace.services.data.charge_money import money_of
from marketplace.services.data.charges import (
    close_charge,
    closed_state,
    open_period,
    periods_of,
    submit_release,
)
from marketplace.services.data.invoices import issue_invoices
from marketplace.services.notices import notify

SCAN_ROWS_MAX: Final = 1000
# The next month's money is asked for so long before it begins: time for a deposit.
OPENS_BEFORE: Final = timedelta(days=3)
BOOKED, REFUSED = "booked", "refused"
State = DataCharge.State
_OVER: Final = (DataContract.State.REVOKED, DataContract.State.ENDED)


@dataclass(frozen=True)
class AdvancedCharges:
    """How many charges moved on in one scan."""

    answered: int
    closed: int
    released: int
    opened: int

    @property
    def any(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.answered or self.closed or self.released or self.opened)


def advance_charges(*, now: datetime) -> AdvancedCharges:
    """Note answers, pay what no dispute holds up, release what lapsed, open the next months."""
    return AdvancedCharges(
        answered=note_answers(now=now),
        closed=close_due(now=now),
        released=release_lapsed(now=now),
        opened=open_next_months(now=now),
    )


@transaction.atomic
def note_answers(*, now: datetime) -> int:
    """Read the ledger's answers to what charges wait for; return how many moved on."""
    waiting = _claimed(
        Q(state__in=(State.OPENING, State.DELIVERING, State.CLOSING, State.RELEASING))
    )
    answers = get_answers(keys=[charge.command_key for charge in waiting])
    moved = defaultdict(list)
    for charge in waiting:
        answer = answers.get(charge.command_key)
        if answer is None or answer.state not in (BOOKED, REFUSED):
            continue
        state = _after(charge, is_booked=answer.state == BOOKED)
        if state is None:  # never expected: it stays where it is, and verification names it
            continue
        moved[state].append(charge)
        charge.refusal = charge.refusal or answer.refusal
    for state, charges in moved.items():
        _move(charges, state, now=now)
    return sum(map(len, moved.values()))


@transaction.atomic
def close_due(*, now: datetime) -> int:
    """Pay out the charges whose dispute window is over; return how many."""
    # A file whose key the hall has not given is not delivered, however long ago it was paid for.
    keyless = Q(delivery__isnull=False, delivery__wrap__isnull=True)
    due = _claimed(Q(state=State.IN_WINDOW, window_ends_at__lte=now) & ~keyless)
    money = money_of(charge.contract for charge in due)
    for charge in due:
        close_charge(charge, refund_micro=0, now=now, money=money[charge.contract_id])
    return len(due)


@transaction.atomic
def release_lapsed(*, now: datetime) -> int:
    """Give back what was held and never delivered, or for a time after a contract's end."""
    not_begun = Q(contract__state__in=_OVER, period_start__gte=F("contract__closed_at"))
    lapsed = _claimed(Q(state=State.HELD) & (Q(expires_at__lte=now) | not_begun))
    for charge in lapsed:
        submit_release(charge, now=now)
    return len(lapsed)


def open_next_months(*, now: datetime) -> int:
    """Open the next period of every agreed feed before the last one ends; return how many.

    Periods that went by while nobody looked are left out: nothing was delivered for them.
    """
    feeds = DataContract.objects.filter(
        state=DataContract.State.AGREED,
        product__kind=DataProduct.Kind.FEED,
        valid_until__gt=now,
    )
    last = feeds.annotate(charged_until=Max("charges__period_end"))
    due = last.filter(
        charged_until__lt=F("valid_until"), charged_until__lte=now + OPENS_BEFORE
    ).order_by("id")
    return sum(_open_next(id_, now=now) for id_ in due.values_list("id", flat=True)[:SCAN_ROWS_MAX])


@transaction.atomic
def _open_next(contract_id: int, *, now: datetime) -> bool:
    claimed = DataContract.objects.select_for_update(skip_locked=True, no_key=True)
    contract = claimed.filter(id=contract_id, state=DataContract.State.AGREED).first()
    if contract is None:
        return False
    charged_until = contract.charges.aggregate(until=Max("period_end"))["until"]
    if charged_until > now + OPENS_BEFORE:
        return False  # another scan has opened it meanwhile
    text = ContractText.read(bytes(contract.body))
    for period in periods_of(text):
        if period.start >= charged_until and period.end > now:
            try:
                open_period(contract=contract, text=text, period=period, now=now)
            except (WalletMissing, WalletCurrencyDiffers):
                return False  # a wallet was never taken away; without one no month begins
            return True
    return False


def _after(charge: DataCharge, *, is_booked: bool) -> State | None:
    """Return where an answer leads; None: nowhere that was ever meant."""
    if charge.state == State.OPENING:
        return State.HELD if is_booked else State.REFUSED
    if charge.state == State.DELIVERING:
        # The hold's time was over before it was posted: all of it goes back.
        return State.IN_WINDOW if is_booked else State.RELEASING
    if charge.state == State.RELEASING:
        # Refused: the hold was never booked, or has let go by itself. Nobody holds money.
        return State.RELEASED
    return closed_state(charge) if is_booked else None


def _move(charges: list[DataCharge], state: State, *, now: datetime) -> None:
    rows = DataCharge.objects.filter(id__in=[charge.id for charge in charges])
    if state == State.IN_WINDOW:
        for charge in charges:
            window = timedelta(seconds=charge.window_s)
            rows.filter(id=charge.id).update(state=state, window_ends_at=now + window)
    elif state == State.RELEASING:
        for charge in charges:
            submit_release(charge, now=now, refusal=charge.refusal)
    elif state == State.REFUSED:
        for charge in charges:
            rows.filter(id=charge.id).update(state=state, refusal=charge.refusal)
            _tell_of_refusal(charge, now=now)
    elif state == State.HELD:
        rows.update(state=state)
    else:
        rows.update(state=state, closed_at=now)
        for charge in charges:
            charge.state = state
        if state != State.RELEASED:
            issue_invoices(charges, now=now)


def _tell_of_refusal(charge: DataCharge, *, now: datetime) -> None:
    notify(
        participant_id=charge.contract.buyer_id,
        kind=NoticeKind.HOLD_REFUSED,
        key=f"charge:{charge.id}:{charge.attempt}",
        subject={
            "charge": charge.id,
            "contract": charge.contract_id,
            "title": charge.contract.product.title,
        },
        now=now,
    )


def _claimed(due: Q) -> list[DataCharge]:
    """Claim charges of a state, by id; those that another scan has are left to it."""
    found: QuerySet[DataCharge] = (
        DataCharge.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("contract__product")
        .filter(due)
        .order_by("id")
    )
    return list(found[:SCAN_ROWS_MAX])
