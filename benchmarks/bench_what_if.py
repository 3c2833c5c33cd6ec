"""An interval of a what-if against the clearing and settling of the same interval, 10,000 homes.

Both in memory, in turns, so that a slow machine slows both. A what-if reads the stored book, adds
up what happened, clears and settles under other rules and adds that up; the market clears, writes
the book down and prices it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median
from typing import Final

import numpy as np

from benchmarks.table import Row
from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Metered, Places, Terms
from marketplace.domain.clear_by_rules import clear_by_rules
from marketplace.domain.interval_book import IntervalBook, pack
from marketplace.domain.rules import Rules, load_rules, preset
from marketplace.domain.settlement import CommunityAccounts, entries_of, transfers_between
from marketplace.domain.standing import spread_keys
from marketplace.domain.what_if.change import ChangedRules, Solar, changed_rules
from marketplace.domain.what_if.figures import ZoneMap, sums_of
from marketplace.domain.what_if.interval import (
    SettledInterval,
    as_it_might_have_been,
    as_it_was,
)
from marketplace.domain.what_if.solar import Roofs

HOMES: Final = 10_000
TURNS: Final = 15
RATIO_MAX: Final = 3.0
STARTS_AT: Final = datetime(2026, 6, 15, 4, tzinfo=UTC)
ACCOUNTS: Final = CommunityAccounts(pool=1, supplier=2, platform=3, rounding=4, grid=5)


def measure() -> list[Row]:
    """Time an interval both ways and return the ratio."""
    terms, metered = _city()
    document = preset("eu-energy-sharing")
    changed = changed_rules(document, {"retail_percent": 110, "solar_percent": 120})
    rules = load_rules(document)
    packed = _settled(rules, terms, metered)
    market, what_if = [], []
    for _ in range(TURNS):
        begun = time.perf_counter()
        _settled(rules, terms, metered)
        between = time.perf_counter()
        _asked(packed, changed, terms)
        market.append(between - begun)
        what_if.append(time.perf_counter() - between)
    seconds = median(what_if)
    ratio = median(one / other for one, other in zip(what_if, market, strict=True))
    return [
        Row("what if, against clearing and settling", ratio, "x", RATIO_MAX),
        Row("what if, an interval of 10,000 homes", seconds * 1e3, "ms"),
    ]


def _city() -> tuple[Terms, Metered]:
    seeded = np.random.default_rng(20_260_615)
    ids = np.arange(1, HOMES + 1, dtype=np.int64)
    none = np.zeros(HOMES, dtype=np.int64)
    terms = Terms(
        metering_point_ids=ids,
        account_ids=ids + 100,
        credit_limits=none,
        spread_keys=spread_keys([f"m{each}" for each in ids.tolist()]),
        offer_ids=ids,
        sell_limits=none,
        has_sell_limit=np.zeros(HOMES, dtype=np.bool_),
        request_ids=ids,
        buy_limits=none,
        has_buy_limit=np.zeros(HOMES, dtype=np.bool_),
        places=Places(zones=("main",), zone_of=none, levels=("",), level_of=none, weights=none),
    )
    has_roof = seeded.random(HOMES) < 0.4
    import_wh = np.where(has_roof, 0, seeded.integers(50, 900, HOMES))
    export_wh = np.where(has_roof, seeded.integers(50, 1500, HOMES), 0)
    return terms, Metered(ids, import_wh, export_wh)


def _settled(rules: Rules, terms: Terms, metered: Metered) -> bytes:
    """Clear and settle as the market does, up to what goes into the database."""
    book = clear_by_rules(
        rules=rules,
        starts_at=STARTS_AT,
        terms=terms,
        metered=metered,
        over_limit=np.zeros(HOMES, dtype=np.bool_),
        agreements=Agreements.none(),
    ).book
    assert transfers_between(None, entries_of(book, ACCOUNTS)) is not None
    return pack(book.canonical_bytes())


def _asked(packed: bytes, changed: ChangedRules, terms: Terms) -> None:
    """Compute an interval of a what-if, from its stored book to both sides' sums."""
    book = IntervalBook.unpacked(packed)
    settled = SettledInterval(STARTS_AT, 15, book, book, terms, Agreements.none(), None)
    roofs = Roofs(terms.metering_point_ids[:0], terms.metering_point_ids[:0])
    places = terms.places
    assert places is not None, "the city has places"
    zone_map = ZoneMap(places.zones, terms.metering_point_ids, places.zone_of)
    for outcome in (
        as_it_was(settled, changed.base),
        as_it_might_have_been(settled, changed, roofs, Solar(percent=120)),
    ):
        sums_of(outcome, zone_map=zone_map, accounts=ACCOUNTS, minutes=15, limits_wh=[])
