"""Form 2 of a rule set: what fits together is taken, what does not is refused with the remedy."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from marketplace.domain.rules import Rules, RulesInvalid, load_rules, preset

Change = Callable[[dict[str, Any]], object]


def fee(rules: Rules, civil: str, from_zone: str, to_zone: str, level: str) -> int:
    moment = rules.moment_of(datetime.fromisoformat(civil))
    return rules.market.grid_fees.fee(
        from_zone=from_zone, to_zone=to_zone, level=level, moment=moment
    )


def test_the_pilot_of_1901_charges_the_levels_that_a_trade_uses() -> None:
    """The difference of two transmission-and-distribution prices, worked by hand.

    A household below 1 kV pays 0.22 a kWh for all levels above it. A neighbour's energy from the
    same feeder uses the grid up to 10 kV, whose price is 0.20: 0.02 are left to pay. From the other
    feeder it uses 35 kV: 0.22 - 0.17 = 0.05. A factory at 10 kV on the same feeder pays nothing,
    0.20 - 0.20, and one at 110 kV nothing either: never less than 0.
    """
    rules = load_rules(preset("cn-1901-pilot"))
    noon = "2026-06-15T12:00+08:00"
    assert fee(rules, noon, "north", "north", "below 1 kV") == 20_000
    assert fee(rules, noon, "south", "north", "below 1 kV") == 50_000
    assert fee(rules, noon, "south", "north", "10 kV") == 30_000
    assert fee(rules, noon, "north", "north", "10 kV") == 0
    assert fee(rules, noon, "south", "north", "110 kV") == 0
    assert fee(rules, noon, "north", "north", "never heard of") == 20_000
    moment = rules.moment_of(datetime.fromisoformat(noon))
    assert rules.market.greatest_local_fee(moment) == 20_000


def test_a_table_knows_season_day_and_hour_and_its_first_line_wins() -> None:
    rules = load_rules(preset("eu-energy-sharing"))
    assert fee(rules, "2026-01-15T18:00+01:00", "main", "main", "") == 50_000
    assert fee(rules, "2026-01-15T20:00+01:00", "main", "main", "") == 40_000
    assert fee(rules, "2026-01-17T18:00+01:00", "main", "main", "") == 40_000  # a Saturday
    assert fee(rules, "2026-07-15T18:00+02:00", "main", "main", "") == 40_000


def test_a_forward_preset_has_its_gate_and_form_1_has_none() -> None:
    forward = load_rules(preset("demo-forward")).market.forward
    assert forward is not None
    assert (forward.gate_closure_minutes, forward.deviation) == (60, "dual_price")
    market = load_rules(preset("demo")).market
    assert (market.form, market.forward, market.matching_order) == (1, None, ("pool",))


def _put(**changed: object) -> Change:
    return lambda document: document.update(changed)


def _link(**changed: object) -> Change:
    return lambda document: document["links"][0].update(changed)


def _leave_out(key: str) -> Change:
    return lambda document: document.pop(key)


@pytest.mark.parametrize(
    ("name", "change", "place", "remedy"),
    [
        ("demo", _put(form=3), "form", "write 2"),
        ("demo", _put(zones=["main"]), "", "remove the key"),
        ("demo-forward", _leave_out("zones"), "", "add the key"),
        ("demo-forward", _leave_out("gate_closure_minutes"), "", "add the key"),
        ("demo-forward", _put(ties="pro_rata"), "ties", "fit the schema"),
        ("demo-forward", _put(pricing="mid_market"), "pricing", "use one of"),
        ("demo-forward", _put(horizon_days=8), "horizon_days", "fit the schema"),
        ("demo-forward", _put(zones=["a", "b"], deviation="own"), "deviation", "dual_price"),
        ("demo-forward", _put(matching_order=["pool", "partners"]), "matching_order", "use one"),
        ("cn-1901-pilot", _put(gate_closure_minutes=5), "gate_closure_minutes", "remove"),
        ("cn-1901-pilot", _put(pricing="pay_as_bid"), "zones", "choose uniform"),
        ("cn-1901-pilot", _link(to="west"), "links[0]", "use one of: north, south"),
        ("cn-1901-pilot", _link(to="north"), "links[0]", "link two zones"),
        ("cn-1901-pilot", _link(limit_wh=-1), "links[0].limit_wh", "fit the schema"),
        (
            "cn-1901-pilot",
            lambda document: document["grid_fees"]["spans"].pop(),
            "grid_fees.spans",
            "name the highest level",
        ),
        (
            "cn-1901-pilot",
            lambda document: document["grid_fees"]["levels"][0].update(price_micro_per_kwh=230_000),
            "grid_fees",
            "lower the grid fee",
        ),
        (
            "eu-energy-sharing",
            lambda document: (
                document["feed_in_tariff"][0].update(price_micro_per_kwh=0),
                document.update(pricing="supply_demand_ratio"),
            ),
            "feed_in_tariff",
            "raise it",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_place_and_remedy(
    name: str, change: Change, place: str, remedy: str
) -> None:
    document = preset(name)
    change(document)
    with pytest.raises(RulesInvalid) as refused:
        load_rules(document)
    assert refused.value.path == place
    assert remedy in str(refused.value)
