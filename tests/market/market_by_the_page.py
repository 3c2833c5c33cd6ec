"""docs/market.md once more, read literally and slowly: what a stranger would compute from rows.

Rows are dictionaries as the documents have them. Flows and prices of several zones are taken as
given here; tests of the coupled clearing hold them against solvers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.market.by_the_page import auction

Row = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A rule set, agreements in force, a book's rows, and the auction's where there is one.

    ``before`` is the last book that was not after the deadline; given for one that is.
    """

    rules: Mapping[str, Any]
    agreements: Sequence[Row]
    rows: Sequence[Row]
    auction: Sequence[Row] = ()
    before: "Page | None" = None

    @property
    def header(self) -> Row:
        return self.rows[0]

    @property
    def positions(self) -> Sequence[Row]:
        return self.rows[2 : 2 + int(self.header["positions"])]

    @property
    def matches(self) -> Sequence[Row]:
        return self.rows[2 + int(self.header["positions"]) :]

    def position(self, meter: str) -> Row | None:
        return next((each for each in self.positions if each["meter"] == meter), None)


def parsed(rows: Sequence[bytes]) -> list[Row]:
    """Return rows as dictionaries; refuse bytes that are not canonical."""
    documents = [json.loads(row) for row in rows]
    for row, document in zip(rows, documents, strict=True):
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert text.encode() == row
    return documents


def civil(page: Page) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(page.header["starts"]))
    return start.astimezone(ZoneInfo(page.rules["timezone"]))


def line_price(lines: Sequence[Row], page: Page, **wanted: str) -> int:
    """Return the price of the first line that applies; 0 if none does."""
    moment = civil(page)
    clock = moment.strftime("%H:%M")
    for line in lines:
        days = {"all": range(7), "workdays": range(5), "weekend": range(5, 7)}[line["days"]]
        if (
            moment.weekday() in days
            and line["from"] <= clock < line["to"]
            and moment.month in line.get("months", range(13))
            and all(line[key] in ("*", value) for key, value in wanted.items())
        ):
            return int(line["price_micro_per_kwh"])
    return 0


def grid_fee(page: Page, origin: str, target: str, level: str) -> int:
    fees = page.rules["grid_fees"]
    if fees["formula"] == "table":
        return line_price(fees["lines"], page, from_zone=origin, to_zone=target, level=level)
    prices = {each["level"]: each["price_micro_per_kwh"] for each in fees["levels"]}
    first = fees["levels"][0]["price_micro_per_kwh"]
    [span] = [
        each["level"]
        for each in fees["spans"]
        if (each["from_zone"], each["to_zone"]) == (origin, target)
    ]
    return int(max(0, prices.get(level, first) - prices[span]))


def greatest_fee(page: Page) -> int:
    fees = page.rules["grid_fees"]
    named = [each["level"] for each in fees.get("lines", fees.get("levels", []))]
    return max(
        grid_fee(page, zone, zone, "" if level == "*" else level)
        for zone in page.rules["zones"]
        for level in [*named, ""]
    )


def tariffs(page: Page) -> tuple[int, int, int]:
    retail = line_price(page.rules["retail_tariff"], page)
    feed_in = line_price(page.rules["feed_in_tariff"], page)
    return retail, feed_in, page.rules["platform_fee_micro_per_kwh"]


def middle(page: Page) -> int:
    retail, feed_in, fee = tariffs(page)
    return (feed_in + retail - fee - greatest_fee(page)) // 2


def stages(page: Page) -> tuple[list[Row], dict[str, int], dict[str, int]]:
    """Return the match rows, and what is left of each meter's import and export."""
    imported = {each["meter"]: int(each["import_wh"]) for each in page.positions}
    exported = {each["meter"]: int(each["export_wh"]) for each in page.positions}
    left_out = page.rows[1]["left_out"]
    order = page.rules["matching_order"]
    served = [each for each in page.agreements if each["kind"] != "partner"]
    served = sorted(served, key=lambda each: each["id"]) if "contracts" in order else []
    if "partners" in order:
        partners = [each for each in page.agreements if each["kind"] == "partner"]
        served += sorted(partners, key=lambda each: (each["rank"], each["id"]))
    rows = []
    for each in served:
        seller, buyer = each["seller"], each["buyer"]
        if seller not in exported or buyer not in imported or buyer in left_out:
            continue
        moved = min(exported[seller], imported[buyer])
        if each["maximum_wh"] is not None:
            moved = min(moved, each["maximum_wh"])
        if moved:
            exported[seller] -= moved
            imported[buyer] -= moved
            price = middle(page) if each["price"] is None else each["price"]
            rows.append(
                {
                    "agreement": str(each["id"]),
                    "buyer": buyer,
                    "price": str(price),
                    "seller": seller,
                    "wh": str(moved),
                }
            )
    return rows, imported, exported


