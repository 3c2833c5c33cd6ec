"""Every lie about auctions before delivery and books of form 2."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.validator.interval_story import Story, objection_to
from tests.validator.ledger_twin import Leg
from tests.validator.market_story import (
    DUAL,
    FORWARD,
    agreed_story,
    coupled_story,
    forward_story,
    held,
    market_rules,
    pool_story,
)
from tests.validator.signing_member import STARTS
from tests.validator.test_market import AS_BID, corrected_story

Change = Callable[[Story], None]


class Lie(NamedTuple):
    name: str
    change: Change
    leaf: str
    code: str
    tell: Callable[[], Story] = agreed_story


def told_forward() -> Story:
    return forward_story(DUAL)


def told_bids() -> Story:
    return pool_story("pay_as_bid", (220, 260, 120, 170), (700, 500), AS_BID, price=None)


def in_match(at: int, **values: str) -> Change:
    return lambda story: story.revisions[0].rows[6 + at].update(values)


def in_row(meter: str, revision: int = 0, **values: Any) -> Change:
    return lambda story: story.revisions[revision].position(meter).update(values)


def in_header(revision: int = 0, **values: Any) -> Change:
    return lambda story: story.revisions[revision].header.update(values)


def in_order(at: int, **values: str) -> Change:
    return lambda story: story.auctions[0].rows[1 + at].update(values)


def in_auction(**values: Any) -> Change:
    return lambda story: story.auctions[0].rows[0].update(values)


def in_money(at: int, amount: str, revision: int = 0) -> Change:
    def change(story: Story) -> None:
        story.revisions[revision].body["transfers"]["amount"][at] = amount

    return change


def both(*changes: Change) -> Change:
    def change(story: Story) -> None:
        for one in changes:
            one(story)

    return change


def flows(*sent: tuple[int, int]) -> list[dict[str, str]]:
    """Return what was sent over the first two links, and received."""
    return [{"received": str(got), "sent": str(one)} for one, got in (*sent, (0, 0))]


def drop_match(story: Story) -> None:
    del story.revisions[0].rows[7]
    story.revisions[0].header["matches"] = "3"


def exchange_matches(story: Story) -> None:
    rows = story.revisions[0].rows
    rows[8], rows[9] = rows[9], rows[8]


def without_hold(story: Story) -> None:
    del story.holds["hold:33"]


def smaller_hold(story: Story) -> None:
    story.holds["hold:34"] = [held(2, 300 * 270 - 1)]


def hold_of_another_code(story: Story) -> None:
    story.holds["hold:34"] = [Leg(12, 20, 300 * 270, code=21, kind="hold")]


def paid_instead_of_held(story: Story) -> None:
    story.holds["hold:34"] = [held(2, 1), Leg(12, 20, 300 * 270 - 1, code=22)]


def with_rules(**changes: Any) -> Change:
    """Tell everything under other rules."""

    def change(story: Story) -> None:
        story.rules = market_rules(**FORWARD | changes)
        for one in story.revisions:
            one.rules = story.rules

    return change


def late_hold(story: Story) -> None:
    """Orders close so early that every hold is booked afterwards."""
    minutes = 24_573
    with_rules(gate_closure_minutes=minutes)(story)
    in_auction(closes=str(STARTS - minutes * 60_000_000))(story)


def without_auction(story: Story) -> None:
    story.auctions.clear()


def auction_afterwards(story: Story) -> None:
    first = copy.deepcopy(story.auctions[0])
    first.interval, first.key = 8, None
    first.rows[0]["interval"] = "8"
    for row in first.rows[1:]:
        row["order"] = row["order"] + "00"
    story.auctions.append(first)


def order_at_the_margin(story: Story) -> None:
    """Fill the later of two bids at one limit first."""
    in_order(1, filled="300")(story)
    in_order(3, filled="300")(story)
    in_order(0, filled="400")(story)


LIES = [
    Lie(
        "send more than a link carries",
        in_header(links=flows((51, 51), (1, 1))),
        "book:7:1",
        "auction",
        coupled_story,
    ),
    Lie(
        "sell what a link lost",
        in_header(links=flows((49, 50), (0, 0))),
        "book:7:1",
        "auction",
        coupled_story,
    ),
    Lie(
        "a price without a reason",
        in_header(prices={"A": "100000", "B": "102000", "C": None}),
        "book:7:1",
        "auction",
        coupled_story,
    ),
    Lie("keep the congestion rent", in_money(9, "3899"), "settle:7:1", "settlement", coupled_story),
    Lie(
        "a gift to somebody who was left out",
        lambda story: story.revisions[0].rows[1].update(left_out=["2"]),
        "book:7:1",
        "matches",
    ),
    Lie("leave an agreement out", drop_match, "book:7:1", "matches"),
    Lie("agreements in another order", exchange_matches, "book:7:1", "matches"),
    Lie("move less than agreed", in_match(0, wh="299"), "book:7:1", "matches"),
    Lie("at another price", in_match(2, price="175001"), "book:7:1", "matches"),
    Lie("an agreement that was not signed", in_match(0, agreement="4"), "book:7:1", "matches"),
    Lie("more matches than told", in_header(matches="5"), "book:7:1", "rows"),
    Lie("a weight where nothing is shared", in_row("1", weight="1"), "book:7:1", "rows"),
    Lie("a header of form 1", in_header(form="1"), "book:7:1", "rows"),
    Lie("a zone that there is not", in_row("1", zone="B"), "book:7:1", "prices"),
    Lie(
        "a price of another zone",
        in_header(prices={"A": "220000", "B": None}),
        "book:7:1",
        "prices",
    ),
    Lie(
        "a flow without a link",
        in_header(links=[{"received": "1", "sent": "1"}]),
        "book:7:1",
        "prices",
    ),
    Lie("another tariff", in_header(retail="300001"), "book:7:1", "prices"),
    Lie("name an auction when metered", in_header(auction="auction:7"), "book:7:1", "book"),
    Lie(
        "an order for what was agreed away",
        in_row("2", request="22", buy_limit="200000"),
        "book:7:1",
        "order",
    ),
    Lie("another price", in_header(prices={"A": "219999"}), "book:7:1", "auction"),
    Lie("a fill more", in_row("1", bought_wh="451"), "book:7:1", "auction"),
    Lie("a limit that no draw gives", in_row("1", buy_limit="250001"), "book:7:1", "auction"),
    Lie(
        "a limit below the middle",
        both(in_row("1", buy_limit="174999"), in_header(prices={"A": "174999"})),
        "book:7:1",
        "limit",
    ),
    Lie("another grid fee", in_money(7, "31999"), "settle:7:1", "settlement"),
    Lie("pay another price than agreed", in_money(4, "45001"), "settle:7:1", "settlement"),
    Lie(
        "a price where all bid", in_header(prices={"A": "220000"}), "book:7:1", "auction", told_bids
    ),
    Lie("pay less than bid", in_money(0, "160999"), "settle:7:1", "settlement", told_bids),
    Lie("an order without a hold", without_hold, "auction:7", "hold", told_forward),
    Lie("an order with too small a hold", smaller_hold, "auction:7", "hold", told_forward),
    Lie(
        "an order with another's hold",
        in_order(3, hold="hold:32"),
        "auction:7",
        "hold",
        told_forward,
    ),
    Lie("a hold of another code", hold_of_another_code, "auction:7", "hold", told_forward),
    Lie("a payment for a hold", paid_instead_of_held, "auction:7", "hold", told_forward),
    Lie("holds after the gate closed", late_hold, "auction:7", "hold", told_forward),
    Lie(
        "close at another time", in_auction(closes=str(STARTS)), "auction:7", "prices", told_forward
    ),
    Lie(
        "an auction of another length",
        in_auction(ends=str(STARTS + 1)),
        "auction:7",
        "prices",
        told_forward,
    ),
    Lie(
        "a limit out of bounds", in_order(0, limit="1000000001"), "auction:7", "rows", told_forward
    ),
    Lie("more orders than told", in_auction(orders="7"), "auction:7", "rows", told_forward),
    Lie("fill more than is ordered", in_order(0, filled="501"), "auction:7", "rows", told_forward),
    Lie("one order twice", in_order(1, order="31"), "auction:7", "book", told_forward),
    Lie("one meter on two accounts", in_order(4, account="12"), "auction:7", "book", told_forward),
    Lie("another interval's header", in_auction(interval="8"), "auction:7", "book", told_forward),
    Lie("two auctions at once", auction_afterwards, "auction:8", "book", told_forward),
    Lie(
        "another price at closure",
        in_auction(prices={"A": "150001"}),
        "auction:7",
        "auction",
        told_forward,
    ),
    Lie(
        "keep the minimum from nobody",
        in_order(4, dropped="0"),
        "auction:7",
        "auction",
        told_forward,
    ),
    Lie("drop an order", in_order(5, dropped="1"), "auction:7", "auction", told_forward),
    Lie("fill the later first", order_at_the_margin, "auction:7", "auction", told_forward),
    Lie("no auction before delivery", without_auction, "book:7:1", "book", told_forward),
    Lie("name no auction", in_header(auction=None), "book:7:1", "book", told_forward),
    Lie(
        "another price than the auction's",
        in_header(prices={"A": "149999"}),
        "book:7:1",
        "auction",
        told_forward,
    ),
    Lie(
        "other fills than the auction's",
        in_row("3", sold_wh="499"),
        "book:7:1",
        "auction",
        told_forward,
    ),
    Lie(
        "an order after closure",
        in_row("4", offer="44", sell_limit="150000"),
        "book:7:1",
        "order",
        told_forward,
    ),
    Lie("forgive a shortfall", in_money(7, "14999"), "settle:7:1", "settlement", told_forward),
    Lie(
        "under other rules",
        with_rules(deviation="single_price"),
        "settle:7:1",
        "settlement",
        told_forward,
    ),
    Lie(
        "change a zone after the deadline",
        in_row("3", 2, level="HV"),
        "book:7:3",
        "revision",
        corrected_story,
    ),
    Lie(
        "change a price after the deadline",
        in_header(2, prices={"A": "1"}),
        "book:7:3",
        "revision",
        corrected_story,
    ),
    Lie(
        "amend at another price",
        in_money(0, "1001", 3),
        "settle:7:4",
        "settlement",
        corrected_story,
    ),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_about_the_market_is_caught_by_its_check(lie: Lie) -> None:
    story = lie.tell()
    lie.change(story)

    assert objection_to(story) == (lie.leaf, lie.code)


@pytest.mark.parametrize("code", [7, 8, 9, 11, 12, 13, 14, 15])
def test_the_market_s_codes_are_of_settlements_alone(code: int) -> None:
    assert objection_to(Story(extra=[Leg(11, 12, 3, code=code)])) == (f"extra {code}", "code")
