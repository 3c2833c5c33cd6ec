"""Clear intervals whose readings are complete, or whose time to complete them is over."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import numpy as np
from django.db import connection, transaction
from django.db.models import F

from ledger.domain.commands import Command
from ledger.queries import get_balances
from ledger.services import submit
from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Cleared, Matches, Metered, Terms
from marketplace.domain.book_rows import book_document
from marketplace.domain.clear_by_rules import clear_by_rules
from marketplace.domain.interval_book import IntervalBook, LateReadings, pack
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_part import MarketPart
from marketplace.domain.readings.late import late_readings
from marketplace.domain.rules import Rules, load_rules
from marketplace.models import Clearing, Community, DeliveryInterval, Reading, RuleSet
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.auctions import list_held_auctions
from marketplace.queries.documents import REASONS, book_header
from marketplace.queries.intervals import IS_DUE, due_interval_ids, has_unsettled_clearing
from marketplace.queries.terms import NO_CREDIT_LIMIT, TermsInForce, list_current_readings
from marketplace.services.estimation import estimate_missing_readings
from marketplace.services.matches import copy_matches, repeat_matches

State = DeliveryInterval.State

# Complete: every metering point that is expected has a reading, whoever else sent one. Intervals
# that wait are not counted against the limit, so a dead meter does not hold up what came after.
_METER = """
WITH due AS (
    SELECT i.id
    FROM marketplace_deliveryinterval i JOIN marketplace_ruleset r ON r.id = i.rule_set_id
    WHERE i.community_id = %(community)s AND i.state = 1 AND i.ends_at <= %(now)s
        AND (
            %(now)s >= i.ends_at + make_interval(
                mins => (r.document ->> 'readings_deadline_minutes')::int)
            OR NOT EXISTS (
                SELECT FROM marketplace_meteringpoint m
                WHERE m.community_id = i.community_id AND m.active_from <= i.starts_at
                    AND (m.active_until IS NULL OR m.active_until > i.starts_at)
                    AND NOT EXISTS (
                        SELECT FROM marketplace_reading
                        WHERE interval_id = i.id AND metering_point_id = m.id)))
    ORDER BY i.starts_at LIMIT %(limit)s FOR NO KEY UPDATE OF i SKIP LOCKED
)
UPDATE marketplace_deliveryinterval i SET state = 2 FROM due WHERE i.id = due.id
"""


@transaction.atomic
def meter_intervals(*, community_id: int, now: datetime, limit: int = 1000) -> int:
    """Move open intervals on whose readings are all there, or whose deadline has passed.

    Readings that are missing then are estimated first, where the rules ask for it.

    Returns
    -------
    int
        How many intervals are metered now and were open before.
    """
    estimate_missing_readings(community_id=community_id, now=now, limit=limit)
    with connection.cursor() as cursor:
        cursor.execute(_METER, {"community": community_id, "now": now, "limit": limit})
        metered: int = cursor.rowcount
        return metered


@transaction.atomic
def clear_due_intervals(
    *, community_id: int, now: datetime, terms: TermsInForce | None = None, limit: int = 100
) -> int:
    """Clear the earliest intervals of a community that are due; store and log books and trades.

    An interval is due when it is metered, or when readings came after its latest clearing. Safe to
    run twice or on two workers at once: the state is the claim, and a locked row is passed over.
    Where members have a credit limit, intervals are cleared one by one, each after the one before
    is booked, so that what a member owes then is the same on every machine.

    Returns
    -------
    int
        How many were cleared; 0 if none is due, or all wait for bookings or for another worker.
    """
    terms = terms or TermsInForce(community_id=community_id)
    due = due_interval_ids(community_id=community_id, limit=limit)
    intervals = list(
        DeliveryInterval.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .filter(IS_DUE, id__in=due)
        .order_by("starts_at")
    )
    rule_sets = RuleSet.objects.in_bulk({each.rule_set_id for each in intervals})
    # Checking a document costs more than clearing a street: once for all intervals under it.
    rules = {id_: load_rules(each.document) for id_, each in rule_sets.items()}
    if _has_credit_limits(intervals, rules, terms):
        if has_unsettled_clearing(community_id=community_id):
            return 0
        intervals = intervals[:1]
    market = _Market(community_id, intervals, rules)
    readings = _readings_of(intervals)
    outcomes = [
        _clear(each, market, terms.at(each.starts_at), readings[each.id], now) for each in intervals
    ]
    _store(outcomes, now=now)
    submit(commands=_documents(outcomes, rule_sets, community_id), submitted_at=now)
    return len(outcomes)


class _Market:
    """What the intervals of a batch are cleared under besides terms and readings."""

    def __init__(
        self,
        community_id: int,
        intervals: Sequence[DeliveryInterval],
        rules: Mapping[int, Rules],
    ) -> None:
        self.rules = rules
        of_form_2 = any(each.market.form == 2 for each in rules.values())
        self._agreements = AgreementsInForce(community_id=community_id) if of_form_2 else None
        forward = {
            each.id: rules[each.rule_set_id]
            for each in intervals
            if rules[each.rule_set_id].market.forward is not None
        }
        self.auctions = dict(list_held_auctions(rules_of=forward)) if forward else {}

    def agreements_at(self, starts_at: datetime) -> Agreements:
        """Return the agreements in force for the interval that starts then."""
        return self._agreements.at(starts_at) if self._agreements else Agreements.none()

    def interval_rules(self, interval: DeliveryInterval) -> IntervalRules | None:
        """Return the rules of an interval of form 2; None for form 1."""
        rules = self.rules[interval.rule_set_id]
        return IntervalRules.of(rules, interval.starts_at) if rules.market.form == 2 else None


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What clearing an interval came to."""

    interval: DeliveryInterval
    reason: Clearing.Reason
    cleared: Cleared


