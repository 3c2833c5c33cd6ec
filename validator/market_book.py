"""A book of form 2: prices per zone, flows over links, matches of agreements.

References
----------
docs/market.md, "The book".
"""

from __future__ import annotations

from collections.abc import Sequence

from validator import canonical
from validator.canonical import Json
from validator.errors import Malformed
from validator.interval_book import (
    ENERGY_MAX_WH,
    LIMIT_MAX,
    Book,
    Flow,
    Header,
    Match,
    Parties,
    Position,
    integer,
    natural,
    numbers,
    read_book,
)
from validator.market_rules import NAME_LENGTH_MAX

FORM = "2"
WEIGHT_MAX = 10**6
_HEADER = {
    "auction",
    "community",
    "ends",
    "feed_in",
    "form",
    "interval",
    "links",
    "matches",
    "parties",
    "platform_fee",
    "positions",
    "prices",
    "reason",
    "retail",
    "revision",
    "starts",
    "timezone",
}
_PARTIES = ("platform", "pool", "rounding", "supplier", "grid")
_POSITION = {
    "account",
    "bought_wh",
    "buy_limit",
    "estimated",
    "export_wh",
    "import_wh",
    "level",
    "meter",
    "offer",
    "request",
    "sell_limit",
    "sold_wh",
    "weight",
    "zone",
}
_MATCH = {"agreement", "buyer", "price", "seller", "wh"}


def read_book_of_any_form(rows: Sequence[bytes]) -> Book:
    """Read a book that was checked: only in form 2 a header has a form."""
    value = canonical.read_object(rows[0], bytes_max=None)
    return read_market_book(rows) if "form" in value else read_book(rows)


def read_market_book(rows: Sequence[bytes]) -> Book:
    """Read a book of form 2 from its rows.

    Raises
    ------
    Malformed
        If a row is not canonical, of another form, or out of bounds, or there are too many.
    """
    if len(rows) < 2:
        raise Malformed("a book has a header and exceptions")
    value = canonical.read_object(rows[0], bytes_max=None)
    exceptions = canonical.read_object(rows[1], bytes_max=None)
    if value.keys() != _HEADER or exceptions.keys() != {"left_out", "missing"}:
        raise Malformed("the header or the exceptions have other keys")
    positions, matches = natural(value["positions"]), natural(value["matches"])
    if len(rows) != 2 + positions + matches:
        raise Malformed("the book has another number of rows than it says")
    return Book(
        _read_header(value),
        numbers(exceptions["left_out"]),
        numbers(exceptions["missing"]),
        [_read_position(row) for row in rows[2 : 2 + positions]],
        [_read_match(row) for row in rows[2 + positions :]],
    )


def _read_header(value: dict[str, Json]) -> Header:
    parties = value["parties"]
    if not isinstance(parties, dict) or parties.keys() != {*_PARTIES}:
        raise Malformed("the header names other parties")
    if value["form"] != FORM:
        raise Malformed("the header is of another form")
    header = Header(
        community=natural(value["community"]),
        interval=natural(value["interval"]),
        revision=natural(value["revision"]),
        starts=natural(value["starts"]),
        ends=natural(value["ends"]),
        timezone=text(value["timezone"]),
        retail=integer(value["retail"]),
        feed_in=integer(value["feed_in"]),
        fee=integer(value["platform_fee"]),
        price=None,
        parties=Parties(*(natural(parties[name]) for name in _PARTIES)),
        reason=text(value["reason"]),
        auction=None if value["auction"] is None else text(value["auction"]),
        links=read_flows(value["links"]),
        prices=read_prices(value["prices"]),
    )
    if header.revision < 1 or header.ends <= header.starts:
        raise Malformed("revision or times of the header cannot be")
    return header


def _read_position(row: bytes) -> Position:
    value = canonical.read_object(row)
    if value.keys() != _POSITION or value["estimated"] not in ("0", "1"):
        raise Malformed("a row has another form")
    position = Position(
        account=natural(value["account"]),
        bought_wh=natural(value["bought_wh"]),
        buy_limit=read_limit(value["buy_limit"]),
        export_wh=natural(value["export_wh"]),
        import_wh=natural(value["import_wh"]),
        meter=natural(value["meter"]),
        offer=natural(value["offer"]),
        request=natural(value["request"]),
        sell_limit=read_limit(value["sell_limit"]),
        sold_wh=natural(value["sold_wh"]),
        zone=text(value["zone"]),
        level=text(value["level"]),
        weight=natural(value["weight"]),
        is_estimated=value["estimated"] == "1",
    )
    if max(position.import_wh, position.export_wh) > ENERGY_MAX_WH or position.weight > WEIGHT_MAX:
        raise Malformed("a row is out of bounds")
    if len(position.level) > NAME_LENGTH_MAX:
        raise Malformed("a voltage level has too long a name")
    return position


def _read_match(row: bytes) -> Match:
    value = canonical.read_object(row)
    if value.keys() != _MATCH:
        raise Malformed("a match has another form")
    return Match(
        natural(value["agreement"]),
        natural(value["buyer"]),
        integer(value["price"]),
        natural(value["seller"]),
        natural(value["wh"]),
    )


def read_flows(value: Json) -> tuple[Flow, ...]:
    """Read what went over each link."""
    if not isinstance(value, list):
        raise Malformed("the links are no list")
    flows = []
    for one in value:
        if not isinstance(one, dict) or one.keys() != {"received", "sent"}:
            raise Malformed("a link has another form")
        flows.append(Flow(natural(one["received"]), natural(one["sent"])))
    return tuple(flows)


def read_prices(value: Json) -> dict[str, int | None]:
    """Read the price of each zone."""
    if not isinstance(value, dict):
        raise Malformed("the prices are no object")
    return {zone: None if price is None else integer(price) for zone, price in value.items()}


def read_limit(value: Json) -> int | None:
    """Read a limit price, or that there is none."""
    limit = None if value is None else integer(value)
    if abs(limit or 0) > LIMIT_MAX:
        raise Malformed("a limit is out of bounds")
    return limit


def text(value: Json) -> str:
    """Return a text of a row."""
    if not isinstance(value, str):
        raise Malformed("a text of a row is none")
    return value
