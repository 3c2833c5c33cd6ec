"""A small market of form 2, worked out by hand: four metering points, one interval.

Prices are in whole currency per MWh (thousands of micro per kWh), so that an amount is a product
which can be done in the head: 450 Wh at 220 are 99,000 micro.
"""

import json
from typing import Any

from tests.validator.agreeing_members import HOUR, Members
from tests.validator.interval_story import RULES, Auction, Revision, Story
from tests.validator.ledger_twin import Leg, canonical
from tests.validator.signing_member import MINUTE, STARTS, hashed

POOL, SUPPLIER, PLATFORM, ROUNDING, GRID = 1, 2, 3, 4, 5
# What the seller of metering point 3 is paid on, and so on.
ACCOUNTS = {1: 11, 2: 12, 3: 13, 4: 14, 6: 16}
GATE_MINUTES = 60
ANY_DAY: dict[str, Any] = {"days": "all", "from": "00:00", "name": "day", "to": "24:00"}
LINE: dict[str, Any] = {
    "days": "all",
    "from": "00:00",
    "from_zone": "*",
    "level": "LV",
    "months": list(range(1, 13)),
    "price_micro_per_kwh": 40_000,
    "to": "24:00",
    "to_zone": "*",
}
# Paid to the grid on a kWh between neighbours at low voltage: 40; at high voltage nothing.
# R = 300, F = 100, f = 10, so that C = 250 at low voltage, 290 at high voltage, and M = 175.
MARKET: dict[str, Any] = {
    "estimation": "none",
    "feed_in_tariff": [ANY_DAY | {"price_micro_per_kwh": 100_000}],
    "form": 2,
    "grid_fees": {"formula": "table", "lines": [LINE]},
    "links": [],
    "matching_order": ["contracts", "partners", "pool"],
    "platform_fee_micro_per_kwh": 10_000,
    "retail_tariff": [ANY_DAY | {"price_micro_per_kwh": 300_000}],
    "sharing_price_micro_per_kwh": None,
    "zones": ["A"],
}
FORWARD: dict[str, Any] = {
    "delivery": "fifo",
    "deviation": "dual_price",
    "gate_closure_minutes": GATE_MINUTES,
    "horizon_days": 7,
    "margin_micro_per_kwh": 20_000,
    "mode": "forward",
    "position_limit_wh": None,
    "ties": "arrival",
}


def market_rules(**changes: Any) -> str:
    return canonical(json.loads(RULES) | MARKET | changes)


def position(meter: int, **values: Any) -> dict[str, Any]:
    """Return a row; limits in thousands of micro per kWh."""
    row: dict[str, Any] = {
        "account": ACCOUNTS[meter],
        "bought_wh": 0,
        "buy_limit": None,
        "estimated": 0,
        "export_wh": 0,
        "import_wh": 0,
        "level": "HV" if meter == 2 else "LV",
        "meter": meter,
        "offer": 0,
        "request": 0,
        "sell_limit": None,
        "sold_wh": 0,
        "weight": 0,
        "zone": "A",
    }
    row |= values
    for limit, order, number in (("buy_limit", "request", 20), ("sell_limit", "offer", 40)):
        if row[limit] is not None:
            row |= {limit: row[limit] * 1000, order: number + meter}
    return texts(row)


def texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: str(one) if isinstance(one, int) else one for name, one in row.items()}


def match(agreement: int, seller: int, buyer: int, wh: int, price: int) -> dict[str, Any]:
    return texts(
        {
            "agreement": agreement,
            "buyer": buyer,
            "price": price * 1000,
            "seller": seller,
            "wh": wh,
        }
    )


Paid = tuple[int, int, int, int]


def book(
    rules: str,
    positions: list[dict[str, Any]],
    money: list[Paid],
    *,
    price: int | None = None,
    matches: list[dict[str, Any]] | None = None,
    missing: list[str] | None = None,
    number: int = 1,
    **header: Any,
) -> Revision:
    """Return a book and the money of it: debit, credit, amount, code."""
    interval = str(header.pop("interval", 7))
    parties = dict(zip(PARTIES, map(str, (PLATFORM, POOL, ROUNDING, SUPPLIER, GRID)), strict=True))
    is_forward = json.loads(rules)["mode"] == "forward"
    first = "deadline" if missing else "readings"
    head = {
        "auction": f"auction:{interval}" if is_forward else None,
        "community": "1",
        "ends": str(STARTS + HOUR),
        "feed_in": "100000",
        "form": "2",
        "interval": interval,
        "links": [],
        "matches": str(len(matches or [])),
        "parties": parties,
        "platform_fee": "10000",
        "positions": str(len(positions)),
        "prices": {"A": None if price is None else str(price * 1000)},
        "reason": "correction" if number > 1 else first,
        "retail": "300000",
        "revision": str(number),
        "starts": str(STARTS),
        "timezone": "Asia/Shanghai",
    } | header
    exceptions = {"left_out": [], "missing": missing or []}
    rows = [head, exceptions, *positions, *(matches or [])]
    document = f"book:{interval}:{number}"
    body = settlement(money, document, rules) if money else None
    return Revision(rows, body, number=number, rules=rules, interval=int(interval))


