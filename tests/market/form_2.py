"""Small rule sets, books and auctions of form 2, drawn at random, for tests of pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Metered, Places, Terms
from marketplace.domain.book_rows import BookHeader, Reason, book_rows
from marketplace.domain.forward.auction import AuctionOrders, hold_auction
from marketplace.domain.forward.auction_book import AuctionHeader, auction_rows, read_auction
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.rules import Rules, load_rules, preset
from marketplace.domain.settlement import CommunityAccounts
from marketplace.domain.standing import spread_keys
from marketplace.domain.zones.network import Network
from tests.market.market_by_the_page import Page, Row, parsed

START = datetime(2026, 1, 16, 9, 0, tzinfo=UTC)
ACCOUNTS = CommunityAccounts(pool=1, supplier=2, platform=3, rounding=4, grid=5)
FIRST_ACCOUNT = 100
LEVELS = ("", "0.4 kV", "10 kV")
WHOLE_DAY = {"name": "flat", "days": "all", "from": "00:00", "to": "24:00"}
METERED = (
    "uniform",
    "pay_as_bid",
    "mid_market",
    "supply_demand_ratio",
    "sharing_static",
    "sharing_dynamic",
)
FORWARD = {"gate_closure_minutes": 60, "horizon_days": 7, "margin_micro_per_kwh": 50_000}
TABLE: dict[str, Any] = {
    "formula": "table",
    "lines": [
        {
            "days": "all",
            "from": "00:00",
            "to": "24:00",
            "months": [1, 2],
            "level": level,
            "from_zone": origin,
            "to_zone": target,
            "price_micro_per_kwh": price,
        }
        for level, origin, target, price in (
            ("10 kV", "*", "*", 125),
            ("*", "west", "east", 333),
            ("*", "*", "*", 250),
        )
    ],
}
PILOT: dict[str, Any] = {
    "formula": "cn-1901",
    "levels": [
        {"level": "0.4 kV", "price_micro_per_kwh": 450},
        {"level": "10 kV", "price_micro_per_kwh": 251},
    ],
    "spans": [{"from_zone": "west", "to_zone": "west", "level": "10 kV"}],
}
LINKS = [
    {"from": "west", "to": "east", "limit_wh": 7, "loss_ppm": 0, "fee_micro_per_kwh": 100},
    {"from": "east", "to": "west", "limit_wh": 5, "loss_ppm": 100_000, "fee_micro_per_kwh": 0},
]


@cache
def rule_set(changes: tuple[tuple[str, str], ...]) -> tuple[dict[str, Any], Rules]:
    """Return a rule set that differs from a plain metered one in some keys, and its document."""
    wanted = dict(changes)
    feed_in = int(wanted.pop("feed_in", "500"))
    fees = {"table": TABLE, "cn-1901": PILOT}[wanted.pop("fees", "table")]
    share = wanted.pop("share", None)
    zones = wanted.pop("zones", "west").split(",")
    base = preset("eu-energy-sharing")
    document = {
        **base,
        "retail_tariff": [{**WHOLE_DAY, "price_micro_per_kwh": 3500}],
        "feed_in_tariff": [{**WHOLE_DAY, "price_micro_per_kwh": feed_in}],
        "platform_fee_micro_per_kwh": 249,
        "zones": zones,
        "links": LINKS if len(zones) > 1 else [],
        "grid_fees": fees,
        "sharing_price_micro_per_kwh": None if share is None else int(share),
        "matching_order": ["contracts", "partners", "pool"],
        **wanted,
    }
    if "west" in zones and len(zones) == 1 and fees is TABLE:
        lines = [each for each in TABLE["lines"] if each["to_zone"] == "*"]
        document["grid_fees"] = {**TABLE, "lines": lines}
    if wanted.get("mode") == "forward":
        document |= FORWARD | {"ties": "arrival", "position_limit_wh": None}
    return document, load_rules(document)


@st.composite
def rule_sets(draw: st.DrawFn) -> tuple[dict[str, Any], Rules]:
    """Draw any pricing, mode and deviation rule, with one zone or two."""
    changes: dict[str, str] = {"fees": draw(st.sampled_from(["table", "cn-1901"]))}
    if draw(st.booleans()):
        changes |= {
            "mode": "forward",
            "pricing": draw(st.sampled_from(["uniform", "pay_as_bid"])),
            "deviation": draw(st.sampled_from(["dual_price", "single_price", "own"])),
            "delivery": draw(st.sampled_from(["fifo", "pro_rata"])),
        }
    else:
        changes["pricing"] = draw(st.sampled_from(METERED))
        if changes["pricing"].startswith("sharing") and draw(st.booleans()):
            changes["share"] = draw(st.sampled_from(["0", "1500", "3251"]))
    if changes["pricing"] != "supply_demand_ratio" and draw(st.booleans()):
        changes["feed_in"] = "-1500"
    may_couple = changes["pricing"] == "uniform" and changes.get("deviation") != "own"
    if may_couple and draw(st.booleans()):
        changes |= {"zones": "west,east", "fees": "table"}
    return rule_set(tuple(sorted(changes.items())))


@dataclass(frozen=True, eq=False)
class Town:
    """Everything that an interval is cleared from."""

    document: Mapping[str, Any]
    rules: IntervalRules
    terms: Terms
    metered: Metered
    over_limit: np.ndarray
    agreements: Agreements
    auction: HeldAuction | None
    auction_rows: list[bytes]

    def page(self, book: IntervalBook, number: int, reason: Reason, before: Page | None) -> Page:
        """Return a book as its rows tell it, with what a stranger knows besides."""
        return Page(
            rules=self.document,
            agreements=agreement_rows(self.agreements),
            rows=parsed(book_rows(self.header(number, reason), book)),
            auction=parsed(self.auction_rows),
            before=before if reason == "after_deadline" else None,
        )

    def header(self, number: int, reason: Reason) -> BookHeader:
        """Return what a revision of the book says beside its positions."""
        return BookHeader(
            community_id=1,
            interval_id=7,
            revision=number,
            reason=reason,
            starts_at=START,
            ends_at=START + timedelta(minutes=15),
            timezone=self.document["timezone"],
            accounts=ACCOUNTS,
        )


def agreement_rows(agreements: Agreements) -> list[Row]:
    """Return agreements as a stranger knows them from their texts."""
    return [
        {
            "id": int(agreements.ids[at]),
            "kind": "partner" if agreements.is_partner[at] else "contract",
            "rank": int(agreements.ranks[at]),
            "seller": str(agreements.seller_ids[at]),
            "buyer": str(agreements.buyer_ids[at]),
            "price": int(agreements.prices[at]) if agreements.has_price[at] else None,
            "maximum_wh": int(agreements.maximum_wh[at]) if agreements.has_maximum[at] else None,
        }
        for at in range(len(agreements.ids))
    ]


def column(draw: st.DrawFn, values: st.SearchStrategy[int], count: int) -> np.ndarray:
    return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype=np.int64)


def flags(draw: st.DrawFn, count: int) -> np.ndarray:
    return column(draw, st.integers(0, 1), count).astype(np.bool_)


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Draw a town: rules, terms, readings, agreements and, in forward mode, an auction."""
    document, rules = draw(rule_sets())
    at_start = IntervalRules.of(rules, START)
    count = draw(st.integers(1, 6))
    numbers = np.arange(1, count + 1, dtype=np.int64)
    limits = st.integers(-1, 4)
    terms = Terms(
        metering_point_ids=numbers,
        account_ids=numbers // draw(st.integers(1, 2)) + FIRST_ACCOUNT,
        credit_limits=np.zeros(count, dtype=np.int64),
        spread_keys=spread_keys([f"meter {each}" for each in numbers]),
        offer_ids=column(draw, st.sampled_from([0, 11, 12]), count),
        sell_limits=column(draw, limits, count) * 1000,
        has_sell_limit=flags(draw, count),
        request_ids=column(draw, st.sampled_from([0, 21, 22]), count),
        buy_limits=column(draw, limits, count) * 1000,
        has_buy_limit=flags(draw, count),
        places=Places(
            zones=at_start.zones,
            zone_of=column(draw, st.integers(0, len(at_start.zones) - 1), count),
            levels=LEVELS,
            level_of=column(draw, st.integers(0, 2), count),
            weights=column(draw, st.sampled_from([0, 1, 2, 7]), count),
        ),
    )
    auction: HeldAuction | None = None
    rows: list[bytes] = []
    if rules.market.forward is not None:
        auction, rows = draw(auctions(at_start, terms))
    return Town(
        document=document,
        rules=at_start,
        terms=terms,
        metered=draw(readings(terms)),
        over_limit=column(draw, st.sampled_from([0, 0, 0, 1]), count).astype(np.bool_),
        agreements=draw(agreed(count)),
        auction=auction,
        auction_rows=rows,
    )


