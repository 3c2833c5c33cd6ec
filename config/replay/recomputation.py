"""Recompute every amount from trades, readings and tariffs, and hold it against what was posted.

Deliberately written a second time, with other means than ``marketplace.domain.settlement``: data
frames keyed by account, and Python's own rounding of integers. The two must agree to the micro.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import pandas as pd

from ledger.queries import list_transfer_columns
from marketplace.domain.rules import Rules, load_rules
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.period import (
    CommunityParties,
    SettledInterval,
    ZoneOutcome,
    get_community_parties,
    get_energy_places,
    get_rule_documents,
    get_zone_outcomes,
    list_sales,
    list_settled_intervals,
    list_settlement_keys,
    list_trades,
)
from marketplace.queries.terms import list_current_readings

POSITIONS_AT_ONCE = 100_000  # bounds memory
MEMBER_PAYS = (TransferCode.POOL_PURCHASE, TransferCode.GRID_PURCHASE, TransferCode.GRID_FEE)


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
    places = pd.DataFrame.from_dict(
        {
            point: (place.account_id, place.zone, place.level)
            for point, place in get_energy_places(community_id=community_id).items()
        },
        orient="index",
        columns=["account", "zone", "level"],
    )
    rules = {
        rule_set_id: load_rules(document)
        for rule_set_id, document in get_rule_documents(community_id=community_id).items()
    }
    comparison = Comparison()
    intervals = list_settled_intervals(community_id=community_id)
    at_once = max(1, POSITIONS_AT_ONCE // max(1, len(places)))
    while batch := list(islice(intervals, at_once)):
        posted, transfers = _posted(batch, parties)
        comparison.add(posted, _due(batch, rules, places, parties), transfers)
    return comparison


def _posted(
    intervals: Sequence[SettledInterval], parties: CommunityParties
) -> tuple[pd.Series, int]:
    """Return what intervals' transfers sum to, signed in the direction each reason names."""
    keys = list_settlement_keys(interval_ids=[each.id for each in intervals])
    columns = list_transfer_columns(keys=list(keys))
    frame = pd.DataFrame(columns.T, columns=["interval", "debit", "credit", "amount", "code"])
    frame["interval"] = np.array(list(keys.values()), dtype=np.int64)[frame["interval"]]
    # A party of the community is one side of a transfer; the other side is whose it is.
    own = frame["debit"] == frame["code"].map(_counterparts(parties))
    frame["account"] = frame["credit"].where(own, frame["debit"])
    forward = own != frame["code"].isin(MEMBER_PAYS)
    frame["amount"] = frame["amount"].where(forward, -frame["amount"])
    # What members agreed on has none: it is one's and, turned round, the other's.
    agreed = frame[frame["code"] == TransferCode.AGREED_PURCHASE]
    sides = [
        agreed.assign(account=agreed[side], amount=sign * agreed["amount"].abs())
        for side, sign in (("debit", 1), ("credit", -1))
    ]
    rest = frame[frame["code"] != TransferCode.AGREED_PURCHASE]
    return _summed([rest, *sides]), len(frame)


def _counterparts(parties: CommunityParties) -> dict[int, int | None]:
    """Return the community's own side of each code; nothing else is settled from readings."""
    supplied = (TransferCode.GRID_PURCHASE, TransferCode.GRID_SALE)
    return {
        **dict.fromkeys(map(int, TransferCode), parties.pool_account_id),
        **dict.fromkeys(map(int, supplied), parties.supplier_account_id),
        int(TransferCode.GRID_FEE): parties.grid_account_id,
    }


