"""Every key of a rule set in words: its name and what it does. A test asks for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Text = str | _StrPromise


@dataclass(frozen=True)
class KeyWords:
    """A key's name, and one sentence on what it does."""

    name: Text
    explanation: Text


# By path, without positions in lists; a key that means the same everywhere stands by its own name.
KEYS: Final[Mapping[str, KeyWords]] = {
    "name": KeyWords(_("Name"), _("What the rule set is called.")),
    "notes": KeyWords(_("Notes"), _("Remarks; nothing is computed from them.")),
    "form": KeyWords(_("Form"), _("2: with zones, grid fees and agreements; without it, form 1.")),
    "currency": KeyWords(_("Currency"), _("ISO 4217 code of the money that is settled.")),
    "timezone": KeyWords(_("Time zone"), _("Whose wall clock tariffs and civil days follow.")),
    "interval_minutes": KeyWords(
        _("Delivery interval"), _("How long the time is that is cleared at once.")
    ),
    "mode": KeyWords(
        _("Mode"), _("Cleared from readings, or by orders before delivery and readings after.")
    ),
    "pricing": KeyWords(_("Pricing of the pool"), _("How what neighbours pay is found.")),
    "ties": KeyWords(
        _("Among equal limits"), _("Who is served where not all with the same limit can be.")
    ),
    "retail_tariff": KeyWords(
        _("Retail tariff"), _("What energy from the grid costs, by the wall clock.")
    ),
    "feed_in_tariff": KeyWords(
        _("Feed-in tariff"), _("What the grid pays for energy, by the wall clock.")
    ),
    "platform_fee_micro_per_kwh": KeyWords(
        _("Platform fee"),
        _("Paid by the buyer on each kWh from the pool, in the community's currency."),
    ),
    "price_min_micro_per_kwh": KeyWords(
        _("Lowest price"), _("Nobody may ask for less than this; below zero is possible.")
    ),
    "price_max_micro_per_kwh": KeyWords(_("Highest price"), _("Nobody may bid more than this.")),
    "readings_deadline_minutes": KeyWords(
        _("Deadline for readings (minutes)"),
        _("After the end of an interval; then it is settled without the missing meters."),
    ),
    "correction_deadline_days": KeyWords(
        _("Deadline for corrections (days)"),
        _("Until then a corrected reading clears the interval again; then it is final."),
    ),
    "credit_limit_micro": KeyWords(
        _("Credit limit"), _("What a member may owe and still take part in the next auction.")
    ),
    "minimum_group_size": KeyWords(
        _("Minimum group size"), _("Published figures cover at least this many members.")
    ),
    "default_standing": KeyWords(
        _("Default standing rule"),
        _("How limits are drawn for members who leave the price to the hall."),
    ),
    "matching_order": KeyWords(
        _("Matching order"), _("What is matched first, before the grid takes the rest.")
    ),
    "zones": KeyWords(_("Zones"), _("Parts of the network that have a price each.")),
    "links": KeyWords(_("Links between zones"), _("What may flow between zones, and its fee.")),
    "links.from": KeyWords(_("From zone"), _("Where the energy comes from.")),
    "links.to": KeyWords(_("To zone"), _("Where the energy goes.")),
    "links.limit_wh": KeyWords(_("Limit of the link"), _("The most that may flow per interval.")),
    "links.loss_ppm": KeyWords(
        _("Loss on the link"), _("What is lost on the way, in millionths of what is sent.")
    ),
    "links.fee_micro_per_kwh": KeyWords(_("Fee of the link"), _("On each kWh that is sent.")),
    "grid_fees": KeyWords(
        _("Grid fees"), _("What the grid operator gets for each kWh that a neighbour supplies.")
    ),
    "grid_fees.formula": KeyWords(
        _("Formula of the grid fees"),
        _("A table, or the difference of voltage levels (document 1901 of 2017)."),
    ),
    "grid_fees.lines": KeyWords(
        _("Table of grid fees"), _("The first line that applies gives the fee.")
    ),
    "grid_fees.levels": KeyWords(
        _("Prices by voltage level"), _("Transmission and distribution, from low to high.")
    ),
    "grid_fees.spans": KeyWords(
        _("Highest level of a trade"), _("Which level a trade between two zones uses at most.")
    ),
    "sharing_price_micro_per_kwh": KeyWords(
        _("Price of shared energy"), _("Where energy is shared; empty: middle of the tariffs.")
    ),
    "estimation": KeyWords(_("Estimates"), _("What stands for a missing reading until it comes.")),
    "gate_closure_minutes": KeyWords(
        _("Gate closure"), _("How long before delivery orders are taken.")
    ),
    "horizon_days": KeyWords(_("Horizon"), _("How far ahead orders may be placed.")),
    "margin_micro_per_kwh": KeyWords(
        _("Margin of sellers"), _("What a seller's credit holds for each kWh on offer.")
    ),
    "position_limit_wh": KeyWords(
        _("Position limit"), _("The most that a member may trade ahead per interval and side.")
    ),
    "delivery": KeyWords(
        _("Delivery of trades"), _("Which trades count as delivered where not all of them can.")
    ),
    "deviation": KeyWords(
        _("Deviations"), _("What is due for energy that was traded ahead and not delivered.")
    ),
    "days": KeyWords(_("Days"), _("All days, Monday to Friday, or the weekend.")),
    "from": KeyWords(pgettext_lazy("of a time", "From"), _("Time of the wall clock, included.")),
    "to": KeyWords(pgettext_lazy("of a time", "To"), _("Time of the wall clock, excluded.")),
    "months": KeyWords(_("Months"), _("In which the line applies.")),
    "price_micro_per_kwh": KeyWords(_("Price"), _("Of each kWh.")),
    "from_zone": KeyWords(_("From zone"), _("Where the seller is.")),
    "to_zone": KeyWords(_("To zone"), _("Where the buyer is.")),
    "level": KeyWords(_("Voltage level"), _("Of the buyer's metering point.")),
}
# What the values of keys with a fixed choice are called.
VALUES: Final[Mapping[str, Text]] = {
    "metered": _("cleared from readings"),
    "forward": _("orders before delivery"),
    "uniform": _("one clearing price"),
    "pay_as_bid": _("pay as bid"),
    "mid_market": _("middle of the tariffs"),
    "supply_demand_ratio": _("by supply and demand"),
    "sharing_static": _("shared by fixed keys"),
    "sharing_dynamic": _("shared by consumption"),
    "pro_rata": _("in equal shares"),
    "arrival": _("by arrival"),
    "fifo": _("the earliest first"),
    "spread": _("spread between the tariffs"),
    "contracts": _("contracts"),
    "partners": _("partners"),
    "pool": _("the pool"),
    "table": _("a table"),
    "cn-1901": _("difference of voltage levels"),
    "none": _("none"),
    "previous_week": _("the week before"),
    "profile": _("a profile"),
    "dual_price": _("two prices, against the grid's tariffs"),
    "single_price": _("one price for all"),
    "own": _("between the two who traded"),
    "all": _("all days"),
    "workdays": _("Monday to Friday"),
    "weekend": _("weekend"),
}

# What is wrong where a few numbers were changed; who writes a whole rule set is told every detail.
MISFITS: Final[Mapping[str, Text]] = {
    "feed_in_tariff": _(
        "At some hours selling to the grid would pay more than buying costs less the fees: lower "
        "the feed-in tariff or the fees, or raise the retail tariff."
    ),
    "retail_tariff": _("The tariffs leave the price bounds of the rule set."),
    "grid_fees": _("The grid fee is more than what is left between the two tariffs."),
    "pricing": _("This pricing has no price under these tariffs."),
}


def words_of(path: str) -> KeyWords:
    """Return the words of a key, given by its path without positions in lists.

    Raises
    ------
    KeyError
        If the key has none: a key of the schema that nobody has worded.
    """
    return KEYS[path] if path in KEYS else KEYS[path.rpartition(".")[2]]
