"""Intervals of form 2 recomputed: every pricing and rule for deviations, worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.validator.agreeing_members import HOUR, Members
from tests.validator.interval_story import Story, objection_to
from tests.validator.ledger_twin import Leg
from tests.validator.market_story import (
    DUAL,
    FORWARD,
    GRID,
    ORDERS,
    PLATFORM,
    POOL,
    SUPPLIER,
    Paid,
    agreed_story,
    auction,
    book,
    coupled_story,
    forward_position,
    forward_story,
    held,
    market_rules,
    order,
    pool_story,
    position,
)
from tests.validator.signing_member import MINUTE, STARTS

# 700 or 800 of its 1,000 Wh go to metering point 1, at low voltage; the rest comes from the grid.
AS_BID: list[Paid] = [
    (11, POOL, 700 * 220 + 700 * 10, 1),
    (12, POOL, 500 * 260 + 500 * 10, 1),
    (POOL, 13, 500 * 260 + 300 * 220, 2),
    (POOL, 14, 400 * 220, 2),
    (11, SUPPLIER, 300 * 300, 3),
    (11, GRID, 700 * 40, 8),
    (POOL, PLATFORM, 1200 * 10, 5),
]


def at_one_price(price: int, first: int, second: int) -> list[Paid]:
    """Return the money when 3 sells 800 and 4 sells 400 Wh."""
    paid = [
        (11, POOL, first * price + first * 10, 1),
        (12, POOL, second * price + second * 10, 1),
        (POOL, 13, 800 * price, 2),
        (POOL, 14, 400 * price, 2),
        (11, SUPPLIER, (1000 - first) * 300, 3),
        (12, SUPPLIER, (500 - second) * 300, 3),
        (11, GRID, first * 40, 8),
        (POOL, PLATFORM, 1200 * 10, 5),
    ]
    return [one for one in paid if one[2]]


# F = 100, K = 250: 100 x 250 x 1,500 / (150 x 1,200 + 100 x 1,500) is 113.636, rounded down.
RATIO: list[Paid] = [
    (11, POOL, 90_909 + 8_000, 1),
    (12, POOL, 45_454 + 4_000, 1),
    (POOL, 13, 90_909, 2),
    (POOL, 14, 45_454, 2),
    (11, SUPPLIER, 200 * 300, 3),
    (12, SUPPLIER, 100 * 300, 3),
    (11, GRID, 800 * 40, 8),
    (POOL, PLATFORM, 1200 * 10, 5),
]


def ratio_story() -> Story:
    story = pool_story("supply_demand_ratio", (250, 290, 100, 100), (800, 400), RATIO, price=None)
    story.revisions[0].header["prices"] = {"A": "113636"}
    return story


def drawn(pricing: str, fills: tuple[int, int], money: list[Paid], **more: Any) -> Story:
    """Return a story in which everybody has the default limits of its pricing."""
    return pool_story(pricing, (250, 290, 100, 100), fills, money, **more)


SHARED = at_one_price(200, 700, 500)
POOLS: dict[str, Callable[[], Story]] = {
    "agreements before a uniform pool": agreed_story,
    "pay as bid": lambda: pool_story(
        "pay_as_bid", (220, 260, 120, 170), (700, 500), AS_BID, price=None
    ),
    "mid-market": lambda: drawn("mid_market", (800, 400), at_one_price(175, 800, 400), price=175),
    "ratio": ratio_story,
    "three zones": coupled_story,
    # A quarter of 1,200 Wh for 1, three quarters for 2 who needs but 500: what is left goes to 1.
    "static shares": lambda: drawn(
        "sharing_static",
        (700, 500),
        SHARED,
        price=200,
        weights=(1, 3),
        sharing_price_micro_per_kwh=200_000,
    ),
    "dynamic shares": lambda: drawn(
        "sharing_dynamic",
        (800, 400),
        at_one_price(200, 800, 400),
        price=200,
        sharing_price_micro_per_kwh=200_000,
    ),
}
# All are as far above as below what they traded: D is 0, and X in the middle, 200.
SINGLE = [
    (a, b, {3: 20_000, 4: 20_000, 14: 10_000, 15: 10_000}.get(c, m), c) for a, b, m, c in DUAL
]
# The 50 Wh that 3 lacks are of its second trade, with 2, who takes 150 of 200 Wh of its last one.
FIFO: list[Paid] = [
    (11, POOL, 400 * 160, 1),
    (12, POOL, 200 * 160, 1),
    (POOL, 13, 450 * 150, 2),
    (POOL, 14, 150 * 150, 2),
    (11, SUPPLIER, 100 * 300, 3),
    (12, SUPPLIER, 50 * 300, 3),
    (SUPPLIER, 14, 150 * 100, 4),
    (11, GRID, 400 * 40, 8),
    (12, POOL, 50 * 50, 12),
    (13, POOL, 50 * 140, 12),
    (POOL, 12, 50 * 140, 13),
    (POOL, 14, 50 * 50, 13),
    (POOL, PLATFORM, 600 * 10, 5),
]
# 3 lays 360 and 90 over its trades of 400 and 100, 2 lays 83 and 167 over its of 100 and 200.
PRO_RATA: list[Paid] = [
    (11, POOL, 360 * 160, 1),
    (12, POOL, 250 * 160, 1),
    (POOL, 13, 443 * 150, 2),
    (POOL, 14, 167 * 150, 2),
    (11, SUPPLIER, 140 * 300, 3),
    (SUPPLIER, 13, 7 * 100, 4),
    (SUPPLIER, 14, 133 * 100, 4),
    (11, GRID, 360 * 40, 8),
    (12, POOL, 7 * 50 + 33 * 50, 12),
    (13, POOL, 40 * 140, 12),
    (POOL, 11, 40 * 140, 13),
    (POOL, 13, 7 * 50, 13),
    (POOL, 14, 33 * 50, 13),
    (POOL, PLATFORM, 610 * 10, 5),
]
# 2 has traded and not been read: it pays, and meets the grid when its reading comes.
ABSENT = [one for one in DUAL if one[3] != 15]
LEFT_ASIDE: list[Paid] = [
    (11, POOL, 400 * 160, 1),
    (POOL, 13, 400 * 150, 2),
    (11, SUPPLIER, 100 * 300, 3),
    (SUPPLIER, 13, 50 * 100, 4),
    (SUPPLIER, 14, 300 * 100, 4),
    (11, GRID, 400 * 40, 8),
    (POOL, PLATFORM, 400 * 10, 5),
]
BID_BY_BID = [(a, b, {1: m // 160 * 230, 2: m // 150 * 220}.get(c, m), c) for a, b, m, c in DUAL]
FORWARDS: dict[str, Callable[[], Story]] = {
    "dual price": lambda: forward_story(DUAL),
    "single price": lambda: forward_story(SINGLE, deviation="single_price"),
    "own, first in first out": lambda: forward_story(FIFO, deviation="own"),
    "own, pro rata": lambda: forward_story(PRO_RATA, deviation="own", delivery="pro_rata"),
    "dual price, a reading missing": lambda: forward_story(ABSENT, without=2),
    "own, a reading missing": lambda: forward_story(LEFT_ASIDE, without=2, deviation="own"),
    "pay as bid": lambda: forward_story(BID_BY_BID, price=None, pricing="pay_as_bid"),
}


@pytest.mark.parametrize("tell", [*POOLS.values(), *FORWARDS.values()], ids=[*POOLS, *FORWARDS])
@pytest.mark.parametrize("blocks_apart", [True, False])
def test_an_honest_interval_is_recomputed(tell: Callable[[], Story], blocks_apart: bool) -> None:
    story = tell()
    story.blocks_apart = blocks_apart

    assert objection_to(story) is None


def corrected_story(**rules: Any) -> Story:
    """Return a story in which 2's reading comes late, is corrected, then changed after all."""
    story = forward_story(ABSENT, without=2, **rules)
    text = story.rules
    known = [forward_position(meter) for meter in (1, 3, 4)]
    late = forward_position(2, import_wh=280)
    # 280 of the 300 Wh that it bought: the other 20 were not taken, at 100.
    story.revisions.append(
        book(text, [known[0], late, *known[1:]], [(SUPPLIER, 12, 2_000, 15)], price=150, number=2)
    )
    # After the deadline it is 310, and 3 delivered 440: each meets the grid at its tariff.
    amended = [known[0], forward_position(2, import_wh=310), *known[1:]]
    amended[2] = forward_position(3, export_wh=440)
    money: list[Paid] = [(12, SUPPLIER, 9_000, 3), (13, SUPPLIER, 1_000, 4)]
    story.revisions.append(book(text, amended, money, price=150, number=3, reason="after_deadline"))
    again = [*amended[:2], forward_position(3, export_wh=450), amended[3]]
    story.revisions.append(
        book(text, again, [(SUPPLIER, 13, 1_000, 4)], price=150, number=4, reason="after_deadline")
    )
    return story


