"""Limits of somebody who acts for others hold in the API as on the pages."""

from typing import Any

import pytest

from marketplace.models import Commitment, Membership, Order
from tests.api.conftest import refusal, send_json
from tests.api.test_orders import order, person
from tests.market.forward_street import ForwardStreet

pytestmark = pytest.mark.django_db


def test_orders_count_what_they_may_cost_and_refused_ones_nothing() -> None:
    street = ForwardStreet()
    alice = person(street, "alice")
    Membership.objects.update(role="trader", limit_micro=600_000, monthly_limit_micro=1_000_000)

    def bought(wh: int, **changes: object) -> dict[str, object]:
        return order(street, "alice", side="buy", quantity_wh=wh, **changes)

    def post(*orders: dict[str, object]) -> Any:
        return send_json(alice, "POST", "orders/", {"orders": list(orders)})

    # 0.3 a kWh: 2 kWh are at the limit for one act, 2.001 kWh above it; what is sold costs nothing.
    above = post(bought(1_000), bought(1_001))
    assert refusal(above) == (403, "limit_exceeded")
    assert not Order.objects.exists() and not Commitment.objects.exists()
    taken = post(
        bought(1_000), bought(1_000, metering_point=street.points["bob"].id), order(street, "alice")
    )
    assert [each["refusal"] for each in taken.json()["results"]] == ["", "zone_unknown", ""]
    assert [each.amount_micro for each in Commitment.objects.all()] == [300_000]
    assert post(bought(2_000)).status_code == 201
    # 0.9 of 1.0 this month.
    assert refusal(post(bought(500))) == (403, "limit_exceeded")
    assert post(order(street, "alice")).status_code == 201
