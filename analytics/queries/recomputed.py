"""Rollups of a civil day computed anew from stored readings, trades and transfers, with pandas.

Nothing here is shared with what makes rollups but the rounding of money: both must come to the
same, or `differences` says where they do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db.models import Model

from analytics.models import (
    DayRollup,
    FlowDay,
    IntervalRollup,
    LinkDay,
    MarketRollup,
    MemberDay,
    ZoneDay,
    ZoneHour,
)
from analytics.queries.recomputed_members import recomputed_members
from analytics.queries.recomputed_rows import DayRows, micro, read_day
from marketplace.queries.rollups_days import has_pruned_money, list_day_intervals

SUMS: Final = [
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "priced_wh",
    "priced_micro",
]
_KEYS: Final[dict[type[Model], list[str]]] = {
    IntervalRollup: ["interval_id", "zone_id"],
    MarketRollup: ["interval_id"],
    ZoneHour: ["zone_id", "starts_at"],
    ZoneDay: ["zone_id"],
    FlowDay: ["from_zone_id", "from_group", "to_zone_id", "to_group"],
    LinkDay: ["from_zone_id", "to_zone_id"],
    MemberDay: ["participant_id"],
    DayRollup: ["day"],
}
# What says when something was made, or depends on the clock.
_NOT_COMPARED: Final = {"id", "computed_at", "is_due", "is_seeded", "final_count"}


@dataclass(frozen=True)
class Difference:
    """A column of a row that is not what it should be; None: the row or value is missing."""

    table: str
    key: str
    column: str
    stored: object
    recomputed: object

    def __str__(self) -> str:
        return (
            f"{self.table} {self.key}: {self.column} is {self.stored}, recomputed {self.recomputed}"
        )


def differences(day: DayRollup) -> Iterator[Difference]:
    """Yield every difference between the rollups of a day and what they are computed to anew."""
    rows = read_day(day)
    expected = recomputed_day(day, rows)
    for model, keys in _KEYS.items():
        yield from _compared(model, keys, _stored(model, day), expected[model])


def is_pruned(day: DayRollup) -> bool:
    """Return whether transfers of a day are kept no more, so that it cannot be computed anew."""
    intervals = list_day_intervals(
        community_id=day.community_id, start=day.starts_at, end=day.ends_at, now=day.ends_at
    )
    return has_pruned_money(intervals=intervals)


def recomputed_day(day: DayRollup, rows: DayRows) -> dict[type[Model], pd.DataFrame]:
    """Return what every table should have of a day."""
    zones = _interval_zones(rows)
    both = pd.concat([zones, _community(zones)], ignore_index=True)
    return {
        IntervalRollup: zones.drop(columns=["hour", "seconds", "retail", "feed_in", "low", "high"]),
        MarketRollup: _markets(rows, zones),
        ZoneHour: _grouped(both, ["zone_id", "hour"]).rename(columns={"hour": "starts_at"}),
        ZoneDay: _days(both),
        FlowDay: _flows(rows),
        LinkDay: _links(rows),
        MemberDay: recomputed_members(rows),
        DayRollup: pd.DataFrame(
            [
                {
                    "day": day.day,
                    "interval_count": rows.interval_count,
                    "settled_count": len(rows.intervals),
                    "missing_count": int(rows.clearings["missing"].sum()),
                    "rule_set_ids": sorted(set(rows.clearings["rule_set"].tolist())),
                    "revision_sum": int(rows.intervals["revision"].sum()),
                }
            ]
        ),
    }


def _interval_zones(rows: DayRows) -> pd.DataFrame:
    """Return a row for each interval and zone, also for zones without a reading."""
    zones = pd.DataFrame(sorted(rows.zones.items()), columns=["zone_code", "zone_id"])
    frame = rows.intervals.merge(zones, how="cross").merge(rows.clearings, on="interval")
    keys = ["interval", "zone"]
    metered = rows.readings.groupby(keys).agg(
        meter_count=("point", "count"),
        import_wh=("import_wh", "sum"),
        export_wh=("export_wh", "sum"),
    )
    pool = rows.trades[rows.trades["agreement"].isna()]
    parts: list[pd.DataFrame | pd.Series[int]] = [
        metered,
        rows.trades.groupby(["interval", "buyer_zone"])["kept_wh"].sum().rename("bought_wh"),
        rows.trades.groupby(["interval", "seller_zone"])["kept_wh"].sum().rename("sold_wh"),
        pool.groupby(["interval", "buyer_zone"])["kept_wh"].sum().rename("priced_wh"),
        pool.groupby(["interval", "buyer_zone"])["value"].sum().rename("priced_micro"),
    ]
    frame = frame.set_index(["interval", "zone_id"], drop=False)
    for part in parts:
        part.index.names = ["interval", "zone_id"]
        frame = frame.join(part)
    counted = ["meter_count", *(name for name in SUMS if not name.startswith("grid"))]
    frame[counted] = frame[counted].fillna(0).astype("int64")
    frame["grid_import_wh"] = frame["import_wh"] - frame["bought_wh"]
    frame["grid_export_wh"] = frame["export_wh"] - frame["sold_wh"]
    frame["price_micro_per_kwh"] = [
        price if prices is None else prices.get(code)
        for price, prices, code in zip(
            frame["price"], frame["prices"], frame["zone_code"], strict=True
        )
    ]
    frame["low"] = frame["high"] = pd.to_numeric(frame["price_micro_per_kwh"])
    frame["interval_id"] = frame["interval"]
    columns = ["interval_id", "zone_id", "starts_at", "revision", "meter_count", *SUMS]
    columns += ["price_micro_per_kwh", "hour", "seconds", "retail", "feed_in", "low", "high"]
    return frame[columns].reset_index(drop=True)


def _community(zones: pd.DataFrame) -> pd.DataFrame:
    """Add all zones of an interval up to the community's row."""
    first = dict.fromkeys(
        ["starts_at", "revision", "hour", "seconds", "retail", "feed_in"], "first"
    )
    sums = dict.fromkeys(["meter_count", *SUMS], "sum")
    found = zones.groupby("interval_id").agg({**first, **sums, "low": "min", "high": "max"})
    return found.reset_index().assign(zone_id=0)