PARTIES = ("platform", "pool", "rounding", "supplier", "grid")


def settlement(money: list[Paid], document: str, rules: str) -> dict[str, Any]:
    columns = {
        name: [str(one[at]) for one in money]
        for at, name in enumerate(("debit", "credit", "amount", "code"))
    }
    return {
        "document": document,
        "rules": hashed(rules.encode()),
        "transfers": columns,
        "version": "1",
    }


def order(number: int, meter: int, side: str, wh: int, limit: int, **values: Any) -> dict[str, Any]:
    """Return the row of an order; its limit in thousands of micro per kWh."""
    return texts(
        {
            "account": ACCOUNTS[meter],
            "dropped": 0,
            "filled": 0,
            "hold": f"hold:{number}",
            "limit": limit * 1000,
            "meter": meter,
            "minimum": 0,
            "order": number,
            "side": side,
            "wh": wh,
            "zone": "A",
        }
        | values
    )


def auction(orders: list[dict[str, Any]], *, price: int | None, **header: Any) -> Auction:
    head = {
        "closes": str(STARTS - GATE_MINUTES * MINUTE),
        "community": "1",
        "ends": str(STARTS + HOUR),
        "form": "2",
        "interval": "7",
        "links": [],
        "orders": str(len(orders)),
        "prices": {"A": None if price is None else str(price * 1000)},
        "reason": "closure",
        "starts": str(STARTS),
        "timezone": "Asia/Shanghai",
    } | header
    return Auction([head, *orders], interval=int(head["interval"]))


def held(meter: int, amount: int) -> Leg:
    return Leg(ACCOUNTS[meter], 20, amount, code=22, kind="hold")


def agreed_story() -> Story:
    """Return a metered interval in which agreements come before a uniform pool.

    Of 800 Wh that metering point 3 delivers 300 go to 1 by contract, 100 to its partner 4; of
    600 that 4 delivers 500 are a gift to 2, 50 go to its partner 1. The pool has 450 for the 650
    that 1 still needs, at its limit of 220.
    """
    rules, members = market_rules(), Members()
    # Their numbers and ranks say which comes first, not when they were signed.
    members.agree(6, "gift", 4, 2, 0)
    members.agree(5, "contract", 3, 1, 150, maximum_wh="300")
    members.agree(8, "partner", 4, 1, 160, rank="2", maximum_wh="50")
    members.agree(9, "partner", 3, 4, None, rank="1")
    positions = [
        position(1, import_wh=1000, buy_limit=220, bought_wh=450),
        position(2, import_wh=500),
        position(3, export_wh=800, sell_limit=120, sold_wh=400),
        position(4, export_wh=600, import_wh=100, sell_limit=130, sold_wh=50),
    ]
    matches = [
        match(5, 3, 1, 300, 150),
        match(6, 4, 2, 500, 0),
        match(9, 3, 4, 100, 175),
        match(8, 4, 1, 50, 160),
    ]
    money = [
        (11, POOL, 450 * 220 + 450 * 10, 1),
        (POOL, 13, 400 * 220, 2),
        (POOL, 14, 50 * 220, 2),
        (11, SUPPLIER, 200 * 300, 3),
        (11, 13, 300 * 150, 7),
        (14, 13, 100 * 175, 7),
        (11, 14, 50 * 160, 7),
        (11, GRID, (450 + 300 + 50) * 40, 8),
        (14, GRID, 100 * 40, 8),
        (POOL, PLATFORM, 450 * 10, 5),
    ]
    revision = book(rules, positions, money, price=220, matches=matches)
    return Story(rules=rules, signed=members.documents, revisions=[revision])


def pool_story(
    pricing: str,
    limits: tuple[int, int, int, int],
    fills: tuple[int, int],
    money: list[Paid],
    *,
    price: int | None,
    weights: tuple[int, int] = (0, 0),
    **rules: Any,
) -> Story:
    """Return a metered interval: 1 and 2 need 1,000 and 500, 3 and 4 deliver 800 and 400 Wh."""
    text = market_rules(pricing=pricing, **rules)
    positions = [
        position(1, import_wh=1000, buy_limit=limits[0], bought_wh=fills[0], weight=weights[0]),
        position(2, import_wh=500, buy_limit=limits[1], bought_wh=fills[1], weight=weights[1]),
        position(3, export_wh=800, sell_limit=limits[2], sold_wh=800),
        position(4, export_wh=400, sell_limit=limits[3], sold_wh=400),
    ]
    return Story(rules=text, revisions=[book(text, positions, money, price=price)])


