"""What a rule set of form 2 adds: zones, pricing, grid fees, and the forward market.

References
----------
docs/market.md, "The rule set".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from validator.errors import Malformed
from validator.grid_fees import GridFees, greatest_local_fee, read_grid_fees
from validator.interval_bands import WEEKEND, WORKDAY, Band, Moment, natural, number, price_at

METERED, FORWARD = "metered", "forward"
UNIFORM, PAY_AS_BID, MID_MARKET, RATIO, STATIC, DYNAMIC = (
    "uniform",
    "pay_as_bid",
    "mid_market",
    "supply_demand_ratio",
    "sharing_static",
    "sharing_dynamic",
)
CONTRACTS, PARTNERS, POOL = "contracts", "partners", "pool"
FIFO, PRO_RATA = "fifo", "pro_rata"
DUAL_PRICE, SINGLE_PRICE, OWN = "dual_price", "single_price", "own"
NAME_LENGTH_MAX = 40
_PRICINGS = {
    METERED: {UNIFORM, PAY_AS_BID, MID_MARKET, RATIO, STATIC, DYNAMIC},
    FORWARD: {UNIFORM, PAY_AS_BID},
}
_TIES = {METERED: "pro_rata", FORWARD: "arrival"}
_STAGES = (CONTRACTS, PARTNERS, POOL)
_KEYS = {
    "estimation",
    "form",
    "grid_fees",
    "links",
    "matching_order",
    "sharing_price_micro_per_kwh",
    "zones",
}
_FORWARD_KEYS = {
    "delivery",
    "deviation",
    "gate_closure_minutes",
    "horizon_days",
    "margin_micro_per_kwh",
    "position_limit_wh",
}
_LINK = {"fee_micro_per_kwh", "from", "limit_wh", "loss_ppm", "to"}
_LINK_LIMIT_MAX = 10**12
_MILLION = 10**6
_LINK_FEE_MAX = 10**9
_DAYS_AHEAD_MAX = 7


class Link(NamedTuple):
    """A direction in which zones are joined: a limit in Wh, a fee in micro per kWh, a loss."""

    source: str
    target: str
    limit_wh: int
    fee: int
    loss_ppm: int


class ForwardRules(NamedTuple):
    """How orders before delivery are held, and how deviations are settled."""

    gate_closure_minutes: int
    margin: int
    delivery: str
    deviation: str


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What of form 2 is needed to recompute an interval; ``forward`` is None when metered."""

    pricing: str
    matching_order: tuple[str, ...]
    zones: tuple[str, ...]
    links: tuple[Link, ...]
    grid_fees: GridFees
    sharing_price: int | None
    forward: ForwardRules | None

    def local_fee(self, zone: str, level: str, at: Moment) -> int:
        """Return what the grid operator gets inside a zone. [micro per kWh]"""
        return self.grid_fees.fee(zone, zone, level, at)

    def greatest_fee(self, at: Moment) -> int:
        """Return the dearest local grid fee of a moment. [micro per kWh]"""
        return greatest_local_fee(self.grid_fees, self.zones, at)


def keys_of_form_2(value: Mapping[str, Any]) -> set[str]:
    """Return the keys that a rule set of form 2 has besides those of form 1."""
    return _KEYS | (_FORWARD_KEYS if value.get("mode") == FORWARD else set())