def _clear(
    interval: DeliveryInterval, market: _Market, terms: Terms, metered: Metered, now: datetime
) -> _Outcome:
    rules = market.rules[interval.rule_set_id]
    deadline = interval.ends_at + timedelta(days=rules.correction_deadline_days)
    if interval.revision and now > deadline:
        late = late_readings(
            terms=terms,
            metered=metered,
            rules=market.interval_rules(interval),
            auction=market.auctions.get(interval.id),
        )
        return _Outcome(interval, Clearing.Reason.AFTER_DEADLINE, _amend(interval, late))
    over_limit = _kept_out(interval, terms, _credit_limits(terms, rules))
    cleared = clear_by_rules(
        rules=rules,
        starts_at=interval.starts_at,
        terms=terms,
        metered=metered,
        over_limit=over_limit,
        agreements=market.agreements_at(interval.starts_at),
        auction=market.auctions.get(interval.id),
    )
    return _Outcome(interval, _reason(interval, cleared.book), cleared)


def _readings_of(intervals: Sequence[DeliveryInterval]) -> dict[int, Metered]:
    """Return the current readings of each interval; a city's day comes as one stream."""
    ids, points, _, import_wh, export_wh, quality = list_current_readings(
        interval_ids=[each.id for each in intervals]
    )
    estimated = (quality == Reading.Quality.ESTIMATED).astype(np.int64)
    readings = {}
    for each in intervals:
        part = slice(*np.searchsorted(ids, [each.id, each.id + 1]).tolist())
        readings[each.id] = Metered(points[part], import_wh[part], export_wh[part], estimated[part])
    return readings


def _has_credit_limits(
    intervals: Sequence[DeliveryInterval], rules: Mapping[int, Rules], terms: TermsInForce
) -> bool:
    if any(each.credit_limit_micro is not None for each in rules.values()):
        return True
    return any(
        bool((terms.at(each.starts_at).credit_limits < NO_CREDIT_LIMIT).any()) for each in intervals
    )


def _reason(interval: DeliveryInterval, book: IntervalBook) -> Clearing.Reason:
    if interval.revision:
        return Clearing.Reason.CORRECTION
    return Clearing.Reason.DEADLINE if len(book.missing_ids) else Clearing.Reason.READINGS


def _credit_limits(terms: Terms, rules: Rules) -> np.ndarray:
    """Return each row's credit limit: the member's own, else the rule set's. [micro]"""
    if rules.credit_limit_micro is None:
        return terms.credit_limits
    own = terms.credit_limits < NO_CREDIT_LIMIT
    return np.where(own, terms.credit_limits, rules.credit_limit_micro)