@st.composite
def readings(draw: st.DrawFn, terms: Terms) -> Metered:
    count = len(terms.metering_point_ids)
    present = np.flatnonzero(column(draw, st.sampled_from([0, 1, 1, 1]), count))
    energies = st.integers(0, 9)
    return Metered(
        terms.metering_point_ids[present],
        column(draw, energies, len(present)),
        column(draw, energies, len(present)),
        column(draw, st.integers(0, 1), len(present)),
    )


@st.composite
def agreed(draw: st.DrawFn, meters: int) -> Agreements:
    """Draw agreements between different metering points."""
    pairs = [(one, other) for one in range(1, meters + 1) for other in range(1, meters + 1)]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    count = draw(st.integers(0, 3)) if pairs else 0
    chosen = [draw(st.sampled_from(pairs)) for _ in range(count)]
    is_partner = flags(draw, count)
    return Agreements(
        ids=np.array(draw(st.permutations(range(1, count + 1))), dtype=np.int64),
        is_partner=is_partner,
        ranks=column(draw, st.integers(1, 3), count) * is_partner,
        seller_ids=np.array([seller for seller, _ in chosen], dtype=np.int64),
        buyer_ids=np.array([buyer for _, buyer in chosen], dtype=np.int64),
        prices=column(draw, st.sampled_from([0, 700, 1500]), count),
        has_price=~is_partner | flags(draw, count),
        maximum_wh=column(draw, st.integers(1, 9), count),
        has_maximum=flags(draw, count),
    )


