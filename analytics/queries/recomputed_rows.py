"""The stored rows of a civil day as frames, with what zones and members they belong to."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from analytics.models import DayRollup
from marketplace.domain.money import signed_amounts_micro
from marketplace.queries import raw_rows

SETTLED: Final = 4
LINK: Final = [
    *("interval", "from_zone_id", "to_zone_id", "sent", "received", "limit", "rent"),
    "is_congested",
]


@dataclass(frozen=True, eq=False)
class DayRows:
    """What a day's rollups are computed from; only of intervals that are settled.

    ``clearings`` and ``trades`` are of the latest revisions, ``readings`` of the latest versions;
    ``trades.kept_wh`` is what was delivered of what was traded ahead.
    """

    interval_count: int
    intervals: pd.DataFrame
    clearings: pd.DataFrame
    points: pd.DataFrame
    zones: dict[str, int]
    readings: pd.DataFrame
    trades: pd.DataFrame
    transfers: pd.DataFrame
    links: pd.DataFrame


def read_day(day: DayRollup) -> DayRows:
    """Read everything of a day."""
    every = _frame(
        raw_rows.list_intervals(
            community_id=day.community_id, start=day.starts_at, end=day.ends_at
        ),
        raw_rows.INTERVAL,
    )
    settled = (every["state"] >= SETTLED) & ~every["has_news"].astype(bool)
    intervals = every[settled].reset_index(drop=True)
    ids = [int(each) for each in intervals["interval"]]
    seconds = (intervals["ends_at"] - intervals["starts_at"]).dt.total_seconds()
    since = (intervals["starts_at"] - day.starts_at).dt.total_seconds()
    hours = pd.to_timedelta(since // 3600, unit="h")
    intervals = intervals.assign(seconds=seconds.astype("int64"), hour=day.starts_at + hours)
    latest = intervals[["interval", "revision"]]
    points = _frame(raw_rows.list_points(community_id=day.community_id), raw_rows.POINT)
    clearings = _frame(raw_rows.list_clearings(interval_ids=ids), raw_rows.CLEARING).merge(latest)
    zones = raw_rows.list_zones(community_id=day.community_id)
    return DayRows(
        interval_count=len(every),
        intervals=intervals,
        clearings=clearings.drop(columns="revision"),
        points=points,
        zones=zones,
        readings=_readings(ids).merge(points, on="point"),
        trades=_trades(ids, latest, points),
        transfers=_frame(
            raw_rows.list_settling_transfers(
                revisions=list(zip(ids, map(int, intervals["revision"]), strict=True))
            ),
            raw_rows.TRANSFER,
        ),
        links=_links(clearings, zones),
    )


def micro(energy: "pd.Series[int]", prices: "pd.Series[int]") -> "np.ndarray[Any, Any]":
    """Price energies, each rounded as money is."""
    return signed_amounts_micro(
        np.array(energy, dtype=np.int64), np.array(prices.fillna(0), dtype=np.int64)
    )


def _frame(rows: raw_rows.Rows, columns: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns))
    for name in ("starts_at", "ends_at", "cleared_at"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def _readings(interval_ids: list[int]) -> pd.DataFrame:
    every = _frame(raw_rows.list_readings(interval_ids=interval_ids), raw_rows.READING)
    latest = every.sort_values("version").drop_duplicates(["interval", "point"], keep="last")
    return latest.astype("int64")


def _trades(interval_ids: list[int], latest: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    trades = _frame(raw_rows.list_matches(interval_ids=interval_ids), raw_rows.MATCH).merge(latest)
    kept = trades["delivered_wh"].where(trades["delivered_wh"].notna(), trades["quantity"])
    trades = trades.assign(kept_wh=kept.astype("int64"))
    trades = trades.astype({"quantity": "int64", "price": "int64"})
    trades["value"] = micro(trades["kept_wh"], trades["price"])
    for side in ("seller", "buyer"):
        there = points[["point", "zone", "member", "role"]].add_prefix(f"{side}_")
        trades = trades.merge(there, left_on=side, right_on=f"{side}_point")
    return trades


def _links(clearings: pd.DataFrame, zones: dict[str, int]) -> pd.DataFrame:
    rows = []
    for clearing in clearings.to_dict("records"):
        prices = clearing["prices"] or {}
        links = clearing["document"].get("links", []) if clearing["flows"] else []
        for link, flow in zip(links, clearing["flows"] or [], strict=True):
            sent, received, limit = flow["sent"], flow["received"], link["limit_wh"]
            brought, cost, fee = micro(
                pd.Series([received, sent, sent]),
                pd.Series(
                    [
                        prices.get(link["to"]) or 0,
                        prices.get(link["from"]) or 0,
                        link["fee_micro_per_kwh"],
                    ]
                ),
            ).tolist()
            ends = zones[link["from"]], zones[link["to"]]
            rent = brought - cost - fee
            congested = int(limit > 0 and sent >= limit)
            rows.append((clearing["interval"], *ends, sent, received, limit, rent, congested))
    return pd.DataFrame(rows, columns=LINK).astype("int64")
