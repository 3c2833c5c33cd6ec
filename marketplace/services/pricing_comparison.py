"""Compute a month again under each pricing: asked for on a page, done in the background."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction
from django.db.models import F, QuerySet

from marketplace.domain.auction import Metered
from marketplace.domain.billing.month import month_bounds
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.pricing_comparison import (
    ACTUAL,
    GRID_ONLY,
    PRICINGS,
    Nets,
    nets_of,
    nets_of_grid_alone,
    nets_under,
    rules_under,
)
from marketplace.domain.rules import Rules
from marketplace.domain.settlement import entries_of
from marketplace.errors import N_, Invalid
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    Participant,
    PricingComparison,
    PricingOutcome,
    RuleSet,
)
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.documents import community_accounts
from marketplace.queries.intervals import IS_BOOKED
from marketplace.queries.terms import TermsInForce

_AT_ONCE = 50
# Sums of a month by pricing and account. [micro]
_Sums = dict[str, dict[int, int]]


@transaction.atomic
def ask_for_comparison(*, community_id: int, month: date, now: datetime) -> PricingComparison:
    """Ask that a month be computed again under each pricing; one that is asked for is enough.

    One that was computed is the answer for as long as nothing of the month was cleared again.

    Raises
    ------
    Invalid
        If no interval of the month is settled.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    count = _settled(community, month).count()
    if not count:
        raise Invalid("month", N_("No interval of this month is settled."))
    of_month = PricingComparison.objects.filter(community=community, month=month)
    newest = of_month.order_by("-id").first()
    if newest is not None and (
        newest.computed_at is None or newest.clearing_count == _clearing_count(community, month)
    ):
        return newest
    return PricingComparison.objects.create(
        community=community, month=month, asked_at=now, interval_count=count
    )


def compute_asked_comparisons(*, now: datetime) -> int:
    """Compute every comparison that waits; safe twice, late, or on two hosts.

    Returns
    -------
    int
        How many were computed.
    """
    waiting = PricingComparison.objects.filter(computed_at__isnull=True).order_by("id")
    return sum(
        compute_comparison(comparison_id=id_, now=now)
        for id_ in waiting.values_list("id", flat=True)
    )


def compute_comparison(*, comparison_id: int, now: datetime) -> bool:
    """Compute one comparison and store what each party would have come to.

    Nothing is kept of one that is interrupted but how far it came.

    Returns
    -------
    bool
        Whether this call stored it.
    """
    comparison = PricingComparison.objects.select_related("community").get(id=comparison_id)
    community, month = comparison.community, comparison.month

    def progress(done: int, of: int) -> None:
        PricingComparison.objects.filter(id=comparison_id, computed_at__isnull=True).update(
            interval_count=of, done_count=done
        )

    clearing_count = _clearing_count(community, month)
    sums = _sums(community, month, progress)
    with transaction.atomic():
        stored = PricingComparison.objects.filter(
            id=comparison_id, computed_at__isnull=True
        ).update(computed_at=now, clearing_count=clearing_count)
        if stored:
            PricingOutcome.objects.bulk_create(_outcomes(comparison, sums))
    return bool(stored)


def _settled(community: Community, month: date) -> QuerySet[DeliveryInterval]:
    start, end = month_bounds(month, ZoneInfo(community.timezone))
    return DeliveryInterval.objects.filter(
        IS_BOOKED, community=community, starts_at__gte=start, starts_at__lt=end
    )


def _clearing_count(community: Community, month: date) -> int:
    return Clearing.objects.filter(interval__in=_settled(community, month)).count()


def _sums(community: Community, month: date, progress: Callable[[int, int], None]) -> _Sums:
    """Add up a month's intervals, some at a time."""
    recomputed = _Month(community)
    sums: _Sums = defaultdict(lambda: defaultdict(int))
    ids = list(_settled(community, month).order_by("starts_at").values_list("id", flat=True))
    for done in range(0, len(ids), _AT_ONCE):
        for interval, book in _books(ids[done : done + _AT_ONCE]):
            for pricing, nets in recomputed.nets(interval, book):
                of_pricing = sums[pricing]
                for account, amount in zip(
                    nets.accounts.tolist(), nets.amounts.tolist(), strict=True
                ):
                    of_pricing[account] += amount
        progress(min(done + _AT_ONCE, len(ids)), len(ids))
    return sums


def _books(interval_ids: Sequence[int]) -> Iterator[tuple[DeliveryInterval, IntervalBook]]:
    latest = Clearing.objects.filter(
        interval__in=interval_ids, revision=F("interval__revision")
    ).select_related("interval")
    for clearing in latest.order_by("interval__starts_at").iterator(chunk_size=_AT_ONCE):
        yield clearing.interval, IntervalBook.unpacked(bytes(clearing.book))


class _Month:
    """What a community's intervals are computed again from, read once."""

    def __init__(self, community: Community) -> None:
        self._accounts = community_accounts(community)
        self._terms = TermsInForce(community_id=community.pk)
        self._agreements = AgreementsInForce(community_id=community.pk)
        self._rules = {
            each.pk: _rules_of(each) for each in RuleSet.objects.filter(community=community)
        }

    def nets(self, interval: DeliveryInterval, book: IntervalBook) -> Iterator[tuple[str, Nets]]:
        """Yield what each pricing would have come to in an interval."""
        terms = self._terms.at(interval.starts_at)
        yield ACTUAL, nets_of(entries_of(book, self._accounts))
        yield GRID_ONLY, nets_of_grid_alone(book, self._accounts.supplier)
        for pricing, rules in self._rules[interval.rule_set_id].items():
            yield (
                pricing,
                nets_under(
                    rules=rules,
                    starts_at=interval.starts_at,
                    terms=terms,
                    metered=Metered(book.metering_point_ids, book.import_wh, book.export_wh),
                    over_limit=np.isin(terms.metering_point_ids, book.left_out_ids),
                    agreements=self._agreements.at(interval.starts_at),
                    accounts=self._accounts,
                ),
            )


def _rules_of(rule_set: RuleSet) -> dict[str, Rules]:
    """Return a rule set under each pricing that its tariffs have a price for."""
    under = {pricing: rules_under(rule_set.document, pricing) for pricing in PRICINGS}
    return {pricing: rules for pricing, rules in under.items() if rules is not None}


def _outcomes(comparison: PricingComparison, sums: _Sums) -> Iterator[PricingOutcome]:
    community = comparison.community
    accounts = community_accounts(community)
    parties = {
        accounts.supplier: "supplier",
        accounts.platform: "platform",
        accounts.grid: "grid",
        accounts.pool: "pool",
        accounts.rounding: "rounding",
    }
    members = dict(
        Participant.objects.filter(
            community=community, energy_account_id__isnull=False
        ).values_list("energy_account_id", "id")
    )
    for pricing, nets in sums.items():
        for account, net in nets.items():
            yield PricingOutcome(
                comparison=comparison,
                pricing=pricing,
                participant_id=members.get(account),
                party="member" if account in members else parties[account],
                net_micro=net,
            )
