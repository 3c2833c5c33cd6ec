"""An interval's book as the rows of a logged document, each of which a party can be shown alone.

Row 0 says which interval, at what prices; row 1 who was left out or missing; each row after that is
one position, in the order of the book. ``docs/rules.md`` is the specification.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import numpy as np

from ledger.domain.canonical import canonical_json, text_json
from ledger.domain.commands import Command
from ledger.domain.documents import Document
from ledger.domain.rows import rows_root
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.market_part import MarketPart
from marketplace.domain.settlement import CommunityAccounts

Reason = Literal["readings", "deadline", "correction", "after_deadline"]

BOOK_KIND: Final = "interval"
RULES_KIND: Final = "rules"
FIRST_POSITION: Final = 2
_ALL: Final = slice(None)
_PARTIES: Final = ("grid", "platform", "pool", "rounding", "supplier")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class BookHeader:
    """What a book says beside its positions, prices and exceptions."""

    community_id: int
    interval_id: int
    revision: int
    reason: Reason
    starts_at: datetime
    ends_at: datetime
    timezone: str
    accounts: CommunityAccounts


def book_key(interval_id: int, revision: int) -> str:
    """Return the key of the document that is a revision of an interval's book."""
    return f"book:{interval_id}:{revision}"


def auction_key(interval_id: int) -> str:
    """Return the key of the document that is the auction of a forward interval."""
    return f"auction:{interval_id}"


def rules_key(sha256: str) -> str:
    """Return the key of the document that is a rule set."""
    return f"rules:{sha256}"


def book_document(
    header: BookHeader, book: IntervalBook, *, rules_sha256: str, seed: bytes
) -> Command:
    """Return the command that logs a revision of an interval's book.

    Parameters
    ----------
    header, book : BookHeader, IntervalBook
        What the document stands for.
    rules_sha256 : str
        The rule set that it was cleared under, in hex; stands in the log in clear.
    seed : bytes
        32 random bytes of this document alone, from which its rows' salts come.
    """
    root = rows_root(book_rows(header, book), seed)
    return Document(
        kind=BOOK_KIND,
        public={"rows": b64encode(root).decode(), "rules": rules_sha256},
        private={"seed": b64encode(seed).decode()},
    ).command(book_key(header.interval_id, header.revision))


def rules_document(sha256: str) -> Command:
    """Return the command that logs a rule set; the same for all who use the same rules."""
    return Document(kind=RULES_KIND, public={"sha256": sha256}).command(rules_key(sha256))


def book_rows(header: BookHeader, book: IntervalBook) -> list[bytes]:
    """Write a book down as rows of canonical JSON, integers as strings.

    Parameters
    ----------
    header : BookHeader
        Which interval, and the accounts of its community.
    book : IntervalBook
        Its n positions.

    Returns
    -------
    list of bytes, length n + 2
        Header, exceptions, positions in the order of the book; in form 2 then the matches of
        agreements.
    """
    part = book.market
    if part is None:
        return [_header_row(header, book), _exceptions_row(book), *_position_rows(book)]
    return [
        _market_header_row(header, book, part),
        _exceptions_row(book),
        *_market_position_rows(book, part),
        *_match_rows(part),
    ]


def book_row(header: BookHeader, book: IntervalBook, index: int) -> bytes:
    """Return one of `book_rows`: the header, the exceptions or a position."""
    part = book.market
    if index == 0:
        return _header_row(header, book) if part is None else _market_header_row(header, book, part)
    if index < FIRST_POSITION:
        return _exceptions_row(book)
    at = slice(index - FIRST_POSITION, index - FIRST_POSITION + 1)
    (row,) = _position_rows(book, at) if part is None else _market_position_rows(book, part, at)
    return row


def row_of_position(book: IntervalBook, metering_point_id: int) -> int | None:
    """Return the index of a metering point's row; None if it has no position in the book."""
    found = np.flatnonzero(book.metering_point_ids == metering_point_id)
    return FIRST_POSITION + int(found[0]) if len(found) else None


# By hand, as in a book's own bytes: nothing here needs JSON's escapes, and a city's day is a
# million rows. Time zones are letters, digits, "_", "+", "-" and "/" by the schema of rule sets.
def _header_row(header: BookHeader, book: IntervalBook) -> bytes:
    accounts = header.accounts
    price = "null" if book.price is None else f'"{book.price}"'
    return (
        f'{{"community":"{header.community_id}","ends":"{_microseconds(header.ends_at)}",'
        f'"feed_in":"{book.feed_in}","interval":"{header.interval_id}",'
        f'"parties":{{"platform":"{accounts.platform}","pool":"{accounts.pool}",'
        f'"rounding":"{accounts.rounding}","supplier":"{accounts.supplier}"}},'
        f'"platform_fee":"{book.platform_fee}","price":{price},"reason":"{header.reason}",'
        f'"retail":"{book.retail}","revision":"{header.revision}",'
        f'"starts":"{_microseconds(header.starts_at)}","timezone":"{header.timezone}"}}'
    ).encode()