@pytest.mark.parametrize("blocks_apart", [True, False])
def test_revisions_post_what_is_different(blocks_apart: bool) -> None:
    story = corrected_story()
    story.blocks_apart = blocks_apart

    assert objection_to(story) is None


def late_story(**rules: Any) -> Story:
    """Return a story in which 2's reading comes after the deadline: 280 of the 300 Wh it bought."""
    own = rules.get("deviation") == "own"
    story = forward_story(LEFT_ASIDE if own else ABSENT, without=2, **rules)
    positions = [forward_position(meter) for meter in (1, 3, 4)]
    positions.append(forward_position(2, import_wh=280))
    money: Paid = (12, SUPPLIER, 280 * 300, 3) if own else (SUPPLIER, 12, 20 * 300, 3)
    story.revisions.append(
        book(story.rules, positions, [money], price=150, number=2, reason="after_deadline")
    )
    return story


@pytest.mark.parametrize("deviation", ["dual_price", "single_price", "own"])
def test_a_reading_after_the_deadline_meets_the_grid(deviation: str) -> None:
    story = late_story(deviation=deviation)
    if deviation == "single_price":
        # D of the others is -100 - 50 + 100, below 0: they meet the retail price.
        changed = {3: 30_000, 4: 30_000, 14: 15_000}
        money = [(a, b, changed.get(c, m), c) for a, b, m, c in ABSENT]
        positions = [forward_position(meter) for meter in (1, 3, 4)]
        story.revisions[0] = book(story.rules, positions, money, price=150, missing=["2"])

    assert objection_to(story) is None


