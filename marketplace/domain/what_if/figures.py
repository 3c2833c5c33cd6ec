"""What intervals come to: sums by zone and by party, of a book that happened or might have.

Plain whole numbers under fixed names, so that days can be stored, added up and compared. The same
function reads both sides, and the side that happened is the sum of the ledger's transfers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.keyed_sums import rows_of, summed_by
from marketplace.domain.market_part import MarketPart
from marketplace.domain.position_money import deviations_of, positions_of, traders_of
from marketplace.domain.pricing_comparison import Nets, nets_of
from marketplace.domain.settlement import CommunityAccounts, Entries, entries_of
from marketplace.domain.transfer_codes import TransferCode
from marketplace.domain.what_if.interval import Outcome

# Added up over intervals; what stands in _MOST is the greatest of them, in _FEWEST the least.
ENERGIES: Final = (
    "interval_count",
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "pool_wh",
    "pool_micro",
    "made_wh",
    "own_used_wh",
)
_MOST: Final = ("peak_import_w",)
_FEWEST: Final = ("meters_min",)
PARTIES: Final = ("members", "supplier", "grid", "platform", "pool", "rounding")
MONEY: Final = (
    *(f"{party}_micro" for party in PARTIES),
    "platform_fees_micro",
    "grid_fees_micro",
    "rent_micro",
    "lost_wh",
    "congested_minutes",
)
ALL: Final = ""


@dataclass
class Side:
    """Sums of one side of a what-if: by zone, ``""`` for all of them, and by party."""

    zones: dict[str, dict[str, int]] = field(default_factory=dict)
    money: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MONEY, 0))

    def add(self, other: Self) -> None:
        """Add another side's sums to these."""
        for zone, figures in other.zones.items():
            known = self.zones.get(zone)
            if known is None:
                self.zones[zone] = dict(figures)
                continue
            for name in ENERGIES:
                known[name] += figures[name]
            for name in _MOST:
                known[name] = max(known[name], figures[name])
            for name in _FEWEST:
                known[name] = min(known[name], figures[name])
        for name in MONEY:
            self.money[name] += other.money[name]

    def document(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {"zones": self.zones, "money": self.money}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Return a side that was stored."""
        zones = {zone: dict(figures) for zone, figures in document["zones"].items()}
        return cls(zones, dict(document["money"]))


@dataclass(frozen=True, eq=False)
class ZoneMap:
    """The zone of every metering point of a community."""

    zones: Sequence[str]
    ids: Int64Array
    zone_of: Int64Array

    def of(self, ids: Int64Array) -> Int64Array:
        """Return the zones of metering points, as indices."""
        rows, found = rows_of(ids, self.ids)
        return np.where(found, self.zone_of[rows] if len(self.zone_of) else 0, 0)


def sums_of(
    outcome: Outcome,
    *,
    zone_map: ZoneMap,
    accounts: CommunityAccounts,
    minutes: int,
    limits_wh: Sequence[int],
) -> tuple[Side, Nets]:
    """Add up an interval by zone and party.

    Parameters
    ----------
    outcome : Outcome
        Its book and trades.
    zone_map : ZoneMap
        Where metering points are, whatever zones the rules know.
    accounts : CommunityAccounts
        Of the parties that are not members.
    minutes : int
        Length of the interval.
    limits_wh : sequence of int
        Of the rule set's links, in their order.

    Returns
    -------
    Side, Nets
        Sums, and what each account received less what it paid.
    """
    book = outcome.book
    entries = entries_of(book, accounts)
    nets = nets_of(entries)
    side = Side(_energies(outcome, zone_map, minutes))
    money = side.money
    for party in PARTIES[1:]:
        money[f"{party}_micro"] = int(nets.amounts[nets.accounts == getattr(accounts, party)].sum())
    money["members_micro"] = -sum(money[f"{party}_micro"] for party in PARTIES[1:])
    money["platform_fees_micro"] = _of_codes(entries, TransferCode.PLATFORM_FEE)
    money["grid_fees_micro"] = _of_codes(entries, TransferCode.GRID_FEE, TransferCode.LINK_FEE)
    money["rent_micro"] = _of_codes(entries, TransferCode.CONGESTION_RENT)
    if book.market is not None:
        _add_links(money, book.market, minutes, limits_wh)
    return side, nets


def _of_codes(entries: Entries, *codes: TransferCode) -> int:
    wanted = np.isin(entries.codes, [int(code) for code in codes])
    return int(entries.amounts[wanted].sum())


def _add_links(
    money: dict[str, int], part: MarketPart, minutes: int, limits_wh: Sequence[int]
) -> None:
    money["lost_wh"] = int((part.sent - part.received).sum())
    pairs = zip(part.sent.tolist(), limits_wh, strict=False)
    full = sum(sent >= limit and sent > 0 for sent, limit in pairs)
    money["congested_minutes"] = minutes * full


def _energies(outcome: Outcome, zone_map: ZoneMap, minutes: int) -> dict[str, dict[str, int]]:
    book = outcome.book
    ids = book.metering_point_ids
    bought, sold = _traded(outcome)
    pool_wh, pool_micro = _pool(book)
    columns = {
        "import_wh": book.import_wh,
        "export_wh": book.export_wh,
        "bought_wh": bought,
        "sold_wh": sold,
        # Below zero where a late reading takes back what was traded before.
        "grid_import_wh": book.import_wh - bought,
        "grid_export_wh": book.export_wh - sold,
        "pool_wh": pool_wh,
        "pool_micro": pool_micro,
        "made_wh": summed_by(ids, outcome.ids, outcome.made_wh),
        "own_used_wh": summed_by(ids, outcome.ids, outcome.own_used_wh),
    }
    zone_of, count = zone_map.of(ids), len(zone_map.zones)
    meters = np.bincount(zone_of, minlength=count)
    by_zone = {name: _by_zone(zone_of, values, count) for name, values in columns.items()}
    found = {}
    for index, zone in enumerate([*zone_map.zones, ALL]):
        is_all = index == count
        figures = {
            name: int(sums.sum() if is_all else sums[index]) for name, sums in by_zone.items()
        }
        figures["interval_count"] = 1
        figures["meters_min"] = int(meters.sum() if is_all else meters[index])
        figures["peak_import_w"] = figures["grid_import_wh"] * 60 // minutes
        found[zone] = figures
    return found


def _by_zone(zone_of: Int64Array, values: Int64Array, count: int) -> Int64Array:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, zone_of, values)
    return sums


def _traded(outcome: Outcome) -> tuple[Int64Array, Int64Array]:
    """Return what each position bought from and sold to neighbours, as delivered. [Wh]"""
    book, part = outcome.book, outcome.book.market
    ids = book.metering_point_ids
    if part is not None and part.is_forward:
        matches = outcome.matches
        kept = np.where(matches.delivered_wh < 0, matches.wh, matches.delivered_wh)
        return summed_by(ids, matches.buyers, kept), summed_by(ids, matches.sellers, kept)
    bought, sold = book.bought_wh, book.sold_wh
    if part is not None:
        bought = bought + summed_by(ids, part.match_buyers, part.match_wh)
        sold = sold + summed_by(ids, part.match_sellers, part.match_wh)
    return bought, sold


def _pool(book: IntervalBook) -> tuple[Int64Array, Int64Array]:
    """Return what each position bought in the pool and what it paid there, without fees."""
    positions = positions_of(book)
    traders = traders_of(book, positions)
    ids, count = book.metering_point_ids, len(positions.ids)
    bought = positions.bought
    if book.market is not None and book.market.deviation == "own":
        bought = deviations_of(book, positions).taken
    return (
        summed_by(ids, positions.ids, bought),
        summed_by(ids, traders.ids[:count], traders.paid[:count]),
    )
