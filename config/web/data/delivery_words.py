"""Words of deliveries: states, problems, and the course of an exchange step by step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.queries.data.deliveries import DeliveryDetail

STATE_LABELS: Final = {
    "waiting": gettext_lazy("Money is being held"),
    "held": gettext_lazy("Waits for the seller"),
    "offered": gettext_lazy("Waits for the buyer"),
    "acknowledged": gettext_lazy("Received, money on its way"),
    "key_out": gettext_lazy("Key given"),
    "accepted": gettext_lazy("Accepted"),
    "disputed": gettext_lazy("Disputed"),
    "ended": gettext_lazy("Ended"),
    "lapsed_seller": gettext_lazy("The seller was late"),
    "lapsed_buyer": gettext_lazy("The buyer was late"),
    "lapsed_hall": gettext_lazy("The hall was late"),
    "cancelled": gettext_lazy("Cancelled"),
}
ENDED_BADLY: Final = frozenset({"lapsed_seller", "lapsed_buyer", "lapsed_hall", "cancelled"})
PROBLEM_LABELS: Final = {
    "key_lost": gettext_lazy(
        "The hall has lost the key of this package. The seller can deposit it again until the"
        " key is due; otherwise the money goes back by itself."
    ),
    "package_missing": gettext_lazy(
        "The hall has not got the package any more. Unless the seller publishes it again in time,"
        " the money goes back by itself."
    ),
}
LAPSE_LABELS: Final = {
    "lapsed_seller": gettext_lazy(
        "The seller did not sign in time. What was held went back to the buyer."
    ),
    "lapsed_buyer": gettext_lazy(
        "The buyer did not confirm the reception in time. What was held went back; the bytes that"
        " were fetched open nothing."
    ),
    "lapsed_hall": gettext_lazy(
        "The hall could not give the key in time. All of the money went back to the buyer."
    ),
    "cancelled": gettext_lazy("The contract was revoked, or the wallet did not cover the price."),
}


@dataclass(frozen=True)
class Step:
    """One step of an exchange: done at a time, due now, or still to come."""

    words: str
    at: datetime | None
    until: datetime | None
    is_now: bool


def state_css(state: str) -> str:
    """Return how a state is shown."""
    if state in ENDED_BADLY or state == "disputed":
        return "bad"
    return "good" if state in {"key_out", "accepted", "ended"} else ""


def steps_of(found: DeliveryDetail) -> list[Step]:
    """Return the course of an exchange that goes on, or ended well."""
    state = found.line.state
    key_is_out = found.key_out_at is not None
    rows: list[tuple[str, datetime | None, datetime | None, bool]] = [
        (
            _("Both signed the contract; the price is held in the buyer's wallet."),
            found.line.agreed_at if state != "waiting" else None,
            None,
            state == "waiting",
        ),
        (
            _("The seller answers for every byte by a signed proof of origin."),
            found.offered_at,
            found.offer_by,
            state == "held",
        ),
        (
            _("The buyer has the encrypted package, compared it, and signs a proof of reception."),
            found.received_at,
            found.receive_by,
            state == "offered",
        ),
        (
            _("The money is booked into escrow; only then the hall gives the key."),
            found.key_out_at,
            found.key_by,
            state == "acknowledged",
        ),
        (
            _("The buyer opens it. The seller is paid when the dispute window is over."),
            found.ended_at,
            found.window_ends_at if key_is_out else None,
            key_is_out and found.ended_at is None,
        ),
    ]
    return [Step(*row) for row in rows]
