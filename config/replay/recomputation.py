"""Recompute every amount from trades, readings and tariffs, and hold it against what was posted.

Deliberately written a second time, with other means than ``marketplace.domain.settlement``: data
frames keyed by account, and Python's own rounding of integers. The two must agree to the micro.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import pandas as pd

from ledger.queries import list_transfer_columns
from marketplace.domain.rules import BandPrices, load_rules
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.period import (
    CommunityParties,
    SettledInterval,
    get_community_parties,
    get_energy_accounts,
    get_rule_documents,
    list_settled_intervals,
    list_settlement_keys,
    list_trades,
)
from marketplace.queries.terms import list_current_readings

POSITIONS_AT_ONCE = 100_000  # bounds memory
MEMBER_PAYS = (TransferCode.POOL_PURCHASE, TransferCode.GRID_PURCHASE)


class Comparison:
    """Running sums over intervals: what was posted per reason, and how far it is off. [micro]"""

    def __init__(self) -> None:
        self.posted_micro = dict.fromkeys(TransferCode, 0)
        self.imbalance_micro = 0
        self.transfers = 0

    def add(self, posted: pd.Series, due: pd.Series, transfers: int) -> None:
        """Add one interval's amounts, indexed by (code, account)."""
        both = pd.concat([posted.rename("posted"), due.rename("due")], axis=1).fillna(0)
        self.imbalance_micro += int((both["posted"] - both["due"]).abs().sum())
        for code, amount in posted.groupby(level="code").sum().items():
            self.posted_micro[TransferCode(int(str(code)))] += int(amount)
        self.transfers += transfers


def compare_community(community_id: int) -> Comparison:
    """Recompute a community's whole history and compare it with the ledger."""
    parties = get_community_parties(community_id=community_id)
    accounts = pd.Series(get_energy_accounts(community_id=community_id), dtype="int64")
    rules = {
        rule_set_id: load_rules(document)
        for rule_set_id, document in get_rule_documents(community_id=community_id).items()
    }
    comparison = Comparison()
    intervals = list_settled_intervals(community_id=community_id)
    at_once = max(1, POSITIONS_AT_ONCE // max(1, len(accounts)))
    while batch := list(islice(intervals, at_once)):
        prices = {each.id: rules[each.rule_set_id].prices_at(each.starts_at) for each in batch}
        posted, transfers = _posted(batch, parties)
        comparison.add(posted, _due(batch, prices, accounts, parties), transfers)
    return comparison


def _posted(
    intervals: Sequence[SettledInterval], parties: CommunityParties
) -> tuple[pd.Series, int]:
    """Return what intervals' transfers sum to, signed in the direction each reason names."""
    keys = list_settlement_keys(interval_ids=[each.id for each in intervals])
    columns = list_transfer_columns(keys=list(keys))
    frame = pd.DataFrame(columns.T, columns=["interval", "debit", "credit", "amount", "code"])
    frame["interval"] = np.array(list(keys.values()), dtype=np.int64)[frame["interval"]]
    # The pool or the supplier is one side of every transfer; the other side is whose it is.
    own = frame["debit"].isin([parties.pool_account_id, parties.supplier_account_id])
    frame["account"] = frame["credit"].where(own, frame["debit"])
    forward = own != frame["code"].isin(MEMBER_PAYS)
    frame["amount"] = frame["amount"].where(forward, -frame["amount"])
    return _summed([frame]), len(frame)


def _due(
    intervals: Sequence[SettledInterval],
    prices: Mapping[int, BandPrices],
    accounts: pd.Series,
    parties: CommunityParties,
) -> pd.Series:
    """Return what intervals' trades and readings come to at their tariffs."""
    trades = pd.DataFrame(
        list_trades(intervals=intervals).T, columns=["interval", "buyer", "seller", "wh", "price"]
    )
    due = pd.DataFrame(
        list_current_readings(interval_ids=[each.id for each in intervals]).T,
        columns=["interval", "point", "version", "import_wh", "export_wh", "quality"],
    )
    clearing_price = trades.groupby("interval")["price"].first()
    for column, side in (("bought", "buyer"), ("sold", "seller")):
        sums = trades.groupby(["interval", side])["wh"].sum()
        positions = pd.MultiIndex.from_frame(due[["interval", "point"]])
        due[column] = sums.reindex(positions, fill_value=0).to_numpy()
    due["account"] = accounts.reindex(due["point"]).to_numpy()
    due["price"] = due["interval"].map(clearing_price).fillna(0).astype("int64")
    due["retail"] = due["interval"].map({key: each[0] for key, each in prices.items()})
    due["feed_in"] = due["interval"].map({key: each[1] for key, each in prices.items()})
    due["fee"] = due["interval"].map({key: each[2] for key, each in prices.items()})
    paid, fees = _priced(due["bought"], due["price"]), _priced(due["bought"], due["fee"])
    earned = _priced(due["sold"], due["price"])
    amounts = {
        TransferCode.POOL_PURCHASE: paid + fees,
        TransferCode.POOL_SALE: earned,
        TransferCode.GRID_PURCHASE: _priced(due["import_wh"] - due["bought"], due["retail"]),
        TransferCode.GRID_SALE: _priced(due["export_wh"] - due["sold"], due["feed_in"]),
    }
    rows = [
        due[["interval", "account"]].assign(code=int(code), amount=amounts[code])
        for code in amounts
    ]
    for code, account, left in (
        (TransferCode.PLATFORM_FEE, parties.platform_account_id, fees),
        (TransferCode.ROUNDING, parties.rounding_account_id, paid - earned),
    ):
        rows.append(due[["interval"]].assign(account=account, code=int(code), amount=left))
    return _summed(rows)


def _priced(quantities_wh: pd.Series, prices: pd.Series) -> pd.Series:
    """Price energies; ``round(n, -3)`` of an int is exact, and half goes to even."""
    amounts = [round(product, -3) // 1000 for product in (quantities_wh * prices).tolist()]
    return pd.Series(amounts, index=quantities_wh.index, dtype="int64")


def _summed(rows: Sequence[pd.DataFrame]) -> pd.Series:
    keys = ["interval", "code", "account"]
    return pd.concat(rows).groupby(keys)["amount"].sum().astype("int64")