@st.composite
def auctions(
    draw: st.DrawFn, rules: IntervalRules, terms: Terms
) -> tuple[HeldAuction, list[bytes]]:
    """Draw orders and hold their auction."""
    count = draw(st.integers(0, 8))
    return held(
        rules,
        terms,
        points=column(draw, st.integers(0, len(terms.metering_point_ids) - 1), count),
        sides=column(draw, st.sampled_from([BUY, SELL]), count),
        limits=column(draw, st.integers(-2, 5), count) * 1000,
        wh=column(draw, st.integers(1, 9), count),
    )


def held(
    rules: IntervalRules,
    terms: Terms,
    *,
    points: np.ndarray,
    sides: np.ndarray,
    limits: np.ndarray,
    wh: np.ndarray,
) -> tuple[HeldAuction, list[bytes]]:
    """Hold an auction; it comes back as clearing and as a stranger reads it."""
    places = terms.places
    assert places is not None
    count = len(points)
    orders = AuctionOrders(
        order_ids=np.arange(1001, 1001 + count, dtype=np.int64),
        metering_point_ids=terms.metering_point_ids[points],
        account_ids=terms.account_ids[points],
        zones=places.zone_of[points],
        sides=sides,
        limits=limits,
        quantities_wh=wh,
        minimums_wh=np.zeros(count, dtype=np.int64),
        batch_ids=np.arange(51, 51 + count, dtype=np.int64),
        hold_changes=np.zeros(count, dtype=np.int64),
    )
    outcome = hold_auction(orders, Network(rules.zones, rules.links))
    header = AuctionHeader(
        community_id=1,
        interval_id=7,
        reason="closure",
        starts_at=START,
        ends_at=START + timedelta(minutes=15),
        closes_at=START - timedelta(hours=1),
        timezone="Europe/Vienna",
        zones=rules.zones,
    )
    none = tuple(None for _ in rules.zones)
    prices = none if rules.pricing == "pay_as_bid" else outcome.prices
    rows = auction_rows(header, orders, outcome, prices)
    return HeldAuction.of(read_auction(rows), rules.zones), rows


def a_town(**changes: str) -> Town:
    """Return a town of three: two have roofs, the third buys; one gift, one partner.

    Ahead of delivery, in forward mode, the third bought from both; ``changes`` are keys of the
    rule set, as `rule_set` takes them.
    """
    document, rules = rule_set(tuple(sorted({"pricing": "uniform", **changes}.items())))
    at_start = IntervalRules.of(rules, START)
    numbers = np.array([1, 2, 3], dtype=np.int64)
    none, some = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.bool_)
    terms = Terms(
        metering_point_ids=numbers,
        account_ids=numbers + FIRST_ACCOUNT,
        credit_limits=none,
        spread_keys=spread_keys(["alice", "bob", "charlie"]),
        offer_ids=numbers + 10,
        sell_limits=np.array([600, 900, 0], dtype=np.int64),
        has_sell_limit=np.array([True, True, False]),
        request_ids=numbers + 20,
        buy_limits=none,
        has_buy_limit=some,
        places=Places(
            zones=at_start.zones,
            zone_of=numbers // 2 % len(at_start.zones),
            levels=LEVELS,
            level_of=np.array([0, 1, 2], dtype=np.int64),
            weights=np.array([1, 2, 7], dtype=np.int64),
        ),
    )
    auction: HeldAuction | None = None
    rows: list[bytes] = []
    if rules.market.forward is not None:
        auction, rows = held(
            at_start,
            terms,
            points=np.array([2, 1, 0, 2, 0], dtype=np.int64),
            sides=np.array([BUY, SELL, SELL, BUY, SELL], dtype=np.int64),
            limits=np.array([2501, 1002, 900, 1700, 1200], dtype=np.int64),
            wh=np.array([600, 425, 300, 301, 333], dtype=np.int64),
        )
    return Town(
        document=document,
        rules=at_start,
        terms=terms,
        metered=Metered(
            numbers,
            np.array([0, 40, 1500], dtype=np.int64),
            np.array([700, 350, 0], dtype=np.int64),
            none,
        ),
        over_limit=some,
        agreements=Agreements(
            ids=np.array([1, 2], dtype=np.int64),
            is_partner=np.array([False, True]),
            ranks=np.array([0, 1], dtype=np.int64),
            seller_ids=np.array([1, 1], dtype=np.int64),
            buyer_ids=np.array([2, 3], dtype=np.int64),
            prices=np.array([0, 0], dtype=np.int64),
            has_price=np.array([True, False]),
            maximum_wh=np.array([30, 101], dtype=np.int64),
            has_maximum=np.array([True, True]),
        ),
        auction=auction,
        auction_rows=rows,
    )