# In order of arrival. The fifth would get 100 of its 200 and wants at least 150: it is dropped.
ORDERS = [
    order(31, 3, "sell", 500, 120, filled=500),
    order(32, 1, "buy", 400, 220, filled=400),
    order(33, 4, "sell", 300, 150, filled=200),
    order(34, 2, "buy", 300, 220, filled=300),
    order(35, 1, "buy", 200, 200, minimum=150, dropped=1, hold="hold:32"),
    order(36, 4, "buy", 100, 100),
]
# A bid needs its limit, the fee of 10 and the grid's 40; an offer the margin of 20.
HOLDS = {
    "hold:31": [held(3, 500 * 20)],
    "hold:32": [held(1, 400 * 270), held(1, 200 * 250)],
    "hold:33": [held(4, 300 * 20)],
    "hold:34": [held(2, 300 * 270)],
    "hold:36": [held(4, 100 * 150)],
}
READINGS = {
    1: ("import_wh", 500),
    2: ("import_wh", 250),
    3: ("export_wh", 450),
    4: ("export_wh", 300),
}
FILLS = {1: ("bought_wh", 400), 2: ("bought_wh", 300), 3: ("sold_wh", 500), 4: ("sold_wh", 200)}


def forward_position(meter: int, **values: Any) -> dict[str, Any]:
    return position(meter, **dict([READINGS[meter], FILLS[meter]]) | values)


def forward_story(
    money: list[Paid], *, without: int | None = None, price: int | None = 150, **rules: Any
) -> Story:
    """Return an interval with an auction before delivery; one reading may be missing."""
    text = market_rules(**FORWARD | rules)
    positions = [forward_position(meter) for meter in READINGS if meter != without]
    missing = [] if without is None else [str(without)]
    return Story(
        rules=text,
        holds={key: list(legs) for key, legs in HOLDS.items()},
        auctions=[auction([dict(one) for one in ORDERS], price=price)],
        revisions=[book(text, positions, money, price=price, missing=missing)],
    )


DUAL: list[Paid] = [
    (11, POOL, 400 * 150 + 400 * 10, 1),
    (12, POOL, 300 * 150 + 300 * 10, 1),
    (POOL, 13, 500 * 150, 2),
    (POOL, 14, 200 * 150, 2),
    (11, SUPPLIER, 100 * 300, 3),
    (SUPPLIER, 14, 100 * 100, 4),
    (11, GRID, 400 * 40, 8),
    (13, SUPPLIER, 50 * 300, 14),
    (SUPPLIER, 12, 50 * 100, 15),
    (POOL, PLATFORM, 700 * 10, 5),
]


def coupled_story(money: list[Paid] | None = None) -> Story:
    """Return a metered interval of three zones, the third of which nothing can reach.

    A sells 60 of its 80 Wh at 100: 10 at home, 50 over a full link whose fee is 2 to B, who
    would have bought 60 at 180.
    """
    names = ("fee_micro_per_kwh", "from", "limit_wh", "loss_ppm", "to")
    links = [(2_000, "A", 50, 0, "B"), (1_000, "B", 10, 0, "A"), (0, "B", 0, 0, "C")]
    rules = market_rules(
        zones=["A", "B", "C"], links=[dict(zip(names, one, strict=True)) for one in links]
    )
    positions = [
        position(1, import_wh=10, buy_limit=200, bought_wh=10),
        position(2, import_wh=60, buy_limit=180, bought_wh=50, zone="B"),
        position(3, export_wh=80, sell_limit=100, sold_wh=60),
        position(4, import_wh=5, buy_limit=200, zone="C"),
    ]
    flows = [(50, 50), (0, 0), (0, 0)]
    return Story(
        rules=rules,
        revisions=[
            book(
                rules,
                positions,
                COUPLED if money is None else money,
                prices={"A": "100000", "B": "180000", "C": None},
                links=[{"received": str(got), "sent": str(sent)} for got, sent in flows],
            )
        ],
    )


COUPLED: list[Paid] = [
    (11, POOL, 10 * 100 + 10 * 10, 1),
    (12, POOL, 50 * 180 + 50 * 10, 1),
    (POOL, 13, 60 * 100, 2),
    (12, SUPPLIER, 10 * 300, 3),
    (14, SUPPLIER, 5 * 300, 3),
    (SUPPLIER, 13, 20 * 100, 4),
    (11, GRID, 10 * 40, 8),
    (POOL, PLATFORM, 60 * 10, 5),
    (POOL, GRID, 50 * 2, 9),
    (POOL, GRID, 50 * (180 - 100 - 2), 11),
]
