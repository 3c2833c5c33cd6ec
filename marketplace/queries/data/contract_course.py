"""What pages say around a contract: the product it would be of, and what became of it so far."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from marketplace.domain.data.contract import Kind
from marketplace.domain.data.prices import PriceRule
from marketplace.models import DataCharge, DataDelivery, DataProduct, DataVersion
from marketplace.queries.identity import names_of

Step = Literal[
    "asked",
    "refused",
    "offered",
    "received",
    "key_out",
    "window_ends",
    "paid",
    "refunded",
    "split",
    "released",
]
CHARGES_SHOWN: Final = 24
_CLOSED: Final[dict[int, Step]] = {
    DataCharge.State.REFUSED: "refused",
    DataCharge.State.PAID: "paid",
    DataCharge.State.REFUNDED: "refunded",
    DataCharge.State.SPLIT: "split",
    DataCharge.State.RELEASED: "released",
}


@dataclass(frozen=True)
class ForSale:
    """A listed product as its buyer chooses of it. [micro, micro-epsilon]"""

    id: int
    title: str
    provider_id: int
    provider_name: str
    kind: Kind
    currency: str
    price: PriceRule
    query_budget_micro_epsilon: int
    version_numbers: tuple[int, ...]


@dataclass(frozen=True)
class CourseStep:
    """One thing that happened, or is to happen, after the signatures; the amount is its charge's.

    ``number`` is the charge's: of a feed, it counts the periods. [micro]
    """

    at: datetime
    step: Step
    number: int = 0
    amount_micro: int | None = None


def find_for_sale(*, product_id: int) -> ForSale | None:
    """Return a listed product with its versions, the newest first; None if there is none."""
    product = (
        DataProduct.objects.select_related("provider")
        .filter(id=product_id, state=DataProduct.State.LISTED)
        .first()
    )
    if product is None:
        return None
    ready = product.versions.filter(state=DataVersion.State.READY).order_by("-number")
    return ForSale(
        id=product.pk,
        title=product.title,
        provider_id=product.provider_id,
        provider_name=names_of([product.provider])[product.provider_id],
        kind="file" if product.kind == DataProduct.Kind.FILE else "feed",
        currency=product.currency,
        price=PriceRule.of(product.price),
        query_budget_micro_epsilon=product.query_budget_micro_epsilon,
        version_numbers=tuple(ready.values_list("number", flat=True)),
    )


def find_delivery_id(*, contract_id: int) -> int | None:
    """Return the delivery of a contract; None of a feed's, and before both have signed."""
    found = DataDelivery.objects.filter(contract=contract_id)
    return found.values_list("id", flat=True).first()


def list_course(*, contract_id: int) -> list[CourseStep]:
    """Return what became of an agreed contract's money and delivery, in order of time."""
    charges = DataCharge.objects.filter(contract=contract_id).order_by("-number")
    steps = [step for charge in charges[:CHARGES_SHOWN] for step in _steps_of(charge)]
    delivery = DataDelivery.objects.filter(contract=contract_id).first()
    if delivery is not None:
        made: tuple[tuple[datetime | None, Step], ...] = (
            (delivery.offered_at, "offered"),
            (delivery.received_at, "received"),
            (delivery.key_out_at, "key_out"),
        )
        steps += [CourseStep(at, step) for at, step in made if at is not None]
    return sorted(steps, key=lambda step: step.at)


def _steps_of(charge: DataCharge) -> list[CourseStep]:
    steps = []
    if charge.held_micro:
        steps.append(CourseStep(charge.opened_at, "asked", charge.number, charge.held_micro))
    if charge.window_ends_at is not None:
        steps.append(CourseStep(charge.window_ends_at, "window_ends", charge.number))
    if charge.closed_at is not None and charge.state in _CLOSED:
        paid = charge.due_micro - charge.credit_micro - charge.refund_micro
        amount = paid if charge.state in (DataCharge.State.PAID, DataCharge.State.SPLIT) else None
        steps.append(CourseStep(charge.closed_at, _CLOSED[charge.state], charge.number, amount))
    return steps