def _grouped(both: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    grouped = both.groupby(keys)
    found = grouped[SUMS].sum()
    found["interval_count"] = grouped["interval_id"].nunique()
    found["meters_min"] = grouped["meter_count"].min()
    for name in ("retail", "feed_in"):
        found[f"{name}_micro_per_kwh"] = grouped[name].agg(_mean)
    return found.reset_index()


def _days(both: pd.DataFrame) -> pd.DataFrame:
    found = _grouped(both, ["zone_id"]).set_index("zone_id")
    grouped = both.groupby("zone_id")
    found["price_min_micro_per_kwh"] = grouped["low"].min()
    found["price_max_micro_per_kwh"] = grouped["high"].max()
    for peak, energy in (("peak_import_w", "grid_import_wh"), ("peak_alone_w", "import_wh")):
        watts = [
            round(Fraction(int(wh) * 3600, int(seconds)))
            for wh, seconds in zip(both[energy], both["seconds"], strict=True)
        ]
        found[peak] = pd.Series(watts, index=both["zone_id"]).groupby(level=0).max()
    return found.reset_index()


def _markets(rows: DayRows, zones: pd.DataFrame) -> pd.DataFrame:
    found = rows.intervals.merge(rows.clearings, on="interval").set_index("interval", drop=False)
    by_interval = zones.groupby("interval_id")
    found["meter_count"] = by_interval["meter_count"].sum()
    found["offered_wh"] = by_interval["export_wh"].sum()
    found["wanted_wh"] = by_interval["import_wh"].sum()
    for name, trades in (
        ("traded_wh", rows.trades),
        ("agreed_wh", rows.trades[rows.trades["agreement"].notna()]),
    ):
        found[name] = trades.groupby("interval")["kept_wh"].sum()
    found["value_micro"] = rows.trades.groupby("interval")["value"].sum()
    for side in ("seller", "buyer"):
        energy = rows.trades.groupby(["interval", f"{side}_member"])["kept_wh"].sum()
        energy = energy[energy > 0]
        found[f"{side}_count"] = energy.groupby(level=0).count()
        found[f"{side}_hhi"] = energy.groupby(level=0).agg(_hhi)
    links = rows.links.assign(lost=rows.links["sent"] - rows.links["received"])
    by_link = links.groupby("interval")
    found["lost_wh"] = by_link["lost"].sum()
    found["rent_micro"] = by_link["rent"].sum()
    found["congested_links"] = by_link["is_congested"].sum()
    names = ["traded_wh", "agreed_wh", "value_micro", "seller_count", "buyer_count"]
    names += ["lost_wh", "rent_micro", "congested_links"]
    found[names] = found[names].fillna(0).astype("int64")
    renamed = {
        "interval": "interval_id",
        "rule_set": "rule_set_id",
        "retail": "retail_micro_per_kwh",
        "feed_in": "feed_in_micro_per_kwh",
        "missing": "missing_count",
        "left_out": "left_out_count",
    }
    kept = ["starts_at", "ends_at", "revision", "cleared_at", "meter_count", "offered_wh"]
    kept += ["wanted_wh", *names, "seller_hhi", "buyer_hhi", *renamed.values()]
    return found.rename(columns=renamed)[kept].reset_index(drop=True)


def _flows(rows: DayRows) -> pd.DataFrame:
    """Return who delivered to whom, the grid included."""
    ends = ["from_zone_id", "from_group", "to_zone_id", "to_group"]
    trades = rows.trades.rename(
        columns={
            "seller_zone": "from_zone_id",
            "seller_role": "from_group",
            "buyer_zone": "to_zone_id",
            "buyer_role": "to_group",
            "seller": "origin",
            "buyer": "target",
            "kept_wh": "wh",
        }
    )
    parts = [trades[[*ends, "origin", "target", "wh", "value"]]]
    for column, side, mine, other in (
        ("import_wh", "buyer", "to", "from"),
        ("export_wh", "seller", "from", "to"),
    ):
        traded = rows.trades.groupby(["interval", side])["kept_wh"].sum()
        traded.index.names = ["interval", "point"]
        metered = rows.readings.set_index(["interval", "point"])[column]
        left = metered.sub(traded, fill_value=0).astype("int64").rename("wh").reset_index()
        left = left.merge(rows.points, on="point").merge(rows.clearings, on="interval")
        tariff = "retail" if column == "import_wh" else "feed_in"
        parts.append(
            pd.DataFrame(
                {
                    f"{mine}_zone_id": left["zone"],
                    f"{mine}_group": left["role"],
                    f"{other}_zone_id": 0,
                    f"{other}_group": "grid",
                    "origin": left["point"],
                    "target": left["point"],
                    "wh": left["wh"],
                    "value": micro(left["wh"], left[tariff]),
                }
            )
        )
    flows = pd.concat(parts, ignore_index=True)
    points = flows[flows["wh"] != 0]
    found = flows.groupby(ends).agg(wh=("wh", "sum"), value_micro=("value", "sum"))
    found["from_count"] = points.groupby(ends)["origin"].nunique()
    found["to_count"] = points.groupby(ends)["target"].nunique()
    found = found[(found["wh"] != 0) | (found["value_micro"] != 0)].fillna(0)
    return found.astype("int64").reset_index()


def _links(rows: DayRows) -> pd.DataFrame:
    links = rows.links.merge(rows.intervals[["interval", "seconds"]], on="interval")
    links["minutes"] = links["seconds"] // 60 * links["is_congested"]
    found = links.groupby(["from_zone_id", "to_zone_id"]).agg(
        sent_wh=("sent", "sum"),
        received_wh=("received", "sum"),
        limit_wh=("limit", "sum"),
        congested_minutes=("minutes", "sum"),
        rent_micro=("rent", "sum"),
    )
    return found.reset_index()


def _mean(values: "pd.Series[int]") -> int:
    return round(Fraction(int(values.sum()), len(values)))


def _hhi(energy: "pd.Series[int]") -> int:
    total = int(energy.sum())
    return round(Fraction(sum(int(each) ** 2 for each in energy) * 10_000, total**2))


def _stored(model: type[Model], day: DayRollup) -> pd.DataFrame:
    found = model._default_manager.filter(community_id=day.community_id)
    if model in (IntervalRollup, MarketRollup, ZoneHour):
        found = found.filter(starts_at__gte=day.starts_at, starts_at__lt=day.ends_at)
    else:
        found = found.filter(day=day.day)
    names = [field.name for field in model._meta.concrete_fields]
    return pd.DataFrame(list(found.values_list(*names)), columns=names)


def _compared(
    model: type[Model], keys: list[str], stored: pd.DataFrame, expected: pd.DataFrame
) -> Iterator[Difference]:
    names = [
        name
        for name in stored.columns
        if name not in {*_NOT_COMPARED, *keys, "community_id"}
        and not (name == "day" or (model is DayRollup and name in ("starts_at", "ends_at")))
    ]
    left, right = _by_key(stored, keys), _by_key(expected, keys)
    for key in sorted(left.keys() | right.keys(), key=str):
        said = _said(key)
        if key not in left or key not in right:
            yield Difference(
                model.__name__,
                said,
                "the row",
                left.get(key) is not None,
                right.get(key) is not None,
            )
            continue
        for name in names:
            one, other = _plain(left[key][name]), _plain(right[key][name])
            if one != other:
                yield Difference(model.__name__, said, name, one, other)


def _by_key(frame: pd.DataFrame, keys: list[str]) -> dict[tuple[object, ...], dict[Any, Any]]:
    return {tuple(row[name] for name in keys): row for row in frame.to_dict("records")}


def _said(key: tuple[Any, ...]) -> str:
    """Return a row's key for people."""
    return " ".join(str(part) for part in key)


def _plain(value: Any) -> object:
    if isinstance(value, list):
        return value
    if value is None or pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
