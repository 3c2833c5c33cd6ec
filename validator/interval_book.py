"""An interval's book: what each metering point delivered, took, wanted and got.

References
----------
docs/rules.md, "The book".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from validator import canonical
from validator.canonical import Json
from validator.errors import Malformed

ENERGY_MAX_WH = 10**9
LIMIT_MAX = 10**9
INTEGER_MAX = 2**63 - 1
READINGS, DEADLINE, CORRECTION, AFTER_DEADLINE = (
    "readings",
    "deadline",
    "correction",
    "after_deadline",
)
_HEADER = {
    "community",
    "ends",
    "feed_in",
    "interval",
    "parties",
    "platform_fee",
    "price",
    "reason",
    "retail",
    "revision",
    "starts",
    "timezone",
}
_PARTIES = ("platform", "pool", "rounding", "supplier")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_N = rb'"(0|[1-9][0-9]{0,18})"'
_LIMIT = rb'(?:null|"(0|-?[1-9][0-9]{0,18})")'
# A row is of this form and no other, down to the byte.
_POSITION = re.compile(
    rb'\{"account":%b,"bought_wh":%b,"buy_limit":%b,"export_wh":%b,"import_wh":%b,"meter":%b,'
    rb'"offer":%b,"request":%b,"sell_limit":%b,"sold_wh":%b\}'
    % (_N, _N, _LIMIT, _N, _N, _N, _N, _N, _LIMIT, _N)
)


class Parties(NamedTuple):
    """Accounts of a community's own parties; the grid operator has none in form 1."""

    platform: int
    pool: int
    rounding: int
    supplier: int
    grid: int = 0


class Flow(NamedTuple):
    """What went over a link. [Wh]"""

    received: int
    sent: int


class Match(NamedTuple):
    """What an agreement moved from a seller's metering point to a buyer's."""

    agreement: int
    buyer: int
    price: int
    seller: int
    wh: int


@dataclass(frozen=True, slots=True)
class Header:
    """A book's first row: times in microseconds since 1970, prices in micro per kWh."""

    community: int
    interval: int
    revision: int
    starts: int
    ends: int
    timezone: str
    retail: int
    feed_in: int
    fee: int
    price: int | None
    parties: Parties
    reason: str
    # The rest is of form 2, which has a price per zone in place of the one.
    auction: str | None = None
    links: tuple[Flow, ...] = ()
    prices: Mapping[str, int | None] = field(default_factory=dict)


class Position(NamedTuple):
    """One metering point's row; orders are 0 and limits None where there is no order.

    The last four are of form 2.
    """

    account: int
    bought_wh: int
    buy_limit: int | None
    export_wh: int
    import_wh: int
    meter: int
    offer: int
    request: int
    sell_limit: int | None
    sold_wh: int
    zone: str = ""
    level: str = ""
    weight: int = 0
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """All rows of a book."""

    header: Header
    left_out: list[int]
    missing: list[int]
    positions: list[Position]
    matches: list[Match] = field(default_factory=list)


def read_book(rows: Sequence[bytes]) -> Book:
    """Read a book of form 1 from its rows.

    Raises
    ------
    Malformed
        If a row is not canonical, of another form, or out of bounds.
    """
    if len(rows) < 2:
        raise Malformed("a book has a header and exceptions")
    exceptions = canonical.read_object(rows[1], bytes_max=None)
    if exceptions.keys() != {"left_out", "missing"}:
        raise Malformed("the exceptions have other keys")
    return Book(
        _read_header(rows[0]),
        numbers(exceptions["left_out"]),
        numbers(exceptions["missing"]),
        [_read_position(row) for row in rows[2:]],
    )


def _read_header(row: bytes) -> Header:
    value = canonical.read_object(row)
    if value.keys() != _HEADER:
        raise Malformed("the header has other keys")
    parties = value["parties"]
    if not isinstance(parties, dict) or parties.keys() != {*_PARTIES}:
        raise Malformed("the header names other parties")
    timezone, reason = value["timezone"], value["reason"]
    if not isinstance(timezone, str) or not isinstance(reason, str):
        raise Malformed("time zone or reason is no text")
    header = Header(
        community=natural(value["community"]),
        interval=natural(value["interval"]),
        revision=natural(value["revision"]),
        starts=natural(value["starts"]),
        ends=natural(value["ends"]),
        timezone=timezone,
        retail=integer(value["retail"]),
        feed_in=integer(value["feed_in"]),
        fee=integer(value["platform_fee"]),
        price=None if value["price"] is None else integer(value["price"]),
        parties=Parties(*(natural(parties[name]) for name in _PARTIES)),
        reason=reason,
    )
    if header.revision < 1 or header.ends <= header.starts:
        raise Malformed("revision or times of the header cannot be")
    return header


def _read_position(row: bytes) -> Position:
    match = _POSITION.fullmatch(row)
    if match is None:
        raise Malformed("a row has another form")
    position = Position(*(None if text is None else int(text) for text in match.groups()))  # type: ignore[arg-type]  # only the limits may be None
    if (
        max(position.import_wh, position.export_wh, position.bought_wh, position.sold_wh)
        > ENERGY_MAX_WH
        or abs(position.buy_limit or 0) > LIMIT_MAX
        or abs(position.sell_limit or 0) > LIMIT_MAX
        or max(position.account, position.meter, position.offer, position.request) > INTEGER_MAX
    ):
        raise Malformed("a row is out of bounds")
    return position


def numbers(value: Json) -> list[int]:
    """Return a list of numbers of a row."""
    if not isinstance(value, list):
        raise Malformed("the exceptions are no lists")
    return [natural(one) for one in value]


def natural(value: Json) -> int:
    """Return a number of a row that is not below 0."""
    number = integer(value)
    if number < 0:
        raise Malformed("a number is below 0")
    return number


def integer(value: Json) -> int:
    """Return a number of a row."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise Malformed("a number is not written as one")
    number = int(value)
    if abs(number) > INTEGER_MAX:
        raise Malformed("a number is out of bounds")
    return number
