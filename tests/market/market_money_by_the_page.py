"""The money of docs/market.md, read literally and slowly: entries, and the command of a book."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.market.by_the_page import Entry, amount
from tests.market.market_by_the_page import (
    Page,
    grid_fee,
    largest_remainder,
    stages,
    tariffs,
)

# One trade of the pool: seller's and buyer's meter, energy, price, ranks of the two orders.
Trade = tuple[str, str, int, int, int, int]
ORDER = (1, 2, 3, 4, 7, 8, 12, 13, 14, 15, 5, 9, 11, 6)


def trades(page: Page) -> list[Trade]:
    """Walk the fills of one zone, most eager first, and pair them."""
    if page.auction:
        orders = [
            (each["side"], int(each["limit"]), rank, each["meter"], int(each["filled"]))
            for rank, each in enumerate(page.auction[1:])
        ]
    else:
        orders = [
            (side, int(each[limit]), rank, each["meter"], int(each[filled]))
            for rank, each in enumerate(page.positions)
            for side, limit, filled in (
                ("buy", "buy_limit", "bought_wh"),
                ("sell", "sell_limit", "sold_wh"),
            )
            if each[limit] is not None
        ]
    buying = sorted(
        (-limit, rank, meter, wh) for side, limit, rank, meter, wh in orders if side == "buy" and wh
    )
    selling = sorted(
        (limit, rank, meter, wh) for side, limit, rank, meter, wh in orders if side == "sell" and wh
    )
    [price] = page.header["prices"].values()
    walked: list[Trade] = []
    bids, offers = [list(each) for each in buying], [list(each) for each in selling]
    while bids and offers:
        wh = min(bids[0][3], offers[0][3])
        paid = -bids[0][0] if page.rules["pricing"] == "pay_as_bid" else int(price or 0)
        walked.append((offers[0][2], bids[0][2], wh, paid, offers[0][1], bids[0][1]))
        for side in (bids, offers):
            side[0][3] -= wh
            if not side[0][3]:
                side.pop(0)
    return walked


def laid(page: Page, walked: Sequence[Trade], side: int, left: Mapping[str, int]) -> list[int]:
    """Lay what each meter has over its trades as seller (side 0) or buyer (side 1)."""
    result = [0] * len(walked)
    parties = [(each[0], each[1])[side] for each in walked]
    for meter in set(parties):
        mine = [at for at, party in enumerate(parties) if party == meter]
        mine.sort(key=lambda at: (walked[at][4 + side], at))
        total = min(left[meter], sum(walked[at][2] for at in mine))
        if page.rules["delivery"] == "fifo":
            for at in mine:
                result[at] = min(total, walked[at][2])
                total -= result[at]
        else:
            shares = largest_remainder(
                {place: walked[at][2] for place, at in enumerate(mine)}, total
            )
            for place, at in enumerate(mine):
                result[at] = shares.get(place, 0)
    return result


class Sums:
    """What a meter is due under each heading of the table."""

    def __init__(self) -> None:
        self.paid = self.earned = self.billed = self.taken = 0
        self.from_grid = self.to_grid = self.owed = self.due = self.short = self.not_taken = 0
        self.grid_price = self.feed_in_price = 0


def sums(page: Page) -> dict[str, Sums]:
    """Return what each meter is due: those with a position, then those that only traded ahead."""
    retail, feed_in, _ = tariffs(page)
    _, imported, exported = stages(page)
    deviation = page.rules.get("deviation")
    found: dict[str, Sums] = defaultdict(Sums)
    for each in page.positions:
        row, meter = found[each["meter"]], each["meter"]
        bought, sold = int(each["bought_wh"]), int(each["sold_wh"])
        price = int(page.header["prices"][each["zone"]] or 0)
        row.paid, row.earned = amount(bought, price), amount(sold, price)
        row.billed = row.taken = bought
        row.grid_price, row.feed_in_price = retail, feed_in
        given = sold
        if deviation is not None:
            row.taken, given = min(imported[meter], bought), min(exported[meter], sold)
            row.short, row.not_taken = sold - given, bought - row.taken
        row.from_grid, row.to_grid = imported[meter] - row.taken, exported[meter] - given
    if deviation is not None and deviation != "own":
        add_absent(page, found)
    if deviation == "single_price":
        set_single_price(page, found, imported, exported)
    if deviation == "own":
        by_own_deviation(page, found, imported, exported)
    elif page.rules["pricing"] == "pay_as_bid":
        for row in found.values():
            row.paid = row.earned = 0
        for seller, buyer, wh, price, _, _ in trades(page):
            found[seller].earned += amount(wh, price)
            found[buyer].paid += amount(wh, price)
    return found


def add_absent(page: Page, found: dict[str, Sums]) -> None:
    """Add who has fills and no position, in the order of their first orders."""
    for meter in dict.fromkeys(each["meter"] for each in page.auction[1:]):
        orders = [each for each in page.auction[1:] if each["meter"] == meter]
        if page.position(meter) is not None or not any(int(each["filled"]) for each in orders):
            continue
        price = int(page.header["prices"][orders[0]["zone"]] or 0)
        bought, sold = (
            sum(int(each["filled"]) for each in orders if each["side"] == side)
            for side in ("buy", "sell")
        )
        found[meter].billed = bought
        found[meter].paid, found[meter].earned = amount(bought, price), amount(sold, price)


def set_single_price(
    page: Page, found: dict[str, Sums], imported: dict[str, int], exported: dict[str, int]
) -> None:
    retail, feed_in, _ = tariffs(page)
    trading = [each for each in page.positions if int(each["bought_wh"]) + int(each["sold_wh"]) > 0]
    surplus = sum(
        exported[each["meter"]]
        - int(each["sold_wh"])
        - imported[each["meter"]]
        + int(each["bought_wh"])
        for each in trading
    )
    price = (feed_in + retail) // 2 if surplus == 0 else (retail if surplus < 0 else feed_in)
    for each in trading:
        found[each["meter"]].grid_price = found[each["meter"]].feed_in_price = price


def by_own_deviation(
    page: Page, found: dict[str, Sums], imported: dict[str, int], exported: dict[str, int]
) -> None:
    retail, feed_in, fee = tariffs(page)
    walked = [each for each in trades(page) if page.position(each[0]) and page.position(each[1])]
    given, taken = laid(page, walked, 0, exported), laid(page, walked, 1, imported)
    for meter, row in found.items():
        row.paid = row.earned = row.billed = row.taken = row.short = row.not_taken = 0
        row.from_grid, row.to_grid = imported[meter], exported[meter]
    for at, (seller, buyer, wh, price, _, _) in enumerate(walked):
        delivered = min(given[at], taken[at])
        selling, buying = found[seller], found[buyer]
        selling.earned += amount(delivered, price)
        buying.paid += amount(delivered, price)
        buying.billed += delivered
        buying.taken += delivered
        buying.from_grid -= delivered
        selling.to_grid -= delivered
        x, y = wh - given[at], wh - taken[at]
        if x > y:
            fine = amount(x - y, max(0, retail - fee - price))
            selling.owed += fine
            buying.due += fine
        if y > x:
            fine = amount(y - x, max(0, price - feed_in))
            buying.owed += fine
            selling.due += fine


def entries(page: Page) -> list[Entry]:
    """Return every entry of a book in the order of the table."""
    if page.before is not None:
        return amended_entries(page, page.before)
    party = {name: int(account) for name, account in page.header["parties"].items()}
    fee = page.rules["platform_fee_micro_per_kwh"]
    account = {each["meter"]: int(each["account"]) for each in [*page.auction[1:], *page.positions]}
    found = sums(page)
    with_position = [each["meter"] for each in page.positions]
    table: dict[int, list[Entry]] = {code: [] for code in ORDER}

    def add(code: int, meter: str, payer: int, receiver: int, due: int) -> None:
        if payer != receiver:
            table[code].append(((int(meter), code, payer, receiver), due))

    for meter, row in found.items():
        own = account[meter]
        add(1, meter, own, party["pool"], row.paid + amount(row.billed, fee))
        add(2, meter, party["pool"], own, row.earned)
    for meter in with_position:
        row, own = found[meter], account[meter]
        add(3, meter, own, party["supplier"], amount(row.from_grid, row.grid_price))
        add(4, meter, party["supplier"], own, amount(row.to_grid, row.feed_in_price))
        add(8, meter, own, party["grid"], grid_fees(page, meter, row.taken))
        add(12, meter, own, party["pool"], row.owed)
        add(13, meter, party["pool"], own, row.due)
        add(14, meter, own, party["supplier"], amount(row.short, row.grid_price))
        add(15, meter, party["supplier"], own, amount(row.not_taken, row.feed_in_price))
    for match in page.matches:
        buyer, seller = match["buyer"], match["seller"]
        add(
            7, buyer, account[buyer], account[seller], amount(int(match["wh"]), int(match["price"]))
        )
    link_fees, rent = link_money(page)
    add(
        5, "0", party["pool"], party["platform"], sum(amount(r.billed, fee) for r in found.values())
    )
    add(9, "0", party["pool"], party["grid"], link_fees)
    add(11, "0", party["pool"], party["grid"], rent)
    left = sum(row.paid - row.earned + row.owed - row.due for row in found.values())
    add(6, "0", party["pool"], party["rounding"], left - link_fees - rent)
    return [entry for column in table.values() for entry in column]


def grid_fees(page: Page, meter: str, taken: int) -> int:
    position = page.position(meter)
    assert position is not None
    zone, level = position["zone"], position["level"]
    due = amount(taken, grid_fee(page, zone, zone, level))
    for match in page.matches:
        if match["buyer"] == meter:
            seller = page.position(match["seller"])
            assert seller is not None
            due += amount(int(match["wh"]), grid_fee(page, seller["zone"], zone, level))
    return due


def link_money(page: Page) -> tuple[int, int]:
    fees = rent = 0
    prices = {zone: int(price or 0) for zone, price in page.header["prices"].items()}
    for link, flow in zip(page.rules["links"], page.header["links"], strict=True):
        fee = amount(int(flow["sent"]), link["fee_micro_per_kwh"])
        fees += fee
        rent += amount(int(flow["received"]), prices[link["to"]]) - fee
        rent -= amount(int(flow["sent"]), prices[link["from"]])
    return fees, rent


def amended_entries(page: Page, before: Page) -> list[Entry]:
    """Return the entries of the book that stands, and what late readings add to them."""
    retail, feed_in, _ = tariffs(page)
    supplier = int(page.header["parties"]["supplier"])
    result = entries(before)
    for each in page.positions:
        known = before.position(each["meter"])
        settled = (0, 0)
        if known is not None:
            settled = int(known["import_wh"]), int(known["export_wh"])
        elif page.rules.get("deviation") in ("dual_price", "single_price"):
            settled = int(each["bought_wh"]), int(each["sold_wh"])
        meter, account = int(each["meter"]), int(each["account"])
        bought = amount(int(each["import_wh"]) - settled[0], retail)
        sold = amount(int(each["export_wh"]) - settled[1], feed_in)
        result.append(((meter, 3, account, supplier), bought))
        result.append(((meter, 4, supplier, account), sold))
    return result


def command_body(page: Page, before: Page | None, document: str, rules: str) -> str | None:
    """Return the body of the command that settles a book; None if nothing moves."""
    due = entries(page)
    if before is not None:
        difference: dict[tuple[int, int, int, int], int] = defaultdict(int)
        for sign, some in ((1, due), (-1, entries(before))):
            for key, amount_due in some:
                difference[key] += sign * amount_due
        due = sorted(difference.items())
    moved = [
        (each, code, receiver, payer) if each > 0 else (-each, code, payer, receiver)
        for (_, code, payer, receiver), each in due
        if each
    ]
    if not moved:
        return None
    columns = zip(("amount", "code", "credit", "debit"), zip(*moved, strict=True), strict=True)
    transfers = {name: list(map(str, column)) for name, column in columns}
    body = {"document": document, "rules": rules, "transfers": transfers, "version": "1"}
    return json.dumps(body, separators=(",", ":"))
