"""What a month would have come to under each pricing, as it was computed."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Sum

from marketplace.domain.billing.month import month_bounds
from marketplace.domain.pricing_comparison import ACTUAL, GRID_ONLY, PRICINGS
from marketplace.models import (
    Clearing,
    DeliveryInterval,
    Participant,
    PricingComparison,
    PricingOutcome,
)
from marketplace.queries.identity import names_of
from marketplace.queries.intervals import IS_BOOKED
from marketplace.queries.pages import Place

ORDER = (ACTUAL, GRID_ONLY, *PRICINGS)


@dataclass(frozen=True)
class ComparisonState:
    """How far a comparison is; ``is_outdated`` when the month was cleared again since."""

    id: int
    month: date
    interval_count: int
    done_count: int
    computed_at: datetime | None
    is_outdated: bool


@dataclass(frozen=True)
class PricingLine:
    """One pricing of a month. [micro]"""

    pricing: str
    net_micro: int
    against_actual_micro: int


@dataclass(frozen=True)
class PartyLine:
    """A party and its result under each pricing, in the order of the columns. [micro]"""

    party: str
    name: str
    nets_micro: list[int]


@dataclass(frozen=True)
class ComparisonTable:
    """Every party under every pricing; each column sums to zero."""

    pricings: list[str]
    lines: list[PartyLine]
    sums_micro: list[int]


def find_comparison(*, place: Place, month: date) -> ComparisonState | None:
    """Return the latest comparison of a month; None if nobody asked for one."""
    found = (
        PricingComparison.objects.filter(community_id=place.community_id, month=month)
        .order_by("-id")
        .first()
    )
    if found is None:
        return None
    return ComparisonState(
        id=found.pk,
        month=found.month,
        interval_count=found.interval_count,
        done_count=found.done_count,
        computed_at=found.computed_at,
        is_outdated=found.computed_at is not None
        and _clearings(place, month) != found.clearing_count,
    )


def _clearings(place: Place, month: date) -> int:
    start, end = month_bounds(month, place.zone)
    settled = DeliveryInterval.objects.filter(
        IS_BOOKED, community=place.community_id, starts_at__gte=start, starts_at__lt=end
    )
    return Clearing.objects.filter(interval__in=settled).count()


def list_own_pricings(*, comparison_id: int, participant_id: int) -> list[PricingLine]:
    """Return what a member would have come to under each pricing that has a price."""
    outcomes = PricingOutcome.objects.filter(
        comparison=comparison_id, participant=participant_id
    ).values_list("pricing", "net_micro")
    nets = dict(outcomes)
    actual = nets.get(ACTUAL, 0)
    return [
        PricingLine(pricing, nets[pricing], nets[pricing] - actual)
        for pricing in ORDER
        if pricing in nets
    ]


def get_comparison_table(*, comparison_id: int) -> ComparisonTable:
    """Return all parties under all pricings, members in the order of their numbers."""
    outcomes = PricingOutcome.objects.filter(comparison=comparison_id)
    pricings = set(outcomes.values_list("pricing", flat=True))
    columns = [pricing for pricing in ORDER if pricing in pricings]
    nets: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for pricing, party, participant, net in outcomes.values_list(
        "pricing", "party", "participant_id", "net_micro"
    ):
        nets[party, participant or 0][pricing] = net
    ids = [participant for party, participant in nets if participant]
    names = names_of(list(Participant.objects.filter(id__in=ids)))
    order = ("member", "supplier", "platform", "grid", "pool", "rounding")
    lines = [
        PartyLine(party, names.get(participant, ""), [of.get(pricing, 0) for pricing in columns])
        for (party, participant), of in sorted(
            ((key, of) for key, of in nets.items()),
            key=lambda each: (order.index(each[0][0]), each[0][1]),
        )
    ]
    totals = dict(outcomes.values_list("pricing").annotate(total=Sum("net_micro")))
    return ComparisonTable(columns, lines, [totals[pricing] for pricing in columns])