def read_market_rules(
    value: Mapping[str, Any], retail: tuple[Band, ...], feed_in: tuple[Band, ...], fee: int
) -> MarketRules:
    """Read what form 2 adds, once the keys are known to be there.

    Raises
    ------
    Malformed
        If a value cannot be, or the values contradict each other.
    """
    mode, pricing = value["mode"], value["pricing"]
    if (
        type(value["form"]) is not int
        or value["form"] != 2
        or value["default_standing"] != "spread"
    ):
        raise Malformed("a rule set of another protocol")
    if not isinstance(mode, str) or not isinstance(pricing, str) or mode not in _TIES:
        raise Malformed("mode or pricing of the rule set is none that there is")
    if value["ties"] != _TIES[mode] or pricing not in _PRICINGS[mode]:
        raise Malformed("mode, pricing and ties of the rule set do not go together")
    if value["estimation"] not in ("none", "previous_week", "profile"):
        raise Malformed("the rule set estimates in no way that there is")
    zones = _zones(value["zones"])
    price = value["sharing_price_micro_per_kwh"]
    rules = MarketRules(
        pricing,
        _stages(value["matching_order"]),
        zones,
        _links(value["links"], zones),
        read_grid_fees(value["grid_fees"], zones),
        None if price is None else number(price),
        _forward(value) if mode == FORWARD else None,
    )
    is_coupled = len(rules.zones) > 1 or bool(rules.links)
    if is_coupled and (pricing != UNIFORM or (rules.forward and rules.forward.deviation == OWN)):
        raise Malformed("several zones need one price in each")
    if pricing == RATIO and any(band.price <= 0 for band in feed_in):
        raise Malformed("the ratio of supply and demand needs a feed-in price above 0")
    _require_room(rules, retail, feed_in, fee)
    return rules


def _require_room(
    rules: MarketRules, retail: tuple[Band, ...], feed_in: tuple[Band, ...], fee: int
) -> None:
    """Check that fees leave a band between the tariffs, wherever one of them can change."""
    minutes = {0} | rules.grid_fees.minutes | {band.begins for band in (*retail, *feed_in)}
    for weekday in (WORKDAY, WEEKEND):
        for minute in minutes - {24 * 60}:
            room = price_at(retail, weekday, minute) - price_at(feed_in, weekday, minute) - fee
            for month in range(1, 13):
                if rules.greatest_fee(Moment(month, weekday, minute)) > room:
                    raise Malformed("the grid fees leave no band below the retail price")


def _forward(value: Mapping[str, Any]) -> ForwardRules:
    delivery, deviation = value["delivery"], value["deviation"]
    if delivery not in (FIFO, PRO_RATA) or deviation not in (DUAL_PRICE, SINGLE_PRICE, OWN):
        raise Malformed("delivery or deviation of the rule set cannot be")
    if not 1 <= number(value["horizon_days"]) <= _DAYS_AHEAD_MAX:
        raise Malformed("the rule set looks too many days ahead, or none")
    if value["position_limit_wh"] is not None:
        natural(value["position_limit_wh"])
    margin = natural(value["margin_micro_per_kwh"])
    if margin < 1:
        raise Malformed("the margin is nothing")
    return ForwardRules(natural(value["gate_closure_minutes"]), margin, delivery, deviation)


def _stages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Malformed("the matching order is no list of stages")
    stages = tuple(value)
    if POOL not in stages or stages != tuple(one for one in _STAGES if one in stages):
        raise Malformed("the stages of the matching order are others")
    return stages


def _zones(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Malformed("the rule set has no zones")
    for one in value:
        if not isinstance(one, str) or not 1 <= len(one) <= NAME_LENGTH_MAX:
            raise Malformed("a zone's name cannot be")
    if len(set(value)) != len(value):
        raise Malformed("a zone is there twice")
    return tuple(value)


def _links(value: object, zones: tuple[str, ...]) -> tuple[Link, ...]:
    if not isinstance(value, list):
        raise Malformed("the links are no list")
    links = []
    for one in value:
        if not isinstance(one, dict) or one.keys() != _LINK:
            raise Malformed("a link has other keys")
        if one["from"] not in zones or one["to"] not in zones or one["from"] == one["to"]:
            raise Malformed("a link does not join two zones")
        limit, fee, loss = (
            natural(one[name]) for name in ("limit_wh", "fee_micro_per_kwh", "loss_ppm")
        )
        if limit > _LINK_LIMIT_MAX or fee > _LINK_FEE_MAX or loss >= _MILLION:
            raise Malformed("a link's limit, fee or loss cannot be")
        links.append(Link(one["from"], one["to"], limit, fee, loss))
    if len({(one.source, one.target) for one in links}) != len(links):
        raise Malformed("two links join the same zones in one direction")
    return tuple(links)