def _exceptions_row(book: IntervalBook) -> bytes:
    left_out, missing = _listed(book.left_out_ids), _listed(book.missing_ids)
    return f'{{"left_out":{left_out},"missing":{missing}}}'.encode()


def _position_rows(book: IntervalBook, at: slice = _ALL) -> list[bytes]:
    columns = (
        book.account_ids[at].tolist(),
        book.bought_wh[at].tolist(),
        _limits(book.buy_limits[at], book.request_ids[at]),
        book.export_wh[at].tolist(),
        book.import_wh[at].tolist(),
        book.metering_point_ids[at].tolist(),
        book.offer_ids[at].tolist(),
        book.request_ids[at].tolist(),
        _limits(book.sell_limits[at], book.offer_ids[at]),
        book.sold_wh[at].tolist(),
    )
    return [
        (
            f'{{"account":"{account}","bought_wh":"{bought}","buy_limit":{buy},'
            f'"export_wh":"{export}","import_wh":"{import_}","meter":"{meter}",'
            f'"offer":"{offer}","request":"{request}","sell_limit":{sell},"sold_wh":"{sold}"}}'
        ).encode()
        for (
            account,
            bought,
            buy,
            export,
            import_,
            meter,
            offer,
            request,
            sell,
            sold,
        ) in zip(*columns, strict=True)
    ]


def _market_header_row(header: BookHeader, book: IntervalBook, part: MarketPart) -> bytes:
    accounts = header.accounts
    prices = dict(zip(part.zones, part.prices, strict=True))
    flows = zip(part.received.tolist(), part.sent.tolist(), strict=True)
    return canonical_json(
        {
            "auction": auction_key(header.interval_id) if part.is_forward else None,
            "community": str(header.community_id),
            "ends": str(_microseconds(header.ends_at)),
            "feed_in": str(book.feed_in),
            "form": "2",
            "interval": str(header.interval_id),
            "links": [{"received": str(received), "sent": str(sent)} for received, sent in flows],
            "matches": str(len(part.match_wh)),
            "parties": {name: str(getattr(accounts, name)) for name in _PARTIES},
            "platform_fee": str(book.platform_fee),
            "positions": str(len(book.metering_point_ids)),
            "prices": {zone: None if each is None else str(each) for zone, each in prices.items()},
            "reason": header.reason,
            "retail": str(book.retail),
            "revision": str(header.revision),
            "starts": str(_microseconds(header.starts_at)),
            "timezone": header.timezone,
        }
    )


def _market_position_rows(book: IntervalBook, part: MarketPart, at: slice = _ALL) -> list[bytes]:
    zones, levels = list(map(text_json, part.zones)), list(map(text_json, part.levels))
    columns = (
        book.account_ids[at].tolist(),
        book.bought_wh[at].tolist(),
        _limits(book.buy_limits[at], book.request_ids[at]),
        part.estimated[at].tolist(),
        book.export_wh[at].tolist(),
        book.import_wh[at].tolist(),
        [levels[each] for each in part.level_of[at].tolist()],
        book.metering_point_ids[at].tolist(),
        book.offer_ids[at].tolist(),
        book.request_ids[at].tolist(),
        _limits(book.sell_limits[at], book.offer_ids[at]),
        book.sold_wh[at].tolist(),
        part.weights[at].tolist(),
        [zones[each] for each in part.zone_of[at].tolist()],
    )
    return [
        (
            f'{{"account":"{row[0]}","bought_wh":"{row[1]}","buy_limit":{row[2]},'
            f'"estimated":"{row[3]}","export_wh":"{row[4]}","import_wh":"{row[5]}",'
            f'"level":{row[6]},"meter":"{row[7]}","offer":"{row[8]}","request":"{row[9]}",'
            f'"sell_limit":{row[10]},"sold_wh":"{row[11]}","weight":"{row[12]}",'
            f'"zone":{row[13]}}}'
        ).encode()
        for row in zip(*columns, strict=True)
    ]


def _match_rows(part: MarketPart) -> list[bytes]:
    columns = (
        part.match_agreements,
        part.match_buyers,
        part.match_prices,
        part.match_sellers,
        part.match_wh,
    )
    return [
        (
            f'{{"agreement":"{agreement}","buyer":"{buyer}","price":"{price}",'
            f'"seller":"{seller}","wh":"{wh}"}}'
        ).encode()
        for agreement, buyer, price, seller, wh in zip(
            *(each.tolist() for each in columns), strict=True
        )
    ]


def _limits(limits: Int64Array, order_ids: Int64Array) -> list[str]:
    """Write limit prices, null where there was no order."""
    return [
        f'"{limit}"' if order else "null"
        for limit, order in zip(limits.tolist(), order_ids.tolist(), strict=True)
    ]


def _listed(ids: Int64Array) -> str:
    numbers: Sequence[int] = ids.tolist()
    written = '","'.join(map(str, numbers))
    return f'["{written}"]' if written else "[]"


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
