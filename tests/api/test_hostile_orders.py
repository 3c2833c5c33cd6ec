"""Orders as somebody sends them who wants to break the hall, and the code that each gets."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from marketplace.api import streams
from marketplace.domain.forward.orders import BUY, REFUSALS
from marketplace.models import Order, OrderBatch, TradingHalt, User
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from marketplace.services.order_answers import expire_orders
from marketplace.services.people import add_participant, join
from tests.api.conftest import refusal, send_json, signed_in
from tests.api.test_orders import book, in_hours, order, person
from tests.market.forward_street import CLOSES, NOW, ForwardStreet

pytestmark = pytest.mark.django_db
CREDIT_MICRO = 2_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture
def street(db: None) -> ForwardStreet:
    return ForwardStreet(position_limit_wh=20_000, credit_limit_micro=CREDIT_MICRO)


def test_each_reason_has_its_own_code(street: ForwardStreet) -> None:
    alice = person(street, "alice")
    elsewhere = ForwardStreet("Elsewhere", meters=["eve"]).points["eve"].id

    def placed(**changes: Any) -> str:
        body = {"orders": [order(street, "alice", **changes)]}
        (result,) = send_json(alice, "POST", "orders/", body).json()["results"]
        refused: str = result["refusal"]
        return refused

    assert placed(key="mine") == ""
    codes = {
        "out of bounds": placed(limit_price_micro_per_kwh=2**53),
        "after gate closure": placed(start=in_hours(0).isoformat()),
        "in a foreign zone": placed(zone="another"),
        "twice with one key, otherwise": placed(key="mine", quantity_wh=2_000),
        "beyond the position limit": placed(quantity_wh=19_001),
        "too far ahead": placed(start=in_hours(24 * 8).isoformat()),
        "of another's meter": placed(metering_point=elsewhere),
    }
    assert codes == {
        "out of bounds": "out_of_bounds",
        "after gate closure": "gate_closed",
        "in a foreign zone": "zone_unknown",
        "twice with one key, otherwise": "key_reused",
        "beyond the position limit": "position_limit",
        "too far ahead": "beyond_horizon",
        "of another's meter": "zone_unknown",
    }
    assert placed(key="mine") == ""
    assert Order.objects.count() == 1

    # Beyond credit only the ledger can say: one hold of 2.25 where 2 are allowed.
    bob = person(street, "bob")
    dear = order(street, "bob", side="buy", limit_price_micro_per_kwh=750_000, quantity_wh=3_000)
    sent = send_json(bob, "POST", "orders/", {"orders": [dear]}).json()["results"]
    book()
    found = bob.get(f"/api/v1/orders/{sent[0]['id']}/").json()
    assert (found["state"], found["refusal"]) == ("refused", "credit")
    written = (ROOT / "docs" / "units.md").read_text()
    of_orders = written[written.index("## Orders") :].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", of_orders, re.M) == list(REFUSALS[1:])


def test_no_order_breaks_the_hall(street: ForwardStreet) -> None:
    alice = person(street, "alice")
    for changes, field in (
        # A line feed at the end would be another row of what is copied into the database.
        ({"key": "abc\n"}, "key"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": "1970-01-01T00:00:00Z"}, "expires_at"),
        ({"quantity_wh": 2**63}, "quantity_wh"),
        ({"limit_price_micro_per_kwh": 1e300}, "limit_price_micro_per_kwh"),
        ({"metering_point": 2**64}, "metering_point"),
    ):
        body = {"orders": [order(street, "alice", **changes)]}
        answer = send_json(alice, "POST", "orders/", body)
        assert refusal(answer) == (400, "invalid"), changes
        assert list(answer.json()["fields"]) == [f"orders[0].{field}"]
    for text in (b'{"orders": [{"quantity_wh": NaN}]}', b'{"orders":' + b"[" * 5_000):
        assert refusal(send_json(alice, "POST", "orders/", text)) == (400, "parse_error")
    # What is a time, but of no interval, is refused alone.
    orders = [
        order(street, "alice", start=start)
        for start in (
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:45:00-12:00",
            "9999-12-31T23:45:00+00:00",
            in_hours(4).isoformat(),
        )
    ]
    told = send_json(alice, "POST", "orders/", {"orders": orders}).json()["results"]
    assert [each["refusal"] for each in told] == ["interval_unknown"] * 3 + [""]
    assert Order.objects.count() == 1


def test_no_expired_order_is_left_to_be_auctioned_however_many_there_are(
    street: ForwardStreet,
) -> None:
    soon = NOW + timedelta(minutes=1)
    for _ in range(3):
        street.place("alice", ("alice", BUY, 300_000, 10, {"expires": soon}))
    street.book(NOW)
    assert OrderBatch.objects.count() == 3
    # The scan may take some at a time; the gate takes them all.
    interval = street.interval().id
    assert expire_orders(now=CLOSES, interval_id=interval, limit=1) == 3
    assert not Order.objects.filter(ended_at=None).exists()


def test_cancel_and_place_anew_carries_nobody_beyond_the_position_limit(
    street: ForwardStreet,
) -> None:
    first = street.sell("alice", 300_000, 20_000)
    refused = [street.place("alice", ("alice", 2, 300_000, 1)).refusals[0]]
    street.cancel("alice", first)
    second = street.sell("alice", 300_000, 15_000)
    many = [("alice", 2, 300_000, 1_000)] * 10
    refused += street.place("alice", *many).refusals
    assert refused == ["position_limit"] + [""] * 5 + ["position_limit"] * 5
    street.book(NOW)
    assert street.close() == 1
    in_it = {id_ for id_, filled in street.filled().items() if filled is not None}
    assert first not in in_it and second in in_it
    assert sum(Order.objects.filter(id__in=in_it).values_list("quantity_wh", flat=True)) == 20_000


def test_whoever_is_erased_trades_no_more_ahead(street: ForwardStreet) -> None:
    street.sell("alice", 300_000, 1_000)
    street.buy("bob", 400_000, 1_000)
    street.book(NOW)
    plan = plan_erasure_of_participant(participant_id=street.participant("alice").id)
    erase_subject(plan=plan, now=NOW)
    street.book(NOW)
    assert street.held("alice") == 0
    street.close()
    assert set(street.filled().values()) == {None, 0}


def test_nobody_takes_all_places_where_news_are_heard() -> None:
    places = streams.Places()
    with places.take(1) as first, places.take(1) as again, places.take(2) as other:
        assert (first, again, other) == (True, False, True)
        with places.take(3) as third:
            assert not third
    with places.take(1) as later:
        assert later


def test_a_halt_is_ordered_by_the_communitys_own_operator(street: ForwardStreet) -> None:
    user = User.objects.create_user("operator@street.example")
    other = ForwardStreet("Elsewhere", meters=["eve"]).community
    for community in (other, street.community):
        hall = add_participant(role="operator", name="Hall", community_id=community.id)
        join(user_id=user.pk, participant_id=hall)
    operator = signed_in(user)
    body = {"community": street.community.id, "reason": "a wrong tariff"}
    halt = send_json(operator, "POST", "halts/", body).json()["id"]
    send_json(operator, "POST", f"halts/{halt}/lift", {})
    halted = TradingHalt.objects.get()
    assert (halted.ordered_by_id, halted.lifted_by_id) == (hall, hall)
