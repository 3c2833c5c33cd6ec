"""What a lying operator does to agreements, and to books and money of form 2."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from ledger.domain.commands import Command, Transfers, decode
from ledger.models import InboxCommand
from ledger.services import submit
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.models import Agreement, Community, RuleSet
from marketplace.queries.agreements import agreement_end_log_key, agreement_log_key
from marketplace.queries.documents import get_document
from marketplace.services.settlement import note_booked_settlements
from tests.log.forward_city import ForwardOperator, agree, end_one
from tests.log.lying_operator import transfer
from tests.market.street import at

GRID_FEE, NOT_TAKEN, CONGESTION_RENT, DEVIATION_DUE = 8, 15, 11, 12
BookChange = Callable[[IntervalBook], IntervalBook]


def in_lane(change: BookChange) -> Callable[[ForwardOperator], None]:
    """Change the book of a metered hour before it is sealed; its document follows."""

    def do(hall: ForwardOperator) -> None:
        hall.clear()
        hall.rewrite_book(change)
        hall.seal()

    return do


def in_book_ahead(change: BookChange) -> Callable[[ForwardOperator], None]:
    """Change the book of what was traded ahead."""

    def do(hall: ForwardOperator) -> None:
        hall.clear_ahead()
        hall.rewrite_book(change, interval=hall.forward.interval(hall.start))
        hall.seal()

    return do


def in_money_ahead(
    change: Callable[[ForwardOperator, Transfers], Transfers],
) -> Callable[[ForwardOperator], None]:
    """Change the money of what was traded ahead; transfers and state agree with it."""

    def do(hall: ForwardOperator) -> None:
        hall.clear_ahead()
        key = hall.settle_ahead()
        said = decode(bytes(InboxCommand.objects.get(key=key).body))
        moved = change(hall, said.transfers)
        command = Command.of(key, moved, document=said.document, rules=said.rules)
        hall.rewrite_command(command, was=key)
        hall.seal()

    return do


# Matches.


def part(**changes: Callable[[Any], Any]) -> BookChange:
    """Change what a book of form 2 has besides, name by name."""

    def change(book: IntervalBook) -> IntervalBook:
        assert book.market is not None
        new = {name: of(getattr(book.market, name)) for name, of in changes.items()}
        return replace(book, market=replace(book.market, **new))

    return change


def none(column: Int64Array) -> Int64Array:
    return column[:0]


sell_a_gift = part(match_prices=lambda prices: prices + 1_000)
move_more = part(match_wh=lambda wh: wh + 1)
leave_it_out = part(
    match_agreements=none,
    match_sellers=none,
    match_buyers=none,
    match_wh=none,
    match_prices=none,
    match_fees=none,
)
dearer_middle = part(prices=lambda prices: tuple(price + 1 for price in prices))
cheaper_west = part(prices=lambda prices: (prices[0] - 1, prices[1]))


def apply_ended(hall: ForwardOperator) -> None:
    """Let a contract go on that its seller ended before the hour."""
    hall.clear()
    bob, charlie = hall.street.point("bob").id, hall.street.point("charlie").id
    ended = Agreement.objects.get(seller_point=bob)

    def and_this(number: int) -> Callable[[Int64Array], Int64Array]:
        return lambda column: np.append(column, number)

    hall.rewrite_book(
        part(
            match_agreements=and_this(ended.pk),
            match_sellers=and_this(bob),
            match_buyers=and_this(charlie),
            match_wh=and_this(100),
            match_prices=and_this(250_000),
            match_fees=and_this(8_000),
        )
    )
    hall.seal()


def prefer_a_friend(book: IntervalBook) -> IntervalBook:
    """Say that Bob sold ahead what Alice did."""
    sold = book.sold_wh.copy()
    sold[0], sold[1] = sold[0] - 40, sold[1] + 40
    return replace(book, sold_wh=sold)


# Signatures.


def tell(hall: ForwardOperator, key: str, *lines: bytes) -> None:
    hall.client.forged[f"openings/documents/{key}"] = b"\n".join((*lines, b""))
    hall.seal()


def sign_for_the_other(hall: ForwardOperator) -> None:
    """Log a gift that only its receiver signed."""
    points = hall.forward.points
    now = hall.start - timedelta(hours=2)
    key = agreement_log_key(agree(points["bob"], points["dora"], now=now, start=hall.start).pk)
    told = get_document(key=key)
    assert told is not None
    text, _, buyers = told.split()
    tell(hall, key, text, buyers, buyers)


def end_for_them(hall: ForwardOperator) -> None:
    """Log the end of a gift that neither side signed."""
    gift = Agreement.objects.get(seller_point=hall.street.point("alice").id)
    end_one(gift, now=at(1))
    key = agreement_end_log_key(gift.pk)
    told = get_document(key=key)
    assert told is not None
    tell(hall, key, told.split()[0], b64encode(bytes(64)))


# Rules.


def other_rules(community: Community) -> RuleSet:
    """Return the rules that will be in force one day."""
    return RuleSet.objects.get(community=community, version=2)


def clear_by_tomorrow(hall: ForwardOperator) -> None:
    """Clear an hour under rules that are not in force yet; all that follows follows from them."""
    hall.street.send({"alice": (0, 900), "charlie": (700, 0)}, hour=1, now=at(1))
    hall.own(
        "UPDATE marketplace_deliveryinterval SET rule_set_id = %s WHERE id = %s",
        other_rules(hall.street.community).id,
        hall.street.interval(1).id,
    )
    hall.clear()
    hall.settle()
    hall.seal()


def correct_by_tomorrow(hall: ForwardOperator) -> None:
    """Correct an hour under other rules than it was cleared by."""
    hall.clear()
    hall.settle()
    hall.seal()
    note_booked_settlements()
    hall.own(
        "UPDATE marketplace_deliveryinterval SET rule_set_id = %s WHERE id = %s",
        other_rules(hall.street.community).id,
        hall.street.interval(1).id,
    )
    hall.clear(flows={"alice": (0, 10)}, now=at(3))
    hall.seal()


def book_under_other_rules(hall: ForwardOperator) -> None:
    """Clear what was traded ahead under other rules than its auction was held by."""
    key = hall.clear_ahead()
    hall.rewrite_document(key, rules=other_rules(hall.forward.community).sha256)
    hall.seal()


# Money.


def without_grid_fees(hall: ForwardOperator, said: Transfers) -> Transfers:
    kept = said.code != GRID_FEE
    return Transfers(said.debit[kept], said.credit[kept], said.amount[kept], said.code[kept])


def pay_a_friend(hall: ForwardOperator, said: Transfers) -> Transfers:
    """Let Bob have what Dora is due for what she did not take."""
    bob = hall.forward.participant("bob").energy_account_id
    assert bob is not None and (said.code == NOT_TAKEN).sum() == 1
    return replace(said, credit=np.where(said.code == NOT_TAKEN, bob, said.credit))


def keep_the_rent(hall: ForwardOperator, said: Transfers) -> Transfers:
    """Let the platform have what a full link brings the grid operator."""
    community = hall.forward.community
    assert (said.code == CONGESTION_RENT).sum() == 1
    platform = community.platform_account_id
    return replace(said, credit=np.where(said.code == CONGESTION_RENT, platform, said.credit))


def deviations_elsewhere(hall: ForwardOperator) -> None:
    """Book a deviation for which there is no book."""
    guest, till = hall.pair()
    moved = transfer("deviation", guest, till, 7, code=DEVIATION_DUE)
    submit(commands=[moved], submitted_at=hall.now)
    hall.seal()
