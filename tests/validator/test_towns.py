"""Random towns, cleared by the hall and recomputed by the validator: two programs, one page."""

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.domain.book_rows import Reason, book_rows
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market import clear_market
from marketplace.domain.readings.late import late_readings
from marketplace.domain.settlement import entries_of, transfers_between
from tests.market.form_2 import ACCOUNTS, FIRST_ACCOUNT, START, Town, readings, towns
from tests.market.interval_example import body_of
from tests.validator.agreeing_members import Members
from tests.validator.interval_story import Auction, Revision, Story, objection_to
from tests.validator.ledger_twin import canonical

METERS_MAX = 6
MICROSECONDS = 1_000_000


@settings(max_examples=40)
@given(towns(), st.data())
def test_what_the_hall_clears_amends_and_settles_is_recomputed(
    town: Town, data: st.DataObject
) -> None:
    first = cleared(town)
    second = cleared(replace(town, metered=data.draw(readings(town.terms))))
    late = late_readings(
        terms=town.terms,
        metered=data.draw(readings(town.terms)),
        rules=town.rules,
        auction=town.auction,
    )
    third = second.amended(late)
    story = Story(
        rules=canonical(town.document),
        signed=signed(town),
        auctions=[Auction(parsed(town.auction_rows))] if town.auction is not None else [],
        revisions=[
            revision(town, 1, "deadline" if len(first.missing_ids) else "readings", first, None),
            revision(town, 2, "correction", second, first),
            revision(town, 3, "after_deadline", third, second),
        ],
        begins=int(START.timestamp() - 86_400) * MICROSECONDS,
        accounts=[*range(1, 31), *range(FIRST_ACCOUNT, FIRST_ACCOUNT + METERS_MAX + 1)],
    )

    # Limits and holds stand in no text that a random town has: as if they were signed long ago.
    assert objection_to(story, from_the_start=False) is None


def cleared(town: Town) -> IntervalBook:
    return clear_market(
        rules=town.rules,
        terms=town.terms,
        metered=town.metered,
        over_limit=town.over_limit,
        agreements=town.agreements,
        auction=town.auction,
    ).book


def revision(
    town: Town, number: int, reason: Reason, book: IntervalBook, before: IntervalBook | None
) -> Revision:
    text = canonical(town.document)
    transfers = transfers_between(
        entries_of(before, ACCOUNTS) if before else None, entries_of(book, ACCOUNTS)
    )
    digest = sha256(text.encode()).hexdigest()
    body = json.loads(body_of(transfers, f"book:7:{number}", digest)) if transfers else None
    rows = parsed(book_rows(town.header(number, reason), book))
    return Revision(rows, body, number=number, rules=text)


def parsed(rows: list[bytes]) -> list[Any]:
    return [json.loads(row) for row in rows]


def signed(town: Town) -> Any:
    """Have every agreement of a town signed by both of its members."""
    members, agreed = Members(METERS_MAX), town.agreements
    starts = int(START.timestamp()) * MICROSECONDS
    for at, number in enumerate(agreed.ids.tolist()):
        members.agree(
            number,
            "partner" if agreed.is_partner[at] else "contract",
            int(agreed.seller_ids[at]),
            int(agreed.buyer_ids[at]),
            None,
            price_micro_per_kwh=str(agreed.prices[at]) if agreed.has_price[at] else None,
            maximum_wh=str(agreed.maximum_wh[at]) if agreed.has_maximum[at] else None,
            rank=str(agreed.ranks[at]) if agreed.is_partner[at] else None,
            valid_from=str(starts),
        )
    return members.documents
