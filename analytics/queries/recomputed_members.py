"""What members' days come to, computed anew from readings, trades and transfers, with pandas."""

from typing import Final

import pandas as pd

from analytics.queries.recomputed_rows import DayRows, micro
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.raw_rows import list_statement_energies

_CODES: Final = {
    int(TransferCode.POOL_SALE): "pool_sale_micro",
    int(TransferCode.GRID_SALE): "grid_sale_micro",
    int(TransferCode.POOL_PURCHASE): "pool_purchase_micro",
    int(TransferCode.GRID_PURCHASE): "grid_purchase_micro",
}
_PARTS: Final = {
    int(TransferCode.AGREED_PURCHASE): "agreed_micro",
    int(TransferCode.GRID_FEE): "grid_fee_micro",
}
_ENERGIES: Final = ["bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"]


def recomputed_members(rows: DayRows) -> pd.DataFrame:
    """Return a row for each member that did anything, columns as in ``MemberDay``."""
    keys = ["interval", "member"]
    lines = _lines(rows).join(_energies(rows), how="outer").join(_fees(rows), how="outer")
    transfers = _transfers(rows)
    nets = transfers.groupby(keys)["amount"].sum()
    lines = lines.join(nets.rename("net"), how="outer")
    # Who has no reading is as well off as with the grid alone: nobody knows better.
    alone = lines["alone_micro"].where(lines["interval_count"].notna(), lines["net"])
    lines = lines.assign(alone_micro=alone).drop(columns="net").fillna(0)
    found = lines.groupby(level="member").sum()
    money = transfers.pivot_table(
        index="member", columns="code", values="amount", aggfunc="sum", fill_value=0
    )
    for code, name in {**_CODES, **_PARTS}.items():
        found[name] = money.get(code, 0)
    others = [code for code in money if code not in _CODES]
    found["other_micro"] = money[others].sum(axis=1)
    found = found.fillna(0).astype("int64")
    found = found[(found != 0).any(axis=1)]
    return found.reset_index().rename(columns={"member": "participant_id"})


def _lines(rows: DayRows) -> pd.DataFrame:
    """Return what was metered, by interval and member, and what the grid alone comes to."""
    metered = rows.readings.groupby(["interval", "member"])[["import_wh", "export_wh"]].sum()
    tariffs = rows.clearings.set_index("interval")[["retail", "feed_in"]]
    lines = metered.join(tariffs, on="interval")
    lines["alone_sale_micro"] = micro(lines["export_wh"], lines["feed_in"])
    lines["alone_micro"] = lines["alone_sale_micro"] - micro(lines["import_wh"], lines["retail"])
    lines["interval_count"] = 1
    return lines.drop(columns=["retail", "feed_in"])


def _energies(rows: DayRows) -> pd.DataFrame:
    """Return what was traded, and left for the grid, by interval and member."""
    keys = ["interval", "member"]
    metered = rows.readings.set_index(["interval", "point"])
    parts = []
    for side, column, names in (
        ("buyer", "import_wh", ("bought_wh", "agreed_bought_wh", "grid_import_wh", "retail")),
        ("seller", "export_wh", ("sold_wh", "agreed_sold_wh", "grid_export_wh", "feed_in")),
    ):
        traded_name, agreed_name, grid_name, tariff = names
        traded = rows.trades.groupby(["interval", f"{side}_member"])["quantity"].sum()
        agreed_rows = rows.trades[rows.trades["agreement"].notna()]
        agreed = agreed_rows.groupby(["interval", f"{side}_member"])["quantity"].sum()
        for part, name in ((traded, traded_name), (agreed, agreed_name)):
            part.index.names = keys
            parts.append(part.rename(name))
        at_tariff = agreed.rename("wh").reset_index().merge(rows.clearings, on="interval")
        at_tariff["micro"] = micro(at_tariff["wh"], at_tariff[tariff])
        alone = at_tariff.set_index(keys)["micro"]
        parts.append(alone.rename(agreed_name.replace("_wh", "_alone_micro")))
        # Only metering points with a reading have anything to do with the grid.
        of_point = rows.trades.groupby(["interval", side])["quantity"].sum()
        of_point.index.names = ["interval", "point"]
        left = metered[[column, "member"]].join(of_point).fillna({"quantity": 0})
        left["wh"] = left[column] - left["quantity"]
        parts.append(left.groupby(keys)["wh"].sum().rename(grid_name))
    energies = pd.concat(parts, axis=1)
    return _as_stated(rows, energies)


def _as_stated(rows: DayRows, energies: pd.DataFrame) -> pd.DataFrame:
    """Take what was traded ahead from members' statements: deviations have rules of their own."""
    ahead = rows.clearings[[each.get("mode") == "forward" for each in rows.clearings["document"]]]
    ids = [int(each) for each in ahead["interval"]]
    if not ids:
        return energies
    members = sorted({int(each) for each in rows.points["member"]})
    stated = pd.DataFrame(
        list_statement_energies(interval_ids=ids, participant_ids=members),
        columns=["interval", "member", *_ENERGIES],
    ).set_index(["interval", "member"])
    energies = energies.drop(columns=_ENERGIES).join(energies[_ENERGIES], how="outer")
    energies = energies.reindex(energies.index.union(stated.index))
    energies.loc[stated.index, _ENERGIES] = stated.astype("float64")
    return energies


def _fees(rows: DayRows) -> "pd.Series[int]":
    """Return the platform's fees by interval and member: of each metering point's purchases."""
    pool = rows.trades[rows.trades["agreement"].isna()]
    own = {
        clearing["interval"]: clearing["document"].get("deviation") == "own"
        and clearing["document"].get("mode") == "forward"
        for clearing in rows.clearings.to_dict("records")
    }
    billed = pool["kept_wh"].where(pool["interval"].map(own).astype(bool), pool["quantity"])
    bought = pool.assign(wh=billed).groupby(["interval", "buyer", "buyer_member"])["wh"].sum()
    frame = bought.reset_index().merge(rows.clearings[["interval", "fee"]], on="interval")
    frame["micro"] = -micro(frame["wh"], frame["fee"])
    fees = frame.groupby(["interval", "buyer_member"])["micro"].sum()
    fees.index.names = ["interval", "member"]
    return fees.rename("platform_fee_micro")


def _transfers(rows: DayRows) -> pd.DataFrame:
    """Return what came in and went out of members' accounts, out below zero."""
    members = rows.points.dropna(subset="account")[["account", "member"]].drop_duplicates()
    members = members.astype("int64")
    parts = []
    for side, sign in (("debit", -1), ("credit", 1)):
        own = rows.transfers.merge(members, left_on=side, right_on="account")
        parts.append(own.assign(amount=own["amount"] * sign))
    return pd.concat(parts)[["interval", "member", "code", "amount"]].astype("int64")