def _due(
    intervals: Sequence[SettledInterval],
    rules: Mapping[int, Rules],
    places: pd.DataFrame,
    parties: CommunityParties,
) -> pd.Series:
    """Return what intervals' trades and readings come to at their tariffs."""
    trades = pd.DataFrame(
        list_trades(intervals=intervals).T,
        columns=["interval", "buyer", "seller", "wh", "price", "agreement"],
    )
    agreed, pooled = trades[trades["agreement"] > 0], trades[trades["agreement"] == 0]
    due = pd.DataFrame(
        list_current_readings(interval_ids=[each.id for each in intervals]).T,
        columns=["interval", "point", "version", "import_wh", "export_wh", "quality"],
    )
    for name, side, part in (
        ("bought", "buyer", pooled),
        ("sold", "seller", pooled),
        ("agreed_in", "buyer", agreed),
        ("agreed_out", "seller", agreed),
    ):
        due[name] = _by_position(due, part, side, part["wh"])
    lossy = [each for each in intervals if _has_losses(rules[each.rule_set_id])]
    if lossy:
        sales = pd.DataFrame(list_sales(intervals=lossy).T, columns=["interval", "seller", "wh"])
        sold = _by_position(due, sales, "seller", sales["wh"])
        due["sold"] = due["sold"].where(~due["interval"].isin(sales["interval"]), sold)
    due["account"] = places.reindex(due["point"])["account"].to_numpy()
    prices = {each.id: rules[each.rule_set_id].prices_at(each.starts_at) for each in intervals}
    for index, name in enumerate(("retail", "feed_in", "fee")):
        due[name] = due["interval"].map({key: each[index] for key, each in prices.items()})
    due["zone"] = places.reindex(due["point"])["zone"].to_numpy()
    outcomes = get_zone_outcomes(intervals=intervals)
    by_bid = {each.id for each in intervals if rules[each.rule_set_id].pricing == "pay_as_bid"}
    paid, earned = _pool_amounts(due, pooled, outcomes, by_bid)
    fees = _priced(due["bought"], due["fee"])
    amounts = {
        TransferCode.POOL_PURCHASE: paid + fees,
        TransferCode.POOL_SALE: earned,
        TransferCode.GRID_PURCHASE: _priced(
            due["import_wh"] - due["bought"] - due["agreed_in"], due["retail"]
        ),
        TransferCode.GRID_SALE: _priced(
            due["export_wh"] - due["sold"] - due["agreed_out"], due["feed_in"]
        ),
        TransferCode.GRID_FEE: _grid_fees(due, agreed, places, rules, intervals),
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
    rows.append(_link_money(outcomes, rules, intervals, parties))
    moved = _priced(agreed["wh"], agreed["price"])
    for side, sign in (("buyer", 1), ("seller", -1)):
        accounts = places.reindex(agreed[side])["account"].to_numpy()
        rows.append(
            agreed[["interval"]].assign(
                account=accounts, code=int(TransferCode.AGREED_PURCHASE), amount=sign * moved
            )
        )
    return _summed(rows)


def _pool_amounts(
    due: pd.DataFrame,
    pooled: pd.DataFrame,
    outcomes: Mapping[int, ZoneOutcome],
    by_bid: set[int],
) -> tuple[pd.Series, pd.Series]:
    """Return what each position paid and earned: at its zone's price, or trade by trade."""
    one_price = pooled.groupby("interval")["price"].first().to_dict()
    prices = pd.Series(
        [
            (
                outcomes[interval].prices.get(zone)
                if interval in outcomes
                else one_price.get(interval)
            )
            or 0
            for interval, zone in zip(due["interval"], due["zone"], strict=True)
        ],
        index=due.index,
        dtype="int64",
    )
    at_one_price = ~due["interval"].isin(by_bid)
    paid, earned = (
        _priced(due[name], prices).where(
            at_one_price, _by_position(due, pooled, side, _priced(pooled["wh"], pooled["price"]))
        )
        for name, side in (("bought", "buyer"), ("sold", "seller"))
    )
    return paid, earned


def _has_losses(rules: Rules) -> bool:
    return any(link.loss_ppm for link in rules.market.links)


def _link_money(
    outcomes: Mapping[int, ZoneOutcome],
    rules: Mapping[int, Rules],
    intervals: Sequence[SettledInterval],
    parties: CommunityParties,
) -> pd.DataFrame:
    """Return fees of links and congestion rents, which rounding leaves out."""
    rows = []
    for each in intervals:
        market = rules[each.rule_set_id].market
        if each.id not in outcomes or not market.links:
            continue
        outcome, fees, rent = outcomes[each.id], 0, 0
        prices = [outcome.prices[zone] or 0 for zone in market.zones]
        for link, (sent, received) in zip(market.links, outcome.flows, strict=True):
            fee = _amount(sent * link.fee_micro_per_kwh)
            fees += fee
            rent += _amount(received * prices[link.to_zone]) - fee
            rent -= _amount(sent * prices[link.from_zone])
        for code, account, amount in (
            (TransferCode.LINK_FEE, parties.grid_account_id, fees),
            (TransferCode.CONGESTION_RENT, parties.grid_account_id, rent),
            (TransferCode.ROUNDING, parties.rounding_account_id, -fees - rent),
        ):
            rows.append((each.id, account, int(code), amount))
    return pd.DataFrame(rows, columns=["interval", "account", "code", "amount"], dtype="int64")


def _grid_fees(
    due: pd.DataFrame,
    agreed: pd.DataFrame,
    places: pd.DataFrame,
    rules: Mapping[int, Rules],
    intervals: Sequence[SettledInterval],
) -> pd.Series:
    """Return each position's grid fee on what neighbours supplied. [micro]"""
    told = {each.id: (rules[each.rule_set_id], each.starts_at) for each in intervals}

    def fees(part: pd.DataFrame, origin: pd.Series, point: pd.Series) -> pd.Series:
        target, level = (places.reindex(point)[name] for name in ("zone", "level"))
        rows = zip(part["interval"], places.reindex(origin)["zone"], target, level, strict=True)
        found = []
        for interval, from_zone, to_zone, at_level in rows:
            rule_set, starts_at = told[interval]
            found.append(
                rule_set.market.grid_fees.fee(
                    from_zone=from_zone,
                    to_zone=to_zone,
                    level=at_level,
                    moment=rule_set.moment_of(starts_at),
                )
            )
        return pd.Series(found, index=part.index, dtype="int64")

    if all(rule_set.market.form == 1 for rule_set, _ in told.values()):
        return pd.Series(0, index=due.index)
    local = _priced(due["bought"], fees(due, due["point"], due["point"]))
    carried = _priced(agreed["wh"], fees(agreed, agreed["seller"], agreed["buyer"]))
    return local + _by_position(due, agreed, "buyer", carried)


def _by_position(due: pd.DataFrame, part: pd.DataFrame, side: str, values: pd.Series) -> pd.Series:
    """Sum values of trades by the position on one side."""
    sums = values.groupby([part["interval"], part[side]]).sum()
    positions = pd.MultiIndex.from_frame(due[["interval", "point"]])
    return pd.Series(
        sums.reindex(positions, fill_value=0).to_numpy(), index=due.index, dtype="int64"
    )


def _priced(quantities_wh: pd.Series, prices: pd.Series) -> pd.Series:
    """Price energies; ``round(n, -3)`` of an int is exact, and half goes to even."""
    amounts = [_amount(product) for product in (quantities_wh * prices).tolist()]
    return pd.Series(amounts, index=quantities_wh.index, dtype="int64")


def _amount(product: int) -> int:
    return round(product, -3) // 1000


def _summed(rows: Sequence[pd.DataFrame]) -> pd.Series:
    keys = ["interval", "code", "account"]
    return pd.concat(rows).groupby(keys)["amount"].sum().astype("int64")
