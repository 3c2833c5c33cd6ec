"""What is due in deliveries without anybody's signature: read what the money did, and the clock.

The scan may run twice, late, or on two hosts: each delivery is locked, decided upon and left in a
transaction of its own; one that somebody else holds is passed over until the next scan.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from marketplace.domain.data.exchange import Deadlines, Move, next_move
from marketplace.domain.notices import NoticeKind
from marketplace.errors import FileDamaged, MarketplaceError
from marketplace.models import DataCharge, DataContract, DataDelivery
from marketplace.services.data import charges
from marketplace.services.data.deliveries import offer
from marketplace.services.data.delivery_key import give_key, take_money
from marketplace.services.data.delivery_rows import (
    PACKAGE_MISSING,
    RELATED,
    log_step,
    note_problem,
    tell,
)
from marketplace.services.data.disputes import refund_undelivered

State, Money = DataDelivery.State, DataCharge.State
SCAN_ROWS_MAX: Final = 1000
_LIVE: Final = (
    State.WAITING,
    State.HELD,
    State.OFFERED,
    State.ACKNOWLEDGED,
    State.KEY_OUT,
    State.ACCEPTED,
    State.DISPUTED,
)
_OVER: Final = (Money.PAID, Money.REFUNDED, Money.SPLIT)
_LAPSED: Final = {
    Move.LAPSE_SELLER: State.LAPSED_SELLER,
    Move.LAPSE_BUYER: State.LAPSED_BUYER,
    Move.LAPSE_HALL: State.LAPSED_HALL,
    Move.CANCEL: State.CANCELLED,
}
_log = logging.getLogger(__name__)


def advance_deliveries(*, now: datetime) -> int:
    """Do what is due in every live delivery; return how many moved."""
    moved = 0
    for delivery_id in _due(now):
        try:
            moved += _advance(delivery_id, now)
        except MarketplaceError:
            # One delivery that cannot go on must not hold up the others.
            _log.exception("delivery %s cannot go on", delivery_id)
    return moved


def sign_waiting(*, now: datetime) -> int:
    """Sign proofs of origin in custody, where the seller has said that the hall may."""
    waiting = DataDelivery.objects.filter(
        state=State.HELD,
        offer_by__gt=now,
        contract__state=DataContract.State.AGREED,
        contract__version__product__accepts_automatically=True,
        contract__seller_key__sealed_private__isnull=False,
        contract__seller_key__ended_at__isnull=True,
    ).order_by("id")
    signed = 0
    for delivery_id, seller_id in waiting.values_list("id", "contract__seller")[:SCAN_ROWS_MAX]:
        try:
            offer(delivery_id=delivery_id, participant_ids=[seller_id], now=now)
        except FileDamaged:
            _note_missing(delivery_id, now)
        except MarketplaceError:
            _log.exception("delivery %s cannot be offered", delivery_id)
        else:
            signed += 1
    return signed


@transaction.atomic
def _note_missing(delivery_id: int, now: datetime) -> None:
    delivery = _claim(delivery_id)
    if delivery is not None:
        note_problem(delivery, PACKAGE_MISSING, now)


def _due(now: datetime) -> list[int]:
    """Return deliveries whose money, contract or clock says that something is due."""
    due = (
        Q(state=State.WAITING) & ~Q(charge__state=Money.OPENING)
        | Q(state=State.HELD, offer_by__lte=now)
        | Q(state=State.OFFERED, receive_by__lte=now)
        | Q(state__lte=State.OFFERED)
        & (
            Q(contract__state=DataContract.State.REVOKED)
            | Q(charge__state__in=(Money.REFUSED, Money.RELEASING, Money.RELEASED))
        )
        | Q(state=State.ACKNOWLEDGED) & ~Q(charge__state=Money.DELIVERING)
        | Q(state__in=(State.KEY_OUT, State.ACCEPTED, State.DISPUTED), charge__state__in=_OVER)
        | Q(state__in=(State.KEY_OUT, State.ACCEPTED), charge__state=Money.DISPUTED)
        | Q(state=State.DISPUTED, charge__state=Money.IN_WINDOW)
    )
    found = DataDelivery.objects.filter(due, state__in=_LIVE)
    return list(found.order_by("id").values_list("id", flat=True)[:SCAN_ROWS_MAX])


@transaction.atomic
def _advance(delivery_id: int, now: datetime) -> bool:
    delivery = _claim(delivery_id)
    if delivery is None:
        return False
    move = next_move(
        state=State(delivery.state).name,
        money=Money(delivery.charge.state).name,
        is_revoked=delivery.contract.state == DataContract.State.REVOKED,
        by=Deadlines(delivery.offer_by, delivery.receive_by, delivery.key_by),
        now=now,
    )
    _MOVES[move](delivery, now)
    if move in _LAPSED:
        _lapse(delivery, _LAPSED[move], now)
    return move != Move.WAIT


def _give(delivery: DataDelivery, now: datetime) -> None:
    if give_key(delivery=delivery, now=now) or now < delivery.key_by:
        return
    if delivery.charge.state in (Money.IN_WINDOW, Money.DISPUTED):
        # The money is in escrow and the key is lost: the whole of it goes back.
        refund_undelivered(charge_id=delivery.charge_id, now=now)
    _lapse(delivery, State.LAPSED_HALL, now)


def _lapse(delivery: DataDelivery, state: DataDelivery.State, now: datetime) -> None:
    """End a delivery without a key; what is held for it goes back."""
    if delivery.charge.state in (Money.OPENING, Money.HELD):
        charges.release_charge(charge_id=delivery.charge_id, now=now)
    delivery.state, delivery.ended_at = state, now
    delivery.save(update_fields=["state", "ended_at"])
    log_step(delivery, "end", {"end": State(state).name.lower()}, now)
    for participant_id in (delivery.contract.buyer_id, delivery.contract.seller_id):
        tell(delivery, participant_id, NoticeKind.DELIVERY_LAPSED, now)


def _set(state: DataDelivery.State) -> Callable[[DataDelivery, datetime], None]:
    def act(delivery: DataDelivery, now: datetime) -> None:
        delivery.state = state
        delivery.save(update_fields=["state"])

    return act


def _end(delivery: DataDelivery, now: datetime) -> None:
    delivery.state, delivery.ended_at = State.ENDED, now
    delivery.save(update_fields=["state", "ended_at"])
    log_step(delivery, "end", {"end": Money(delivery.charge.state).name.lower()}, now)


def _nothing(delivery: DataDelivery, now: datetime) -> None:
    """Leave it as it is; what lapses is ended by the caller."""


_MOVES: Final[Mapping[Move, Callable[[DataDelivery, datetime], None]]] = {
    Move.WAIT: _nothing,
    Move.ASK_SELLER: _set(State.HELD),
    Move.TAKE_MONEY: lambda delivery, now: take_money(delivery=delivery, now=now),
    Move.GIVE_KEY: _give,
    Move.CANCEL: _nothing,
    Move.LAPSE_SELLER: _nothing,
    Move.LAPSE_BUYER: _nothing,
    Move.LAPSE_HALL: _nothing,
    Move.FREEZE: _set(State.DISPUTED),
    Move.UNFREEZE: _set(State.KEY_OUT),
    Move.END: _end,
}


def _claim(delivery_id: int) -> DataDelivery | None:
    """Lock a delivery nobody else works on; its charge is read after the lock."""
    return (
        DataDelivery.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related(*RELATED)
        .filter(pk=delivery_id)
        .first()
    )
