"""Clear intervals whose readings are complete, or whose time to complete them is over."""

from datetime import datetime, timedelta
from hashlib import sha256

import numpy as np
from django.db import connection, transaction

from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from ledger.queries import get_balances
from marketplace.domain.auction import Cleared, Terms, clear_interval_book
from marketplace.domain.interval_book import IntervalBook, LateReadings, pack
from marketplace.domain.rules import Rules, load_rules
from marketplace.models import Clearing, DeliveryInterval, Kind, Match
from marketplace.queries.intervals import due_interval_ids, has_unsettled_clearing
from marketplace.queries.terms import NO_CREDIT_LIMIT, TermsInForce, get_metered

State = DeliveryInterval.State


@transaction.atomic
def meter_intervals(*, community_id: int, now: datetime, limit: int = 1000) -> int:
    """Move open intervals on whose readings are all there, or whose deadline has passed.

    Returns
    -------
    int
        How many intervals are metered now and were open before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH candidate AS (
                SELECT i.id, i.starts_at,
                       %(now)s >= i.ends_at + make_interval(
                           mins => (r.document ->> 'readings_deadline_minutes')::int) AS is_late
                FROM marketplace_deliveryinterval i
                JOIN marketplace_ruleset r ON r.id = i.rule_set_id
                WHERE i.community_id = %(community)s AND i.state = 1 AND i.ends_at <= %(now)s
                ORDER BY i.starts_at LIMIT %(limit)s FOR NO KEY UPDATE OF i SKIP LOCKED
            ), counted AS (
                SELECT c.id, c.is_late,
                       (SELECT count(DISTINCT metering_point_id) FROM marketplace_reading
                        WHERE interval_id = c.id) AS present,
                       (SELECT count(*) FROM marketplace_meteringpoint m
                        WHERE m.community_id = %(community)s AND m.active_from <= c.starts_at
                        AND (m.active_until IS NULL OR m.active_until > c.starts_at)) AS expected
                FROM candidate c
            )
            UPDATE marketplace_deliveryinterval i SET state = 2 FROM counted
            WHERE i.id = counted.id AND (counted.present >= counted.expected OR counted.is_late)
            """,
            {"community": community_id, "now": now, "limit": limit},
        )
        return cursor.rowcount


def clear_next_interval(
    *, community_id: int, now: datetime, terms: TermsInForce | None = None
) -> int | None:
    """Clear the earliest interval of a community that is due; None if there is none.

    An interval is due when it is metered, or when readings came after its latest clearing. Where
    members have a credit limit an interval waits until what was cleared before it is booked, so
    that what a member owes is the same on every machine.
    """
    terms = terms or TermsInForce(community_id=community_id)
    for interval_id in due_interval_ids(community_id=community_id, limit=1):
        if clear_interval(interval_id=interval_id, now=now, terms=terms):
            return interval_id
    return None


@transaction.atomic
def clear_interval(*, interval_id: int, now: datetime, terms: TermsInForce) -> bool:
    """Clear one interval and store its book and trades. Safe to repeat: the state is the claim.

    Returns
    -------
    bool
        False if the interval is not due any more, is worked on elsewhere, or has to wait for
        earlier bookings.
    """
    interval = (
        DeliveryInterval.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("rule_set")
        .filter(id=interval_id)
        .first()
    )
    if interval is None or not (interval.state == State.METERED or _has_settled_news(interval)):
        return False
    rules = load_rules(interval.rule_set.document)
    in_force = terms.at(interval.starts_at)
    limits = _credit_limits(in_force, rules)
    if (limits < NO_CREDIT_LIMIT).any() and has_unsettled_clearing(
        community_id=interval.community_id
    ):
        return False
    deadline = interval.ends_at + timedelta(days=rules.correction_deadline_days)
    if interval.revision and now > deadline:
        cleared = _amend(interval, in_force)
        reason = Clearing.Reason.AFTER_DEADLINE
    else:
        cleared = clear_interval_book(
            terms=in_force,
            metered=get_metered(interval_id=interval.id),
            prices=rules.prices_at(interval.starts_at),
            over_limit=_over_limit(in_force, limits),
        )
        reason = _reason(interval, cleared.book)
    _store(interval, cleared, reason=reason, now=now)
    return True


def _has_settled_news(interval: DeliveryInterval) -> bool:
    return interval.has_news and interval.state == State.SETTLED


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