def test_an_agreement_ends_by_either_side() -> None:
    for by in (103, 101):
        story = agreed_story()
        # In one block with all else, and in a block of its own.
        story.blocks_apart = by == 101
        members = Members()
        text = members.agree(7, "contract", 3, 1, 160)
        members.end(7, text, by)
        story.signed += members.documents[-2:]
        assert objection_to(story) is None

        # An end that is yet to come leaves it in force: its 500 Wh are missing in the book.
        members.documents.clear()
        members.end(7, text, by, issued=str(STARTS + 1))
        story.signed[-1] = members.documents[0]
        assert objection_to(story) == ("book:7:1", "matches")


def test_a_halted_auction_trades_nothing() -> None:
    story = forward_story(
        [
            (11, SUPPLIER, 150_000, 3),
            (12, SUPPLIER, 75_000, 3),
            (SUPPLIER, 13, 45_000, 4),
            (SUPPLIER, 14, 30_000, 4),
        ],
        price=None,
    )
    idle = [one | {"filled": "0", "dropped": "0"} for one in ORDERS]
    story.auctions = [auction(idle, price=None, reason="halted")]
    for row in story.revisions[0].rows[2:]:
        row.update(sold_wh="0", bought_wh="0")
    assert objection_to(story) is None

    story.auctions[0].rows[1]["filled"] = "1"
    assert objection_to(story) == ("auction:7", "auction")


def test_orders_before_delivery_are_coupled_too() -> None:
    """A bid of B that wants all of its 60 Wh is dropped: the others get what the link carries."""
    orders = [
        order(31, 3, "sell", 500, 120, filled=60),
        order(32, 1, "buy", 400, 220, minimum=400, dropped=1, zone="B"),
        order(33, 2, "buy", 300, 220, filled=60, zone="B"),
    ]
    link = {"fee_micro_per_kwh": 5_000, "from": "A", "limit_wh": 60, "loss_ppm": 0, "to": "B"}
    flow = [{"received": "60", "sent": "60"}]
    prices = {"A": "120000", "B": "220000"}
    text = market_rules(**FORWARD | {"zones": ["A", "B"], "links": [link]})
    positions = [
        position(2, import_wh=60, bought_wh=60, zone="B"),
        position(3, export_wh=60, sold_wh=60),
    ]
    money = [
        (12, POOL, 60 * 230, 1),
        (POOL, 13, 60 * 120, 2),
        (POOL, PLATFORM, 60 * 10, 5),
        (POOL, GRID, 60 * 5, 9),
        (POOL, GRID, 60 * 95, 11),
    ]
    story = Story(
        rules=text,
        holds={f"hold:{number}": [held(3, 10**6)] for number in (31, 32, 33)},
        auctions=[auction(orders, price=None, prices=prices, links=flow)],
        revisions=[book(text, positions, money, prices=prices, links=flow)],
    )
    assert objection_to(story) is None

    # Whoever is filled has their minimum.
    orders[2]["minimum"] = "61"
    assert objection_to(story) == ("auction:7", "auction")


def test_what_was_before_a_snapshot_is_not_known() -> None:
    unknown = agreed_story()
    unknown.signed = [one for one in unknown.signed if one.key != "agreement:8"]
    assert objection_to(unknown) == ("book:7:1", "matches")
    assert objection_to(unknown, from_the_start=False) is None
    # Those that are known must still be right.
    unknown.revisions[0].rows[-4]["wh"] = "299"
    assert objection_to(unknown, from_the_start=False) == ("book:7:1", "matches")

    holds = forward_story(DUAL)
    del holds.holds["hold:33"]
    assert objection_to(holds) == ("auction:7", "hold")
    assert objection_to(holds, from_the_start=False) is None


def test_a_hold_serves_one_auction_alone() -> None:
    story = forward_story(DUAL)
    later = [one | {"order": str(int(one["order"]) + 100)} for one in ORDERS]
    story.auctions.append(
        auction(
            later,
            price=150,
            interval="8",
            starts=str(STARTS + HOUR),
            ends=str(STARTS + 2 * HOUR),
            closes=str(STARTS + HOUR - 60 * MINUTE),
        )
    )
    assert objection_to(story) == ("auction:8", "hold")

    for key, legs in list(story.holds.items()):
        story.holds[key] = [Leg(*one.__dict__.values()) for one in (*legs, *legs)]
    assert objection_to(story) is None


def test_weights_are_of_static_shares_alone() -> None:
    story = POOLS["mid-market"]()
    story.revisions[0].rows[2] = position(1, import_wh=1000, buy_limit=250, bought_wh=800, weight=1)

    assert objection_to(story) == ("book:7:1", "rows")