def order_faults(page: Page, own_limits: Mapping[str, tuple[int | None, int | None]]) -> list[str]:
    """Return meters whose orders nobody could have made: buy and sell limits are given by meter."""
    retail, feed_in, fee = tariffs(page)
    _, imported, exported = stages(page)
    takes = page.rules["pricing"] not in ("uniform", "pay_as_bid")
    faults = []
    for each in page.positions:
        meter = each["meter"]
        local = grid_fee(page, each["zone"], each["zone"], each["level"])
        ceiling = retail - fee - local
        bids = range(ceiling if takes else middle(page), ceiling + 1)
        offers = range(feed_in, (feed_in if takes else middle(page)) + 1)
        barred = meter in page.rows[1]["left_out"] or page.rules["mode"] == "forward"
        for order, limit, left, drawn, own in (
            ("request", "buy_limit", imported, bids, own_limits[meter][0]),
            ("offer", "sell_limit", exported, offers, own_limits[meter][1]),
        ):
            if each[order] == "0":
                wrong = each[limit] is not None
            else:
                allowed = drawn if own is None else [own]
                wrong = barred or not left[meter] or int(each[limit]) not in allowed
            faults += [meter] if wrong else []
    return faults


def pool(page: Page) -> tuple[str | None, list[str], list[str]]:
    """Return price, and what each position bought and sold, of one zone in metered mode."""
    _, imported, exported = stages(page)
    left = [
        {
            **each,
            "import_wh": str(imported[each["meter"]]),
            "export_wh": str(exported[each["meter"]]),
        }
        for each in page.positions
    ]
    pricing = page.rules["pricing"]
    if pricing in ("uniform", "pay_as_bid"):
        price, bought, sold = auction(left)
        return (price if pricing == "uniform" else None), bought, sold
    bids = {rank: each for rank, each in enumerate(left) if each["request"] != "0"}
    offers = {rank: each for rank, each in enumerate(left) if each["offer"] != "0"}
    price_taken = taken_price(page, list(bids.values()), list(offers.values()))
    bids = {rank: each for rank, each in bids.items() if int(each["buy_limit"]) >= price_taken}
    offers = {rank: each for rank, each in offers.items() if int(each["sell_limit"]) <= price_taken}
    if pricing == "sharing_static":
        bids = {rank: each for rank, each in bids.items() if int(each["weight"]) > 0}
    wanted = {rank: int(each["import_wh"]) for rank, each in bids.items()}
    offered = {rank: int(each["export_wh"]) for rank, each in offers.items()}
    volume = min(sum(wanted.values()), sum(offered.values()))
    selling = largest_remainder(offered, volume)
    buying = largest_remainder(wanted, volume)
    if pricing == "sharing_static":
        weights = {rank: int(each["weight"]) for rank, each in bids.items()}
        buying = by_weight(wanted, weights, volume)
    ranks = range(len(left))
    return (
        str(price_taken) if volume else None,
        [str(buying.get(rank, 0)) for rank in ranks],
        [str(selling.get(rank, 0)) for rank in ranks],
    )


def taken_price(page: Page, bids: Sequence[Row], offers: Sequence[Row]) -> int:
    pricing, given = page.rules["pricing"], page.rules["sharing_price_micro_per_kwh"]
    if pricing.startswith("sharing") and given is not None:
        return int(given)
    if pricing != "supply_demand_ratio":
        return middle(page)
    retail, floor, fee = tariffs(page)
    ceiling = retail - fee - greatest_fee(page)
    supply = sum(int(each["export_wh"]) for each in offers)
    demand = sum(int(each["import_wh"]) for each in bids)
    if supply >= demand:
        return floor
    return floor * ceiling * demand // ((ceiling - floor) * supply + floor * demand)


def largest_remainder(asked: Mapping[int, int], total: int) -> dict[int, int]:
    whole = sum(asked.values())
    if not total:
        return {}
    shares = {rank: each * total // whole for rank, each in asked.items()}
    in_order = sorted(asked, key=lambda rank: (-(asked[rank] * total % whole), rank))
    for rank in in_order[: total - sum(shares.values())]:
        shares[rank] += 1
    return shares


def by_weight(asked: Mapping[int, int], weights: Mapping[int, int], total: int) -> dict[int, int]:
    shares = dict.fromkeys(asked, 0)
    while total:
        lacking = [rank for rank in sorted(asked) if shares[rank] < asked[rank]]
        whole = sum(weights[rank] for rank in lacking)
        given = {
            rank: min(weights[rank] * total // whole, asked[rank] - shares[rank])
            for rank in lacking
        }
        if not any(given.values()):
            given = dict.fromkeys(lacking[:total], 1)
        for rank, wh in given.items():
            shares[rank] += wh
        total -= sum(given.values())
    return shares
