"""What members would have paid and earned under each pricing, by the real clearing and settlement.

One interval at a time, pure: readings, terms and agreements as they were, another rule for the
pool. Pricings other than ``uniform`` know one zone, so that zones and links are set aside for all
of them alike; the grid fee is that of the first zone. Forward markets are compared as if they had
been cleared from readings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Metered, Terms
from marketplace.domain.clear_by_rules import clear_by_rules
from marketplace.domain.clearing import Int64Array
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market_rules import FORWARD_KEYS
from marketplace.domain.money import amounts_micro
from marketplace.domain.pool import SHARING_STATIC
from marketplace.domain.rules import Rules, RulesInvalid, load_rules
from marketplace.domain.settlement import CommunityAccounts, Entries, entries_of

# What was booked, and what there would have been without a market.
ACTUAL: Final = "actual"
GRID_ONLY: Final = "grid_only"
PRICINGS: Final = (
    "uniform",
    "pay_as_bid",
    "mid_market",
    "supply_demand_ratio",
    "sharing_static",
    "sharing_dynamic",
)
_ONE_ZONE: Final = "all"
# Sums by number instead of by order, as long as numbers are not much more than entries.
_DENSE: Final = 8


@dataclass(frozen=True, eq=False)
class Nets:
    """What each account received less what it paid; over all accounts the sum is 0. [micro]"""

    accounts: Int64Array
    amounts: Int64Array


def rules_under(document: Mapping[str, Any], pricing: str) -> Rules | None:
    """Return a rule set with another pricing, cleared from readings in one zone.

    Returns
    -------
    Rules or None
        None where the tariffs leave the pricing without a price.
    """
    try:
        return load_rules(document_under(document, pricing))
    except RulesInvalid:
        return None


def document_under(document: Mapping[str, Any], pricing: str) -> dict[str, Any]:
    """Return the document of `rules_under`, which may be none that holds together."""
    changed = {key: value for key, value in document.items() if key not in FORWARD_KEYS}
    changed.update(
        form=2,
        mode="metered",
        ties="pro_rata",
        pricing=pricing,
        matching_order=document.get("matching_order", ["pool"]),
        zones=[_ONE_ZONE],
        links=[],
        grid_fees=_fees_of_one_zone(document),
        sharing_price_micro_per_kwh=document.get("sharing_price_micro_per_kwh"),
        estimation="none",
    )
    return changed


def _fees_of_one_zone(document: Mapping[str, Any]) -> dict[str, Any]:
    fees = document.get("grid_fees", {"formula": "table", "lines": []})
    first = (document.get("zones") or [_ONE_ZONE])[0]
    if fees["formula"] == "table":
        kept = [
            {**line, "from_zone": "*", "to_zone": "*"}
            for line in fees["lines"]
            if line["from_zone"] in ("*", first) and line["to_zone"] in ("*", first)
        ]
        return {**fees, "lines": kept}
    spans = [
        {**span, "from_zone": _ONE_ZONE, "to_zone": _ONE_ZONE}
        for span in fees["spans"]
        if span["from_zone"] == span["to_zone"] == first
    ]
    return {**fees, "spans": spans}


def nets_under(
    *,
    rules: Rules,
    starts_at: datetime,
    terms: Terms,
    metered: Metered,
    over_limit: npt.NDArray[np.bool_],
    agreements: Agreements,
    accounts: CommunityAccounts,
) -> Nets:
    """Clear and settle an interval under a rule set; return what it comes to for everybody."""
    cleared = clear_by_rules(
        rules=rules,
        starts_at=starts_at,
        terms=with_keys(terms, rules),
        metered=metered,
        over_limit=over_limit,
        agreements=agreements,
    )
    return nets_of(entries_of(cleared.book, accounts))


def with_keys(terms: Terms, rules: Rules) -> Terms:
    """Give everybody the same key where energy is shared by fixed keys and nobody has one."""
    places = terms.places
    if rules.pricing == SHARING_STATIC and places is not None and not places.weights.any():
        return replace(terms, places=replace(places, weights=np.ones_like(places.weights)))
    return terms


def nets_of(entries: Entries) -> Nets:
    """Add up entries by account."""
    sides = np.concatenate([entries.payers, entries.receivers])
    amounts = np.concatenate([-entries.amounts, entries.amounts])
    first = int(sides.min())
    span = int(sides.max()) - first + 1
    if span <= _DENSE * len(sides):
        # A city's accounts were opened one after the other: no need to sort all its entries.
        known = np.zeros(span, dtype=np.bool_)
        known[sides - first] = True
        sums = np.zeros(span, dtype=np.int64)
        np.add.at(sums, sides - first, amounts)
        return Nets(np.flatnonzero(known) + first, sums[known])
    accounts, at = np.unique(sides, return_inverse=True)
    added = np.zeros(len(accounts), dtype=np.int64)
    np.add.at(added, at.reshape(-1), amounts)
    return Nets(accounts, added)


def nets_of_grid_alone(book: IntervalBook, supplier: int) -> Nets:
    """Return what a book comes to without any market: everything at the grid's tariffs."""
    paid = amounts_micro(book.import_wh, book.retail)
    earned = amounts_micro(book.export_wh, book.feed_in)
    members = book.account_ids
    suppliers = np.full_like(members, supplier)
    codes = np.zeros_like(members)
    payers, receivers = (
        np.concatenate([members, suppliers]),
        np.concatenate([suppliers, members]),
    )
    return nets_of(
        Entries(
            metering_point_ids=np.concatenate([members, members]),
            codes=np.concatenate([codes, codes]),
            payers=payers,
            receivers=receivers,
            amounts=np.concatenate([paid, earned]),
        )
    )
