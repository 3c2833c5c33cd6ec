"""Rule sets of form 2, what they charge, and pools alone."""

from typing import Any

import pytest

from tests.validator.market_story import FORWARD, LINE, market_rules
from tests.validator.signing_member import STARTS
from validator.errors import Malformed
from validator.interval_auction import Order
from validator.interval_rules import Prices, read_rule_set
from validator.market_pool import clear_pool

PRICES = Prices(300_000, 100_000, 10_000, 40_000)


def test_a_limit_at_the_price_takes_part_and_none_beyond_it() -> None:
    outcome = clear_pool(
        "mid_market",
        [Order(174_999, 50, 0), Order(175_000, 30, 1), Order(250_000, 30, 2)],
        [Order(175_001, 50, 3), Order(175_000, 20, 4), Order(100_000, 20, 5)],
        prices=PRICES,
        sharing_price=None,
        weights={},
    )

    assert outcome == (175_000, {1: 20, 2: 20}, {4: 20, 5: 20})


def test_shares_of_what_cannot_be_divided_go_wh_by_wh() -> None:
    bids = [Order(250_000, 2, 0), Order(250_000, 9, 1), Order(250_000, 9, 2), Order(250_000, 9, 3)]
    weights = {0: 5, 1: 5, 2: 5, 3: 0}

    def bought(offered: int) -> dict[int, int]:
        return clear_pool(
            "sharing_static",
            bids,
            [Order(100_000, offered, 9)],
            prices=PRICES,
            sharing_price=None,
            weights=weights,
        ).bought

    # 8: two each and two left; 1 and 2 have one more each. 9: one more, to the first that lacks.
    assert [bought(8)[rank] for rank in range(3)] == [2, 3, 3]
    assert [bought(9)[rank] for rank in range(3)] == [2, 4, 3]
    assert bought(2) == {0: 1, 1: 1, 2: 0}
    # Who has no weight gets nothing, also of what nobody else takes.
    assert bought(40) == {0: 2, 1: 9, 2: 9}


BAD_RULES: dict[str, dict[str, Any]] = {
    "another form": {"form": 3},
    "no pool": {"matching_order": ["contracts"]},
    "stages in another order": {"matching_order": ["partners", "contracts", "pool"]},
    "no zone": {"zones": []},
    "a zone twice": {"zones": ["A", "A"]},
    "several zones that bid": {"zones": ["A", "B"], "pricing": "pay_as_bid"},
    "arrival when metered": {"ties": "arrival"},
    "shares before delivery": FORWARD | {"pricing": "sharing_static"},
    "a forward key when metered": {"horizon_days": 7},
    "too far ahead": FORWARD | {"horizon_days": 8},
    "fees that leave no band": {
        "grid_fees": {"formula": "table", "lines": [LINE | {"price_micro_per_kwh": 190_001}]}
    },
    "fees that leave no band in winter": {
        "grid_fees": {
            "formula": "table",
            "lines": [
                LINE | {"months": [12], "days": "weekend", "price_micro_per_kwh": 190_001},
                LINE,
            ],
        }
    },
    "a fee below nothing": {
        "grid_fees": {"formula": "table", "lines": [LINE | {"price_micro_per_kwh": -1}]}
    },
    "no span": {"grid_fees": {"formula": "cn-1901", "levels": [], "spans": []}},
    "a link to nowhere": {
        "links": [
            {"fee_micro_per_kwh": 0, "from": "A", "limit_wh": 1, "loss_ppm": 0, "to": "C"},
        ],
        "zones": ["A", "B"],
    },
}


@pytest.mark.parametrize("changes", BAD_RULES.values(), ids=BAD_RULES)
def test_rules_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    read_rule_set(market_rules().encode())

    with pytest.raises(Malformed):
        read_rule_set(market_rules(**changes).encode())


def test_the_pilot_s_formula_charges_the_levels_below_the_span() -> None:
    prices = [("<1kV", 180_000), ("10kV", 150_000), ("35kV", 120_000)]
    rules = read_rule_set(
        market_rules(
            zones=["feeder"],
            retail_tariff=[
                {
                    "days": "all",
                    "from": "00:00",
                    "name": "",
                    "price_micro_per_kwh": 500_000,
                    "to": "24:00",
                }
            ],
            grid_fees={
                "formula": "cn-1901",
                "levels": [{"level": n, "price_micro_per_kwh": p} for n, p in prices],
                "spans": [{"from_zone": "feeder", "level": "10kV", "to_zone": "feeder"}],
            },
        ).encode()
    )
    assert rules.market is not None
    at = rules.moment(STARTS)

    def fee(level: str) -> int:
        assert rules.market is not None
        return rules.market.local_fee("feeder", level, at)

    assert [fee(level) for level in ("<1kV", "10kV", "35kV", "")] == [30_000, 0, 0, 30_000]
    assert rules.prices_at(STARTS).grid == 30_000