def _over_limit(terms: Terms, limits: np.ndarray) -> np.ndarray:
    limited = np.flatnonzero(limits < NO_CREDIT_LIMIT)
    over = np.zeros(len(limits), dtype=np.bool_)
    if len(limited):
        accounts = terms.account_ids[limited].tolist()
        balances = get_balances(account_ids=accounts)
        owed = np.array([-balances[account].posted for account in accounts], dtype=np.int64)
        over[limited] = owed > limits[limited]
    return over


def _amend(interval: DeliveryInterval, terms: Terms) -> Cleared:
    """Take late readings over against the grid: the pool's trades stand."""
    before = Clearing.objects.get(interval=interval, revision=interval.revision)
    book = IntervalBook.unpacked(bytes(before.book))
    metered = get_metered(interval_id=interval.id)
    accounts = dict(
        zip(terms.metering_point_ids.tolist(), terms.account_ids.tolist(), strict=True)
    )
    known = np.isin(metered.metering_point_ids, terms.metering_point_ids)
    ids = metered.metering_point_ids[known]
    amended = book.amended(
        LateReadings(
            metering_point_ids=ids,
            account_ids=np.array([accounts[each] for each in ids.tolist()], dtype=np.int64),
            import_wh=metered.import_wh[known],
            export_wh=metered.export_wh[known],
        )
    )
    seller_rows, buyer_rows, quantity_wh = _earlier_trades(interval, amended)
    return Cleared(
        book=amended,
        price_low=before.price_low_micro_per_kwh,
        price_high=before.price_high_micro_per_kwh,
        seller_rows=seller_rows,
        buyer_rows=buyer_rows,
        quantity_wh=quantity_wh,
    )


def _earlier_trades(
    interval: DeliveryInterval, book: IntervalBook
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the trades of the latest revision as rows of a book that amends it."""
    trades = np.array(
        Match.objects.filter(interval=interval, revision=interval.revision)
        .order_by("id")
        .values_list("offer_id", "request_id", "quantity"),
        dtype=np.int64,
    ).reshape(-1, 3)
    rows = []
    for column, ids in ((trades[:, 0], book.offer_ids), (trades[:, 1], book.request_ids)):
        order = np.argsort(ids, kind="stable")
        rows.append(order[np.searchsorted(ids, column, sorter=order)])
    return rows[0], rows[1], trades[:, 2]


def _store(
    interval: DeliveryInterval, cleared: Cleared, *, reason: Clearing.Reason, now: datetime
) -> None:
    book = cleared.book
    canonical = book.canonical_bytes()
    revision = interval.revision + 1
    Clearing.objects.create(
        interval=interval,
        revision=revision,
        rule_set_id=interval.rule_set_id,
        reason=reason,
        volume_wh=book.volume_wh,
        price_micro_per_kwh=book.price,
        price_low_micro_per_kwh=cleared.price_low,
        price_high_micro_per_kwh=cleared.price_high,
        retail_micro_per_kwh=book.retail,
        feed_in_micro_per_kwh=book.feed_in,
        platform_fee_micro_per_kwh=book.platform_fee,
        missing_count=len(book.missing_ids),
        left_out_count=len(book.left_out_ids),
        book=pack(canonical),
        book_sha256=sha256(canonical).hexdigest(),
        cleared_at=now,
    )
    if len(cleared.quantity_wh):
        _copy_matches(interval.id, revision, cleared)
    interval.state, interval.revision, interval.has_news = State.CLEARED, revision, False
    interval.save(update_fields=["state", "revision", "has_news"])


def _copy_matches(interval_id: int, revision: int, cleared: Cleared) -> None:
    book, count = cleared.book, len(cleared.quantity_wh)
    constant = np.ones(count, dtype=np.int64)
    rows = copy_rows(
        [
            ("int2", constant * Kind.ENERGY),
            ("int8", book.offer_ids[cleared.seller_rows]),
            ("int8", book.request_ids[cleared.buyer_rows]),
            ("int8", constant * interval_id),
            ("int2", constant * revision),
            ("int8", cleared.quantity_wh),
            ("int8", constant * (book.price or 0)),
            ("int2", constant * Match.State.DELIVERED),
        ],
        rows=count,
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY marketplace_match (kind, offer_id, request_id, interval_id, revision, quantity,"
            " price_micro, state) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER + rows + TRAILER)
