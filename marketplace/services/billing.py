"""Billing runs: preview a civil month's statements, compare, and make them final.

A statement is made of the transfers of settlements that are booked and that no final run has
billed. What was corrected after its month became final is therefore in the next run, as differences
of named intervals.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from django.db import transaction

from ledger.queries import list_pruned_keys, list_transfer_columns
from marketplace.domain.billing.amounts import PPM
from marketplace.domain.billing.month import month_bounds
from marketplace.domain.billing.positions import billing_positions, is_settled_at_tariffs
from marketplace.domain.billing.statements import (
    OF_THE_PERIOD,
    Int64Array,
    Items,
    Movements,
    Positions,
    Tariffs,
    items_of,
    totals_of,
)
from marketplace.domain.interval_book import IntervalBook
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import BillingRun, Clearing, Community
from marketplace.queries.billing import (
    DueSettlement,
    find_final,
    get_billed_revisions,
    list_billed_accounts,
    list_due_settlements,
)
from marketplace.queries.pages import place_of
from marketplace.services.billing_rows import StatementColumns, store_items, store_statements

# A city's interval has tens of thousands of transfers: this many are in memory at once.
INTERVALS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class _Made:
    """What the statements of a run are: lines, and totals as rows of `totals_of`."""

    items: Items
    totals: Int64Array


def preview_billing(
    *, community_id: int, month: date, tax_ppm: int, tax_is_included: bool, now: datetime
) -> int:
    """Make the statements of a civil month; they are a preview until the run is made final.

    Everything that it reads is history and does not change, so it takes no lock however long it
    lasts; what is booked meanwhile is left to the next preview.

    Returns
    -------
    int
        The run.

    Raises
    ------
    NotFound
        There is no such community.
    Invalid
        The month has not begun, is final, or the one before is not; the tax is out of bounds; the
        ledger keeps some of the transfers no longer.
    """
    community = Community.objects.filter(id=community_id).first()
    if community is None:
        raise NotFound(N_("There is no such community."))
    if not 0 <= tax_ppm <= PPM:
        raise Invalid("tax_ppm", N_("A tax is 0 to 1,000,000 millionths of the price."))
    start, end = month_bounds(month, place_of(community).zone)
    if now < start:
        raise Invalid("month", N_("This month has not begun."))
    if find_final(community_id=community_id, month=month):
        raise Invalid("month", N_("This month is final: corrections are in the next month's run."))
    due = list_due_settlements(community_id=community_id, before=end)
    billed = get_billed_revisions(
        interval_ids={each.interval_id for each in due if each.starts_at < start}
    )
    _refuse_gaps(due, billed, start)
    accounts = list_billed_accounts(community_id=community_id)
    made = _make(due, billed, start, np.array([a for a, _ in accounts], dtype=np.int64))
    run = BillingRun(
        community=community,
        month=month,
        starts_at=start,
        ends_at=end,
        tax_ppm=tax_ppm,
        tax_is_included=tax_is_included,
        settlement_count=len(due),
        settlements_sha256=settlements_hash(due),
        made_at=now,
    )
    with transaction.atomic():
        run.save()
        columns = StatementColumns(
            participants=np.array([p for _, p in accounts], dtype=np.int64),
            accounts=np.array([a for a, _ in accounts], dtype=np.int64),
            items=made.items,
            totals=made.totals,
        )
        store_statements(run, columns)
        store_items(run, columns)
    return run.id


def settlements_hash(due: Sequence[DueSettlement]) -> str:
    """Return what says which settlements a run bills: a preview with another one is out of date."""
    numbers = "\n".join(str(number) for number in sorted(each.id for each in due))
    return hashlib.sha256(numbers.encode()).hexdigest()


def _refuse_gaps(due: Sequence[DueSettlement], billed: Mapping[int, int], start: datetime) -> None:
    earlier = [each for each in due if each.starts_at < start and each.interval_id not in billed]
    if earlier:
        raise Invalid(
            "month",
            N_("{first} belongs to an earlier month that is not final: bill that one first."),
            first=f"{earlier[0].starts_at:%Y-%m-%d %H:%M} UTC",
        )
    pruned = list_pruned_keys(keys=[each.command_key for each in due if each.command_key])
    if pruned:
        raise Invalid(
            "month",
            N_("The ledger no longer keeps the transfers of {key}: its month cannot be billed."),
            key=pruned[0],
        )


def _make(
    due: Sequence[DueSettlement], billed: Mapping[int, int], start: datetime, accounts: Int64Array
) -> _Made:
    """Make items and totals, some intervals at a time."""
    by_interval: dict[int, list[DueSettlement]] = {}
    for each in due:
        by_interval.setdefault(each.interval_id, []).append(each)
    items = Items.joined([])
    totals: Int64Array = np.zeros((7, len(accounts)), dtype=np.int64)
    chunks = list(by_interval.values())
    for first in range(0, len(chunks), INTERVALS_AT_ONCE):
        chunk = chunks[first : first + INTERVALS_AT_ONCE]
        tariffs, positions = _positions(chunk, billed, start, accounts)
        made = items_of(tariffs, positions, _movements(chunk, accounts))
        items = Items.joined([items, made]).summed()
        totals += totals_of(tariffs, positions, len(accounts))
    return _Made(items, totals)


def _positions(
    chunk: Sequence[Sequence[DueSettlement]],
    billed: Mapping[int, int],
    start: datetime,
    accounts: Int64Array,
) -> tuple[Tariffs, Positions]:
    """Read the books of some intervals: the newest due, and what was billed of it before."""
    ids = [each[0].interval_id for each in chunk]
    index = {interval_id: at for at, interval_id in enumerate(ids)}
    weights = {(each[-1].interval_id, each[-1].revision): 1 for each in chunk}
    weights |= {(each, billed[each]): -1 for each in ids if each in billed}
    known = Clearing.objects.filter(interval__in=ids).values_list("id", "interval_id", "revision")
    wanted = [id_ for id_, interval_id, revision in known if (interval_id, revision) in weights]
    books = Clearing.objects.filter(id__in=wanted).values_list("interval_id", "revision", "book")
    parts: list[Positions] = []
    prices = np.zeros((2, len(ids)), dtype=np.int64)
    told_apart = np.zeros(len(ids), dtype=np.bool_)
    for interval_id, revision, packed in books.iterator(chunk_size=INTERVALS_AT_ONCE):
        book, at = IntervalBook.unpacked(bytes(packed)), index[interval_id]
        weight = weights[interval_id, revision]
        prices[:, at] = book.retail, book.feed_in
        told_apart[at] = is_settled_at_tariffs(book)
        parts.append(billing_positions(book, interval=at, weight=weight, accounts=accounts))
    sections = [
        OF_THE_PERIOD if each[0].starts_at >= start else each[0].interval_id for each in chunk
    ]
    tariffs = Tariffs(np.array(sections, dtype=np.int64), prices[0], prices[1], told_apart)
    return tariffs, Positions.joined(parts)


def _movements(chunk: Sequence[Sequence[DueSettlement]], accounts: Int64Array) -> Movements:
    """Read what the transfers of some intervals moved on members' accounts."""
    keys = [(at, each.command_key) for at, some in enumerate(chunk) for each in some]
    keys = [(at, key) for at, key in keys if key]
    commands, debit, credit, amounts, codes = list_transfer_columns(keys=[key for _, key in keys])
    intervals = np.array([at for at, _ in keys], dtype=np.int64)[commands]
    sides = []
    for account, signed in ((debit, -amounts), (credit, amounts)):
        members = np.searchsorted(accounts, account)
        own = accounts[np.minimum(members, len(accounts) - 1)] == account
        sides.append((intervals[own], members[own], codes[own], signed[own]))
    return Movements(*(np.concatenate(pair) for pair in zip(*sides, strict=True)))
