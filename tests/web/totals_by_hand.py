"""A community's figures from its raw rows: readings, trades and the ledger's transfers, by hand.

Nothing of the rollups and nothing of what pages read is used here, so that what a page shows can
be compared with it. Small numbers of plain rows; the rules are those of docs/rules.md.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

from ledger.models import Transfer
from marketplace.domain.transfer_codes import TransferCode as Code
from marketplace.models import DeliveryInterval, Match, MeteringPoint, Reading

Value = int | float | None
SUMS: Final = (
    *("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"),
    *("priced_wh", "priced_micro", "self_sufficiency", "self_consumption", "price_micro_per_kwh"),
)
MONEY: Final = (
    *("pool_sale_micro", "grid_sale_micro", "pool_purchase_micro", "grid_purchase_micro"),
    *("other_micro", "net_micro", "alone_micro", "saved_micro", "earned_micro", "paid_micro"),
)
_OWN_LINES: Final = {
    Code.POOL_SALE: "pool_sale_micro",
    Code.GRID_SALE: "grid_sale_micro",
    Code.POOL_PURCHASE: "pool_purchase_micro",
    Code.GRID_PURCHASE: "grid_purchase_micro",
}


@dataclass(frozen=True)
class Trade:
    """A trade of the latest revision."""

    seller: int
    buyer: int
    wh: int
    price_micro: int
    is_agreed: bool


def micro(wh: int, price: int) -> int:
    """Price an energy; Python rounds halves to even, as the protocol does."""
    return round(Fraction(wh * price, 1000))


class Books:
    """All rows of a community, and any figure from them."""

    def __init__(self, community_id: int, rules: Mapping[str, Any]) -> None:
        self._rules = rules
        self.zone = ZoneInfo(rules["timezone"])
        self.intervals = {
            row.pk: row for row in DeliveryInterval.objects.filter(community=community_id)
        }
        self.points = {
            row.pk: row
            for row in MeteringPoint.objects.filter(community=community_id).select_related(
                "site__participant"
            )
        }
        owners = [point.site.participant for point in self.points.values()]
        self.members = {owner.pk for owner in owners}
        self.accounts = {owner.energy_account_id for owner in owners}
        self.readings = {
            (row.interval_id, row.metering_point_id): row
            for row in Reading.objects.filter(interval__in=self.intervals).order_by("version")
        }
        self.trades: dict[int, list[Trade]] = defaultdict(list)
        for row in Match.objects.filter(interval__in=self.intervals):
            if row.revision == self.intervals[row.interval_id].revision:
                assert row.delivered_wh is None
                self.trades[row.interval_id].append(
                    Trade(
                        row.seller_point_id,
                        row.buyer_point_id,
                        row.quantity,
                        row.price_micro,
                        row.agreement_id is not None,
                    )
                )

    @cached_property
    def money(self) -> dict[tuple[int, int, int], int]:
        """What came in less what went out, by interval, account and code: all of the ledger's."""
        sums: dict[tuple[int, int, int], int] = defaultdict(int)
        for row in Transfer.objects.select_related("command"):
            subject, _, rest = row.command.key.partition(":")
            if subject != "settle" or int(rest.partition(":")[0]) not in self.intervals:
                continue
            interval = int(rest.partition(":")[0])
            sums[interval, row.debit_account_id, row.code] -= row.amount
            sums[interval, row.credit_account_id, row.code] += row.amount
        return sums

    def value(self, of: str, name: str, start: datetime, end: datetime) -> Value:
        """Return a figure of a scope over a time; KeyError where this module knows none."""
        kind, _, number = of.partition(":")
        ids = [
            key
            for key, row in self.intervals.items()
            if start <= row.starts_at and row.ends_at <= end
        ]
        if kind == "member":
            return self._member(int(number), name, ids)
        points = {
            key
            for key, point in self.points.items()
            if kind == "community" or point.site.zone_id == int(number)
        }
        sums = self._energies(points, ids)
        return {**dict.fromkeys(SUMS[:8], 0), **sums, **_quotients(sums)}[name]

    def _energies(self, points: set[int], ids: list[int]) -> dict[str, int]:
        """Add up what metering points did, in the market and with the grid."""
        sums: dict[str, int] = defaultdict(int)
        for interval in ids:
            for point in points:
                reading = self.readings.get((interval, point))
                if reading is not None:
                    sums["import_wh"] += reading.import_wh
                    sums["export_wh"] += reading.export_wh
            for trade in self.trades[interval]:
                sums["sold_wh"] += trade.wh * (trade.seller in points)
                sums["bought_wh"] += trade.wh * (trade.buyer in points)
                if trade.buyer in points and not trade.is_agreed:
                    sums["priced_wh"] += trade.wh
                    sums["priced_micro"] += micro(trade.wh, trade.price_micro)
        sums["grid_import_wh"] = sums["import_wh"] - sums["bought_wh"]
        sums["grid_export_wh"] = sums["export_wh"] - sums["sold_wh"]
        return sums

    def _member(self, participant: int, name: str, ids: list[int]) -> int:
        mine = {
            key: point
            for key, point in self.points.items()
            if point.site.participant_id == participant
        }
        [account] = {point.site.participant.energy_account_id for point in mine.values()}
        sums: dict[str, int] = self._energies(set(mine), ids)
        for interval in ids:
            net = 0
            for code in Code:
                amount = self.money.get((interval, account or 0, code), 0)
                sums[_OWN_LINES.get(code, "other_micro")] += amount
                net += amount
            sums["net_micro"] += net
            rows = [self.readings.get((interval, point)) for point in mine]
            sums["alone_micro"] += (
                net if None in rows else sum(self._alone(row) for row in rows if row is not None)
            )
        sums["earned_micro"] = sums["pool_sale_micro"] + sums["grid_sale_micro"]
        sums["paid_micro"] = -sums["pool_purchase_micro"] - sums["grid_purchase_micro"]
        sums["saved_micro"] = sums["net_micro"] - sums["alone_micro"]
        return {**dict.fromkeys((*SUMS[:8], *MONEY), 0), **sums}[name]

    def _alone(self, reading: Reading) -> int:
        """Return what a reading comes to at the supplier's tariffs."""
        at = self.intervals[reading.interval_id].starts_at.astimezone(self.zone)
        sent = micro(reading.export_wh, self._tariff("feed_in_tariff", at))
        return sent - micro(reading.import_wh, self._tariff("retail_tariff", at))

    def _tariff(self, tariff: str, at: datetime) -> int:
        [price] = [
            line["price_micro_per_kwh"]
            for line in self._rules[tariff]
            if line["from"] <= f"{at:%H:%M}" < line["to"]
        ]
        return int(price)


def _quotients(sums: Mapping[str, int]) -> dict[str, Value]:
    """Return what is divided; None where there is nothing to divide by."""

    def share(part: str, whole: str) -> float | None:
        return sums[part] / sums[whole] if sums[whole] else None

    price = sums["priced_wh"] and Fraction(sums["priced_micro"] * 1000, sums["priced_wh"])
    return {
        "self_sufficiency": share("bought_wh", "import_wh"),
        "self_consumption": share("sold_wh", "export_wh"),
        "price_micro_per_kwh": round(price) if price else None,
    }
