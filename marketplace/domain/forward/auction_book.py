"""An auction as the rows of a logged document, each of which a party can be shown alone.

Row 0 says which interval, at what prices; each row after that is one order, in the order of
arrival. ``docs/market.md`` is the specification.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

import numpy as np

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import Command
from ledger.domain.documents import Document
from ledger.domain.rows import rows_root
from marketplace.domain.book_rows import BOOK_KIND
from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.auction import AuctionOrders, AuctionOutcome, BoolArray
from marketplace.domain.forward.orders import BUY, SELL, microseconds

Reason = Literal["closure", "halted"]
FIRST_ORDER: Final = 1
# Rows repeat names and digits: the fastest level already finds most of what there is.
_COMPRESSION_LEVEL: Final = 1


@dataclass(frozen=True)
class AuctionHeader:
    """What an auction's document says beside its orders; prices by zone, flows by link."""

    community_id: int
    interval_id: int
    reason: Reason
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    timezone: str
    zones: tuple[str, ...]


def auction_key(interval_id: int) -> str:
    """Return the key of the document that is an interval's auction."""
    return f"auction:{interval_id}"


def hold_command_key(batch_id: int, change: int = 0) -> str:
    """Return the key of the command that takes a batch's hold, first or after some changes."""
    return f"orders:{batch_id}:{change}" if change else f"orders:{batch_id}"


def auction_document(
    interval_id: int, rows: Sequence[bytes], *, rules_sha256: str, seed: bytes
) -> Command:
    """Return the command that logs an auction; ``seed`` is 32 random bytes of it alone."""
    return Document(
        kind=BOOK_KIND,
        public={"rows": b64encode(rows_root(rows, seed)).decode(), "rules": rules_sha256},
        private={"seed": b64encode(seed).decode()},
    ).command(auction_key(interval_id))


def auction_rows(
    header: AuctionHeader,
    orders: AuctionOrders,
    outcome: AuctionOutcome,
    prices: Sequence[int | None],
) -> list[bytes]:
    """Write an auction down as rows of canonical JSON, integers as strings.

    Parameters
    ----------
    prices : sequence of int or None
        By zone, as the document says them: none of an auction that is paid as bid. [micro/kWh]

    Returns
    -------
    list of bytes, length n + 1
        Header, orders in the order of arrival.
    """
    return [
        _header_row(header, len(orders), outcome, prices),
        *_order_rows(header, orders, outcome),
    ]


def _header_row(
    header: AuctionHeader, count: int, outcome: AuctionOutcome, prices: Sequence[int | None]
) -> bytes:
    written: dict[str, object] = {
        "closes": str(microseconds(header.closes_at)),
        "community": str(header.community_id),
        "ends": str(microseconds(header.ends_at)),
        "form": "2",
        "interval": str(header.interval_id),
        "links": [
            {"received": str(received), "sent": str(sent)}
            for sent, received in zip(outcome.sent, outcome.received, strict=True)
        ],
        "orders": str(count),
        "prices": {
            zone: None if price is None else str(price)
            for zone, price in zip(header.zones, prices, strict=True)
        },
        "reason": header.reason,
        "starts": str(microseconds(header.starts_at)),
        "timezone": header.timezone,
    }
    return canonical_json(written)


# By hand, as the positions of a book: nothing in them needs JSON's escapes but the zones' names,
# which are escaped once each.
def _order_rows(
    header: AuctionHeader, orders: AuctionOrders, outcome: AuctionOutcome
) -> list[bytes]:
    zones = [canonical_json(zone).decode() for zone in header.zones]
    columns = (
        orders.account_ids.tolist(),
        outcome.is_dropped.astype(np.int64).tolist(),
        outcome.filled_wh.tolist(),
        orders.batch_ids.tolist(),
        orders.hold_changes.tolist(),
        orders.limits.tolist(),
        orders.metering_point_ids.tolist(),
        orders.minimums_wh.tolist(),
        orders.order_ids.tolist(),
        orders.sides.tolist(),
        orders.quantities_wh.tolist(),
        orders.zones.tolist(),
    )
    return [
        (
            f'{{"account":"{account}","dropped":"{dropped}","filled":"{filled}",'
            f'"hold":"{hold_command_key(batch, change)}","limit":"{limit}","meter":"{meter}",'
            f'"minimum":"{minimum}","order":"{order}","side":"{"buy" if side == BUY else "sell"}",'
            f'"wh":"{quantity}","zone":{zones[zone]}}}'
        ).encode()
        for (
            account,
            dropped,
            filled,
            batch,
            change,
            limit,
            meter,
            minimum,
            order,
            side,
            quantity,
            zone,
        ) in zip(*columns, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class StoredAuction:
    """An auction read back from its rows; prices by zone, (sent, received) by link."""

    reason: Reason
    zones: tuple[str, ...]
    prices: tuple[int | None, ...]
    flows: tuple[tuple[int, int], ...]
    orders: AuctionOrders
    filled_wh: Int64Array
    is_dropped: BoolArray


def pack_rows(rows: Sequence[bytes]) -> bytes:
    """Compress rows for storage; see `unpack_rows`."""
    return zlib.compress(b"\n".join(rows), _COMPRESSION_LEVEL)


def unpack_rows(packed: bytes) -> list[bytes]:
    """Return rows as they were before `pack_rows`."""
    return zlib.decompress(packed).split(b"\n")


def rows_sha256(rows: Sequence[bytes]) -> str:
    """Return the SHA-256 of the rows, a line feed between two, in hex."""
    return sha256(b"\n".join(rows)).hexdigest()


def read_auction(rows: Sequence[bytes]) -> StoredAuction:
    """Read an auction back from what `auction_rows` wrote; zones in the order of their names."""
    header, *orders = json.loads(b"[" + b",".join(rows) + b"]")
    zones = tuple(header["prices"])
    places = {zone: place for place, zone in enumerate(zones)}
    columns = AuctionOrders.of_rows(
        np.array(
            [
                (
                    int(each["order"]),
                    int(each["meter"]),
                    int(each["account"]),
                    places[each["zone"]],
                    BUY if each["side"] == "buy" else SELL,
                    int(each["limit"]),
                    int(each["wh"]),
                    int(each["minimum"]),
                    *_hold_numbers(each["hold"]),
                )
                for each in orders
            ],
            dtype=np.int64,
        )
    )
    return StoredAuction(
        reason=header["reason"],
        zones=zones,
        prices=tuple(None if price is None else int(price) for price in header["prices"].values()),
        flows=tuple((int(each["sent"]), int(each["received"])) for each in header["links"]),
        orders=columns,
        filled_wh=np.array([int(each["filled"]) for each in orders], dtype=np.int64),
        is_dropped=np.array([each["dropped"] == "1" for each in orders], dtype=np.bool_),
    )


def _hold_numbers(key: str) -> tuple[int, int]:
    _, batch, *change = key.split(":")
    return int(batch), int(change[0]) if change else 0
