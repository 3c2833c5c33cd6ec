"""Standing rules in a forward market: they order what is expected, once, and leave people alone."""

from datetime import timedelta

import pytest

from analytics.models import Forecast, ForecastRun
from config.forward.standing_orders import place_due_standing_orders
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.domain.rules import preset
from marketplace.models import Order
from marketplace.queries.standing_orders import closing_intervals
from marketplace.services.places import add_rule_set
from marketplace.services.standing import set_standing_rule
from marketplace.services.standing_orders import place_standing_orders
from tests.market.forward_street import CLOSES, NOW, START, ForwardStreet

SOON = CLOSES - timedelta(minutes=20)


@pytest.fixture
def street(db: None) -> ForwardStreet:
    return ForwardStreet(interval_minutes=60)


def placed(street: ForwardStreet) -> dict[tuple[str, int], tuple[int, int]]:
    """Return energy and limit price of every order by meter and side."""
    rows = Order.objects.values_list(
        "metering_point__code", "side", "quantity_wh", "limit_price_micro_per_kwh"
    )
    return {(code, side): (wh, price) for code, side, wh, price in rows}


def forecast(street: ForwardStreet, **energies: tuple[int | None, int | None]) -> None:
    """Store what meters are expected to export and import in the third interval of a forecast."""
    run = ForecastRun.objects.create(
        community_id=street.community.id,
        starts_at=START - timedelta(hours=2),
        interval_minutes=60,
        lead_count=1,
        known_from=NOW,
        made_at=NOW,
    )
    for meter, sides in energies.items():
        for kind, wh in zip((Forecast.Kind.EXPORT, Forecast.Kind.IMPORT), sides, strict=True):
            values = [9, 9, wh, *[9] * 21]
            Forecast.objects.create(
                run=run,
                kind=kind,
                subject_id=street.points[meter].id,
                **dict.fromkeys(("expected", "low", "high"), values),
                **{name: [1] for name in ("method", "error", "naive_error", "points")},
            )


def test_rules_order_what_is_expected_at_their_limits_and_once(street: ForwardStreet) -> None:
    set_standing_rule(
        metering_point_id=street.points["alice"].id,
        sell_at_or_above_micro_per_kwh=400_000,
        buy_at_or_below_micro_per_kwh=410_000,
        is_paused=False,
        valid_until=None,
        now=NOW,
    )
    set_standing_rule(
        metering_point_id=street.points["dora"].id,
        sell_at_or_above_micro_per_kwh=None,
        buy_at_or_below_micro_per_kwh=None,
        is_paused=True,
        valid_until=None,
        now=NOW,
    )
    forecast(street, alice=(1500, 20), bob=(0, 900), charlie=(None, 300), dora=(700, 0))

    assert place_due_standing_orders(now=CLOSES - timedelta(minutes=31)) == 0  # not yet due
    assert place_due_standing_orders(now=SOON) == 3
    found = placed(street)
    assert found.keys() == {("alice", SELL), ("alice", BUY), ("bob", BUY)}
    assert found["alice", SELL] == (1500, 400_000)
    assert found["alice", BUY] == (20, 410_000)
    assert found["bob", BUY][0] == 900 and found["bob", BUY][1] > 400_000  # the default spread
    # Better known a minute later: what was ordered stands.
    forecast(street, alice=(1, 1), bob=(1, 1))
    assert place_due_standing_orders(now=SOON + timedelta(minutes=1)) == 0
    assert placed(street) == found
    # They are in the auction like anybody's orders.
    street.book(SOON + timedelta(minutes=2))
    assert street.close() == 1
    assert sum(wh or 0 for wh in street.filled().values()) == 2 * 920
    assert place_due_standing_orders(now=CLOSES) == 0


def test_who_ordered_by_hand_is_left_alone_and_limits_hold(db: None) -> None:
    street = ForwardStreet(position_limit_wh=1000)
    street.sell("alice", 300_000, 50)
    expected = {street.points[each].id: (5000, 0) for each in ("alice", "bob")}
    done = place_standing_orders(
        community_id=street.community.id, starts_at=START, expected=expected, now=SOON
    )
    assert list(done.refusals) == [""]
    assert placed(street)["bob", SELL][0] == 1000
    assert placed(street)["alice", SELL] == (50, 300_000)
    late = place_standing_orders(
        community_id=street.community.id,
        starts_at=START,
        expected={street.points["charlie"].id: (100, 0)},
        now=CLOSES,
    )
    assert list(late.refusals) == ["gate_closed"]


def test_gates_that_close_soon_are_found_and_metered_markets_have_none(
    street: ForwardStreet,
) -> None:
    def found(minutes: int) -> list[int]:
        starts = closing_intervals(
            community_id=street.community.id,
            now=CLOSES - timedelta(minutes=20),
            within=timedelta(minutes=minutes),
        )
        return [int((start - START) / timedelta(hours=1)) for start in starts]

    assert (found(19), found(20), found(80)) == ([], [0], [0, 1])
    at_closure = closing_intervals(
        community_id=street.community.id, now=CLOSES, within=timedelta(minutes=30)
    )
    assert at_closure == []
    # New rules: shorter intervals, whose first gate closes while those before are in force.
    soon = {**preset("demo-forward"), "gate_closure_minutes": 90}
    begins = START + timedelta(hours=1)
    add_rule_set(community_id=street.community.id, document=soon, effective_from=begins, now=CLOSES)
    assert (found(19), found(20), found(49), found(50)) == ([], [0], [0], [0, 1])
    add_rule_set(
        community_id=street.community.id,
        document=preset("demo-agreements"),
        effective_from=begins + timedelta(minutes=15),
        now=CLOSES,
    )
    assert found(180) == [0, 1]