def _kept_out(interval: DeliveryInterval, terms: Terms, limits: np.ndarray) -> np.ndarray:
    """Return who is over the limit; a re-clearing lets in whom the first clearing let in.

    The gate was passed at the first clearing: what a member came to owe since does not undo trades.
    """
    over = _over_limit(terms, limits)
    if not interval.revision or not (limits < NO_CREDIT_LIMIT).any():
        return over
    before = _latest_book(interval)
    judged = np.isin(terms.metering_point_ids, before.metering_point_ids)
    return np.where(judged, np.isin(terms.metering_point_ids, before.left_out_ids), over)


def _latest_book(interval: DeliveryInterval) -> IntervalBook:
    before = Clearing.objects.only("book").get(interval=interval, revision=interval.revision)
    return IntervalBook.unpacked(bytes(before.book))


def _over_limit(terms: Terms, limits: np.ndarray) -> np.ndarray:
    limited = np.flatnonzero(limits < NO_CREDIT_LIMIT)
    over = np.zeros(len(limits), dtype=np.bool_)
    if len(limited):
        accounts = terms.account_ids[limited].tolist()
        balances = get_balances(account_ids=accounts)
        owed = np.array([-balances[account].posted for account in accounts], dtype=np.int64)
        over[limited] = owed > limits[limited]
    return over


def _amend(interval: DeliveryInterval, late: LateReadings) -> Cleared:
    """Take late readings over against the grid: the pool's trades stand."""
    before = Clearing.objects.get(interval=interval, revision=interval.revision)
    return Cleared(
        book=IntervalBook.unpacked(bytes(before.book)).amended(late),
        price_low=before.price_low_micro_per_kwh,
        price_high=before.price_high_micro_per_kwh,
        matches=Matches.none(),
    )


def _store(outcomes: Sequence[_Outcome], *, now: datetime) -> None:
    if not outcomes:
        return
    Clearing.objects.bulk_create([_clearing(each, now) for each in outcomes])
    copy_matches(
        (each.interval.id, each.interval.revision + 1, each.cleared.matches)
        for each in outcomes
        if len(each.cleared.matches)
    )
    repeat_matches(
        [
            (each.interval.id, each.interval.revision)
            for each in outcomes
            if each.reason is Clearing.Reason.AFTER_DEADLINE
        ]
    )
    DeliveryInterval.objects.filter(id__in=[each.interval.id for each in outcomes]).update(
        state=State.CLEARED, revision=F("revision") + 1, has_news=False
    )


def _clearing(outcome: _Outcome, now: datetime) -> Clearing:
    book = outcome.cleared.book
    canonical = book.canonical_bytes()
    return Clearing(
        interval_id=outcome.interval.id,
        revision=outcome.interval.revision + 1,
        rule_set_id=outcome.interval.rule_set_id,
        reason=outcome.reason,
        volume_wh=book.volume_wh,
        price_micro_per_kwh=book.price,
        price_low_micro_per_kwh=outcome.cleared.price_low,
        price_high_micro_per_kwh=outcome.cleared.price_high,
        retail_micro_per_kwh=book.retail,
        feed_in_micro_per_kwh=book.feed_in,
        platform_fee_micro_per_kwh=book.platform_fee,
        prices=_prices(book.market),
        flows=_flows(book.market),
        missing_count=len(book.missing_ids),
        left_out_count=len(book.left_out_ids),
        book=pack(canonical),
        book_sha256=sha256(canonical).hexdigest(),
        cleared_at=now,
    )


def _prices(part: MarketPart | None) -> dict[str, int | None] | None:
    return None if part is None else dict(zip(part.zones, part.prices, strict=True))


def _flows(part: MarketPart | None) -> list[dict[str, int]] | None:
    if part is None:
        return None
    flows = zip(part.sent.tolist(), part.received.tolist(), strict=True)
    return [{"sent": sent, "received": received} for sent, received in flows]


def _documents(
    outcomes: Sequence[_Outcome], rule_sets: Mapping[int, RuleSet], community_id: int
) -> list[Command]:
    """Return what logs the books; each with a seed that only the ledger keeps."""
    community = Community.objects.get(id=community_id)
    documents = []
    for each in outcomes:
        rule_set = rule_sets[each.interval.rule_set_id]
        header = book_header(
            interval=each.interval,
            revision=each.interval.revision + 1,
            reason=REASONS[each.reason],
            timezone=rule_set.document["timezone"],
            community=community,
        )
        documents.append(
            book_document(
                header, each.cleared.book, rules_sha256=rule_set.sha256, seed=os.urandom(32)
            )
        )
    return documents
