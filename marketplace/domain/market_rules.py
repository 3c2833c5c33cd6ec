"""What form 2 of a rule set says besides form 1: stages, zones, grid fees, the forward market."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from marketplace.domain.grid_fees import GridFees, TableFees, read_grid_fees
from marketplace.domain.rule_schema import RulesInvalid
from marketplace.domain.tariffs import (
    DAY_TYPES,
    MINUTES_PER_DAY,
    CivilMoment,
    DayPrices,
    DayType,
    clock_of,
)
from marketplace.domain.zones.network import Link

Stage = Literal["contracts", "partners", "pool"]
FORWARD_KEYS: Final = (
    "gate_closure_minutes",
    "horizon_days",
    "margin_micro_per_kwh",
    "position_limit_wh",
    "delivery",
    "deviation",
)
# Prices of their own: who takes part takes the price, there is no auction.
PRICE_TAKING: Final = ("mid_market", "supply_demand_ratio", "sharing_static", "sharing_dynamic")


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """Orders before delivery; what is delivered is settled against them."""

    gate_closure_minutes: int
    horizon_days: int
    margin_micro_per_kwh: int
    position_limit_wh: int | None
    delivery: Literal["fifo", "pro_rata"]
    deviation: Literal["dual_price", "single_price", "own"]


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The market's part of a rule set; the defaults are form 1."""

    form: Literal[1, 2] = 1
    matching_order: tuple[Stage, ...] = ("pool",)
    zones: tuple[str, ...] = ()
    links: tuple[Link, ...] = field(default=(), repr=False)
    grid_fees: GridFees = field(default_factory=TableFees, repr=False)
    sharing_price_micro_per_kwh: int | None = None
    estimation: Literal["none", "previous_week", "profile"] = "none"
    forward: ForwardRules | None = None

    def local_fee(self, zone: str, level: str, moment: CivilMoment) -> int:
        """Return the grid fee of energy from the buyer's own zone. [micro/kWh]"""
        return self.grid_fees.fee(from_zone=zone, to_zone=zone, level=level, moment=moment)

    def greatest_local_fee(self, moment: CivilMoment) -> int:
        """Return the dearest local grid fee of all zones and levels. [micro/kWh]"""
        return max(
            (
                self.local_fee(zone, level, moment)
                for zone in self.zones
                for level in self.grid_fees.levels
            ),
            default=0,
        )


def read_market_rules(
    document: Mapping[str, Any], days: Mapping[DayType, DayPrices]
) -> MarketRules:
    """Read what form 2 adds, of a document whose shape was checked.

    Raises
    ------
    RulesInvalid
        If keys do not fit one another, a zone is not known, or at some moment of the year the grid
        fee leaves less between the tariffs than nothing.
    """
    if document.get("form") != 2:
        return MarketRules()
    zones = tuple(document["zones"])
    forward = None
    if document["mode"] == "forward":
        forward = ForwardRules(**{key: document[key] for key in FORWARD_KEYS})
    elif stray := document.keys() & set(FORWARD_KEYS):
        raise RulesInvalid(min(stray), "belongs to the forward mode", "remove the key")
    rules = MarketRules(
        form=2,
        matching_order=tuple(document["matching_order"]),
        zones=zones,
        links=_read_links(document, zones),
        grid_fees=read_grid_fees(document, zones),
        sharing_price_micro_per_kwh=document["sharing_price_micro_per_kwh"],
        estimation=document["estimation"],
        forward=forward,
    )
    _check_fit(document, rules)
    _check_room_for_fees(document["pricing"], rules, days)
    return rules


def _read_links(document: Mapping[str, Any], zones: tuple[str, ...]) -> tuple[Link, ...]:
    links: dict[tuple[str, str], Link] = {}
    for index, line in enumerate(document["links"]):
        pair = line["from"], line["to"]
        path = f"links[{index}]"
        for zone in pair:
            if zone not in zones:
                raise RulesInvalid(path, f"{zone!r} is no zone", f"use one of: {', '.join(zones)}")
        if pair[0] == pair[1]:
            raise RulesInvalid(path, f"{pair[0]} leads to itself", "link two zones")
        if pair in links:
            raise RulesInvalid(path, f"{pair[0]} to {pair[1]} stands twice", "leave one out")
        links[pair] = Link(
            from_zone=zones.index(pair[0]),
            to_zone=zones.index(pair[1]),
            limit_wh=line["limit_wh"],
            loss_ppm=line["loss_ppm"],
            fee_micro_per_kwh=line["fee_micro_per_kwh"],
        )
    return tuple(links.values())


def _check_fit(document: Mapping[str, Any], rules: MarketRules) -> None:
    pricing = document["pricing"]
    one_zone = "leave one zone and no links, or choose uniform pricing"
    if pricing != "uniform" and (rules.links or len(rules.zones) > 1):
        raise RulesInvalid("zones", f"{pricing} knows one zone only", one_zone)
    own = rules.forward is not None and rules.forward.deviation == "own"
    if own and (rules.links or len(rules.zones) > 1):
        raise RulesInvalid(
            "deviation",
            "own needs pairs of one zone",
            "leave one zone and no links, or choose dual_price or single_price",
        )


def _check_room_for_fees(
    pricing: str, rules: MarketRules, days: Mapping[DayType, DayPrices]
) -> None:
    """Check each month and piece of the day: selling to a neighbour must be able to pay."""
    for day_type in DAY_TYPES:
        day = days[day_type]
        changes = {*day.starts, *rules.grid_fees.changes_at()} - {MINUTES_PER_DAY}
        for minute in sorted(changes):
            prices = day.at(minute)
            if pricing == "supply_demand_ratio" and prices.feed_in_micro_per_kwh <= 0:
                raise RulesInvalid(
                    "feed_in_tariff",
                    f"on {day_type} at {clock_of(minute)} it is not above 0",
                    "raise it; the supply demand ratio has no price without it",
                )
            room = (
                prices.retail_micro_per_kwh
                - prices.platform_fee_micro_per_kwh
                - prices.feed_in_micro_per_kwh
            )
            for month in range(1, 13):
                fee = rules.greatest_local_fee(CivilMoment(month, day_type, minute))
                if fee > room:
                    raise RulesInvalid(
                        "grid_fees",
                        f"in month {month} on {day_type} at {clock_of(minute)} the fee is {fee}, "
                        f"more than the {room} between the tariffs",
                        "lower the grid fee or the feed-in price, or raise the retail price",
                    )
