"""docs/rules.md once more, read literally and slowly: what a stranger would compute from rows."""

import json
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
# (meter, code, payer, receiver) and the amount that is due.
Entry = tuple[tuple[int, int, int, int], int]


def parsed(rows: Sequence[bytes]) -> tuple[Row, Row, list[Row]]:
    """Return header, exceptions and positions; refuse bytes that are not canonical."""
    documents = [json.loads(row) for row in rows]
    for row, document in zip(rows, documents, strict=True):
        assert json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == row
    return documents[0], documents[1], documents[2:]


def auction(positions: Sequence[Row]) -> tuple[str | None, list[str], list[str]]:
    """Return the price, and what each position bought and sold, as rows write it."""
    bids = [
        (-int(each["buy_limit"]), rank, int(each["import_wh"]))
        for rank, each in enumerate(positions)
        if each["request"] != "0"
    ]
    offers = [
        (int(each["sell_limit"]), rank, int(each["export_wh"]))
        for rank, each in enumerate(positions)
        if each["offer"] != "0"
    ]
    bid = [-key for key, _, energy in sorted(bids) for _ in range(energy)]
    offer = [key for key, _, energy in sorted(offers) for _ in range(energy)]
    volume = 0
    while volume < min(len(bid), len(offer)) and bid[volume] >= offer[volume]:
        volume += 1
    if volume == 0:
        return None, ["0"] * len(positions), ["0"] * len(positions)
    low = max([offer[volume - 1], *bid[volume : volume + 1]])
    high = min([bid[volume - 1], *offer[volume : volume + 1]])
    bought = _filled(sorted(bids), -bid[volume - 1], volume, len(positions))
    sold = _filled(sorted(offers), offer[volume - 1], volume, len(positions))
    return str((low + high) // 2), bought, sold


def _filled(orders: list[tuple[int, int, int]], margin: int, volume: int, count: int) -> list[str]:
    fills = {rank: energy for key, rank, energy in orders if key < margin}
    level = [(rank, energy) for key, rank, energy in orders if key == margin]
    left, whole = volume - sum(fills.values()), sum(energy for _, energy in level)
    shared = {rank: energy * left // whole for rank, energy in level}
    by_remainder = sorted(level, key=lambda order: (-(order[1] * left % whole), order[0]))
    for rank, _ in by_remainder[: left - sum(shared.values())]:
        shared[rank] += 1
    fills |= shared
    return [str(fills.get(rank, 0)) for rank in range(count)]


def command_body(
    rows: Sequence[bytes], before: Sequence[bytes] | None, document: str, rules: str
) -> str | None:
    """Return the body of the command that settles a book; None if nothing moves."""
    entries = _entries(rows)
    if before is not None:
        now, then = dict(entries), dict(_entries(before))
        entries = [
            (key, now.get(key, 0) - then.get(key, 0)) for key in sorted(now.keys() | then.keys())
        ]
    moved = [
        (amount, code, receiver, payer) if amount > 0 else (-amount, code, payer, receiver)
        for (_, code, payer, receiver), amount in entries
        if amount
    ]
    if not moved:
        return None
    columns = zip(("amount", "code", "credit", "debit"), zip(*moved, strict=True), strict=True)
    transfers = {name: list(map(str, column)) for name, column in columns}
    body = {"document": document, "rules": rules, "transfers": transfers, "version": "1"}
    return json.dumps(body, separators=(",", ":"))


def _entries(rows: Sequence[bytes]) -> list[Entry]:
    header, _, positions = parsed(rows)
    party = {name: int(account) for name, account in header["parties"].items()}
    price, fee = int(header["price"] or 0), int(header["platform_fee"])
    entries: dict[int, list[Entry]] = {code: [] for code in range(1, 7)}
    fees = paid = earned = 0
    for each in positions:
        meter, account = int(each["meter"]), int(each["account"])
        bought, sold = int(each["bought_wh"]), int(each["sold_wh"])
        imported, exported = int(each["import_wh"]) - bought, int(each["export_wh"]) - sold
        fees += amount(bought, fee)
        paid += amount(bought, price)
        earned += amount(sold, price)
        purchase = amount(bought, price) + amount(bought, fee)
        for code, payer, receiver, due in (
            (1, account, party["pool"], purchase),
            (2, party["pool"], account, amount(sold, price)),
            (3, account, party["supplier"], amount(imported, int(header["retail"]))),
            (4, party["supplier"], account, amount(exported, int(header["feed_in"]))),
        ):
            entries[code].append(((meter, code, payer, receiver), due))
    entries[5].append(((0, 5, party["pool"], party["platform"]), fees))
    entries[6].append(((0, 6, party["pool"], party["rounding"]), paid - earned))
    return [entry for code in range(1, 7) for entry in entries[code]]


def amount(wh: int, price: int) -> int:
    """Return what an energy costs, rounded half to even."""
    if wh < 0:
        return -amount(-wh, price)
    whole, rest = divmod(wh * price, 1000)
    return whole + (rest > 500 or (rest == 500 and whole % 2 == 1))
