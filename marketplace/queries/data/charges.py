"""Charges as buyer and seller see them, and what a seller earned."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from marketplace.models import DataCharge, DataContract, DataProduct
from marketplace.queries.data.contract_sides import attach_sides
from marketplace.queries.data.contracts import is_whole
from marketplace.queries.identity import names_of

State = DataCharge.State
# Codes of the API; pages have words for each.
STATES = {state: state.name.lower() for state in State}
_CLOSED = (State.PAID, State.REFUNDED, State.SPLIT)
_DUE = (
    State.OPENING,
    State.HELD,
    State.REFUSED,
    State.DELIVERING,
    State.IN_WINDOW,
    State.DISPUTED,
    State.CLOSING,
)


@dataclass(frozen=True)
class ChargeLine:
    """A charge as one of its sides sees it. Amounts in micro-units.

    ``other_name`` is the other side's, empty of whom nobody can name any more; ``is_whole`` tells
    whether the contract is what was signed.
    """

    id: int
    contract_id: int
    number: int
    side: Literal["buyer", "seller"]
    state: str
    is_feed: bool
    is_agreed: bool
    product_id: int
    title: str
    other_name: str
    currency: str
    held_micro: int
    due_micro: int
    credit_micro: int
    refund_micro: int
    refusal: str
    period_start: datetime
    period_end: datetime
    opened_at: datetime
    window_ends_at: datetime | None
    closed_at: datetime | None
    dispute_id: int | None
    is_whole: bool

    @property
    def net_micro(self) -> int:
        """What is paid, or will be if nobody disputes it. [micro]"""
        return self.due_micro - self.credit_micro - self.refund_micro

    def may_be_disputed(self, now: datetime) -> bool:
        """Whether the reader may open a dispute."""
        return (
            self.side == "buyer"
            and self.state == "in_window"
            and self.dispute_id is None
            and self.due_micro > self.credit_micro
            and self.window_ends_at is not None
            and now < self.window_ends_at
        )

    def may_be_asked_again(self, now: datetime) -> bool:
        """Whether the buyer may ask for the money again after a deposit."""
        is_open = self.is_agreed and self.is_feed and now < self.period_end
        return self.side == "buyer" and self.state == "refused" and is_open


@dataclass(frozen=True)
class MonthOfProduct:
    """What a product brought in a month of UTC, credits and refunds taken off. [micro]"""

    product_id: int
    title: str
    month: date
    currency: str
    charges: int
    paid_micro: int


@dataclass(frozen=True)
class OnTheWay:
    """What is not a seller's yet. [micro]"""

    currency: str
    held_micro: int
    in_window_micro: int
    disputed_micro: int


def list_charges(
    *, participant_ids: Collection[int], before_id: int | None = None, limit: int = 100
) -> list[ChargeLine]:
    """Return the charges that somebody pays or is paid by, newest first."""
    own = list(participant_ids)
    found = DataCharge.objects.filter(Q(contract__buyer__in=own) | Q(contract__seller__in=own))
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    return _lines(found.order_by("-id")[:limit], set(own))


def list_due_charges(*, buyer_id: int, limit: int = 100) -> list[ChargeLine]:
    """Return what a buyer has to pay, or to look at while the window is open, newest first."""
    due = DataCharge.objects.filter(contract__buyer=buyer_id, state__in=_DUE)
    return _lines(due.order_by("-id")[:limit], {buyer_id})


def find_charge(*, charge_id: int, participant_ids: Collection[int]) -> ChargeLine | None:
    """Return one of somebody's charges, None if it is none of theirs."""
    own = list(participant_ids)
    found = DataCharge.objects.filter(
        Q(contract__buyer__in=own) | Q(contract__seller__in=own), id=charge_id
    )
    return next(iter(_lines(found, set(own))), None)


def list_revenue(*, seller_id: int, limit: int = 60) -> list[MonthOfProduct]:
    """Return what a seller's products brought month by month, newest first."""
    rows = (
        DataCharge.objects.filter(contract__seller=seller_id, state__in=_CLOSED)
        .annotate(month=TruncMonth("closed_at", tzinfo=UTC))
        .values("month", "contract__product", "contract__product__title", "contract__currency")
        .annotate(
            charges=Count("id"),
            paid=Sum(F("due_micro") - F("credit_micro") - F("refund_micro")),
        )
        .filter(paid__gt=0)
        .order_by("-month", "contract__product__title", "contract__product")
    )
    return [
        MonthOfProduct(
            row["contract__product"],
            row["contract__product__title"],
            row["month"].date(),
            row["contract__currency"],
            row["charges"],
            row["paid"],
        )
        for row in rows[:limit]
    ]


def get_on_the_way(*, seller_id: int) -> list[OnTheWay]:
    """Return what is held and in escrow for a seller, by currency."""
    net = F("due_micro") - F("credit_micro")
    rows = (
        DataCharge.objects.filter(
            contract__seller=seller_id,
            state__in=(State.HELD, State.DELIVERING, State.IN_WINDOW, State.DISPUTED),
        )
        .values("contract__currency")
        .annotate(
            held=Sum("held_micro", filter=Q(state=State.HELD)),
            window=Sum(net, filter=Q(state__in=(State.DELIVERING, State.IN_WINDOW))),
            disputed=Sum(net, filter=Q(state=State.DISPUTED)),
        )
        .order_by("contract__currency")
    )
    return [
        OnTheWay(
            row["contract__currency"],
            row["held"] or 0,
            row["window"] or 0,
            row["disputed"] or 0,
        )
        for row in rows
    ]


def _lines(found: QuerySet[DataCharge], own: set[int]) -> list[ChargeLine]:
    charges = list(found.select_related("contract__product", "contract__version", "dispute"))
    attach_sides([charge.contract for charge in charges])
    others = {
        charge.pk: (
            charge.contract.seller if charge.contract.buyer_id in own else charge.contract.buyer
        )
        for charge in charges
    }
    names = names_of(others.values())
    return [_line(charge, own, names[others[charge.pk].pk]) for charge in charges]


def _line(charge: DataCharge, own: set[int], other_name: str) -> ChargeLine:
    contract, product = charge.contract, charge.contract.product
    return ChargeLine(
        id=charge.pk,
        contract_id=contract.pk,
        number=charge.number,
        side="buyer" if contract.buyer_id in own else "seller",
        state=STATES[State(charge.state)],
        is_feed=product.kind == DataProduct.Kind.FEED,
        is_agreed=contract.state == DataContract.State.AGREED,
        product_id=product.pk,
        title=product.title,
        other_name=other_name,
        currency=contract.currency,
        held_micro=charge.held_micro,
        due_micro=charge.due_micro,
        credit_micro=charge.credit_micro,
        refund_micro=charge.refund_micro,
        refusal=charge.refusal,
        period_start=charge.period_start,
        period_end=charge.period_end,
        opened_at=charge.opened_at,
        window_ends_at=charge.window_ends_at,
        closed_at=charge.closed_at,
        dispute_id=charge.dispute.pk if hasattr(charge, "dispute") else None,
        is_whole=is_whole(contract),
    )
