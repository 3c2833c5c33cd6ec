"""The API of orders: in bulk, by code, by role, and pushed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ledger.services import SettlementWorker
from marketplace.api import order_events
from marketplace.models import Order, OrderBatch, User
from marketplace.queries import order_events as order_events_queries
from marketplace.queries.order_book import list_depth
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.order_answers import advance_orders
from marketplace.services.people import add_participant, join
from tests.api.conftest import refusal, send_json, signed_in
from tests.market.forward_street import ForwardStreet

pytestmark = pytest.mark.django_db
QUARTER_S = 900


@pytest.fixture
def street(db: None) -> ForwardStreet:
    return ForwardStreet()


def person(street: ForwardStreet, meter: str) -> Client:
    user = User.objects.create_user(f"{meter}@street.example")
    join(user_id=user.pk, participant_id=street.participant(meter).id)
    return signed_in(user)


def in_hours(hours: int) -> datetime:
    now_s = int(timezone.now().timestamp())
    return datetime.fromtimestamp(now_s - now_s % QUARTER_S, UTC) + timedelta(hours=hours)


def order(street: ForwardStreet, meter: str, **changes: Any) -> dict[str, Any]:
    return {
        "metering_point": street.points[meter].id,
        "start": in_hours(4).isoformat(),
        "side": "sell",
        "limit_price_micro_per_kwh": 300_000,
        "quantity_wh": 1_000,
        **changes,
    }


def book() -> None:
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    while worker.settle_inbox(now=timezone.now()) or advance_orders(now=timezone.now()).any:
        pass
    worker.give_back()


def events(client: Client, last: str = "") -> list[tuple[str, str, dict[str, Any]]]:
    """Return (id, event, data) of one stream."""
    headers = {"Last-Event-ID": last} if last else {}
    answer: Any = client.get(
        "/api/v1/orders/events", headers={"Accept": "text/event-stream", **headers}
    )
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream"
    text = b"".join(answer.streaming_content).decode()
    found = []
    for part in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines())
        found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


def test_a_bulk_of_orders_is_answered_one_by_one_and_once(street: ForwardStreet) -> None:
    alice = person(street, "alice")
    body = {
        "orders": [
            order(street, "alice", key="one"),
            order(street, "alice", limit_price_micro_per_kwh=10**10),
            order(street, "bob"),
            order(street, "alice", start=in_hours(4).isoformat().replace(":00+", ":00.5+")),
        ]
    }
    answer = send_json(alice, "POST", "orders/", body, key="k")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["received"], told["refused"]) == (1, 3)
    assert [each["refusal"] for each in told["results"]] == [
        *("", "out_of_bounds", "zone_unknown", "interval_unknown")
    ]
    again = send_json(alice, "POST", "orders/", body, key="k")
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1

    broken = {"orders": [order(street, "alice"), order(street, "alice", side="both")]}
    answer = send_json(alice, "POST", "orders/", broken)
    assert refusal(answer) == (400, "invalid")
    assert list(answer.json()["fields"]) == ["orders[1].side"]
    for bad in ({"quantity_wh": "5"}, {"key": "a\tb"}, {"start": "2026-06-15T02:00:00"}):
        wrong = {"orders": [order(street, "alice", **bad)]}
        assert refusal(send_json(alice, "POST", "orders/", wrong)) == (400, "invalid")
    many = {"orders": [order(street, "alice")] * 10_001}
    assert refusal(send_json(alice, "POST", "orders/", many)) == (400, "invalid")
    assert Order.objects.count() == 1


def test_an_order_is_followed_and_cancelled_by_its_owner_alone(street: ForwardStreet) -> None:
    alice, bob = person(street, "alice"), person(street, "bob")
    operator_user = User.objects.create_user("operator@street.example")
    hall = add_participant(role="operator", name="Hall", community_id=street.community.id)
    join(user_id=operator_user.pk, participant_id=hall)
    operator = signed_in(operator_user)
    orders = [order(street, "alice"), order(street, "alice", quantity_wh=2_000)]
    placed = send_json(alice, "POST", "orders/", {"orders": orders}).json()["results"]
    first, second = (each["id"] for each in placed)
    assert alice.get(f"/api/v1/orders/{first}/").json()["state"] == "received"
    book()
    listed = alice.get("/api/v1/orders/").json()["results"]
    assert [(each["id"], each["state"]) for each in listed] == [
        (second, "accepted"),
        (first, "accepted"),
    ]

    assert refusal(bob.get(f"/api/v1/orders/{first}/")) == (404, "not_found")
    assert refusal(bob.post(f"/api/v1/orders/{first}/cancel")) == (404, "not_found")
    cancel = {"ids": [first], "participant": street.participant("bob").id}
    told = send_json(bob, "POST", "orders/cancel", cancel).json()["results"]
    assert told == [{"id": first, "refusal": "not_found"}]
    # The operator reads a member's orders, and neither places nor cancels any.
    member = {"participant": street.participant("alice").id}
    assert len(operator.get("/api/v1/orders/", member).json()["results"]) == 2
    assert send_json(operator, "POST", "orders/", {**member, "orders": []}).status_code == 404
    assert send_json(operator, "POST", "orders/cancel", {**member, "ids": [1]}).status_code == 404

    assert alice.post(f"/api/v1/orders/{first}/cancel").json()["state"] == "cancelled"
    assert refusal(alice.post(f"/api/v1/orders/{first}/cancel")) == (409, "ended")


def test_the_book_is_shown_by_price_to_the_community(street: ForwardStreet) -> None:
    alice, bob = person(street, "alice"), person(street, "bob")
    stranger = person(ForwardStreet("Elsewhere", meters=["eve"]), "eve")
    asked: dict[str, str | int] = {
        "community": street.community.id,
        "start": in_hours(4).isoformat(),
    }
    assert bob.get("/api/v1/order-book/", asked).status_code == 404
    offers = [order(street, "alice"), order(street, "alice", quantity_wh=500)]
    send_json(alice, "POST", "orders/", {"orders": offers})
    bid = order(street, "bob", side="buy", limit_price_micro_per_kwh=400_000)
    send_json(bob, "POST", "orders/", {"orders": [bid]})
    book()

    (zone,) = bob.get("/api/v1/order-book/", asked).json()["zones"]
    assert zone["offers"] == [{"price_micro_per_kwh": 300_000, "quantity_wh": 1_500}]
    assert zone["bids"] == [{"price_micro_per_kwh": 400_000, "quantity_wh": 1_000}]
    assert zone["indicative_price"] == 300_000
    assert stranger.get("/api/v1/order-book/", asked).status_code == 404

    # The best prices are told of ever so many, and the price is that of all.
    bids = [order(street, "bob", side="buy", limit_price_micro_per_kwh=at) for at in range(1, 3)]
    send_json(bob, "POST", "orders/", {"orders": bids})
    book()
    interval = Order.objects.latest("id").interval_id
    (few,) = list_depth(interval_id=interval, now=timezone.now(), levels_max=1)
    assert ([each.price_micro_per_kwh for each in few.bids], few.is_cut) == ([400_000], True)
    (many,) = list_depth(interval_id=interval, now=timezone.now())
    assert (len(many.bids), many.is_cut) == (3, False)
    assert few.indicative_price == many.indicative_price

    close_due_gates(community_id=street.community.id, now=in_hours(4))
    shown = bob.get("/api/v1/order-book/", asked).json()
    assert (shown["auction"]["prices"], shown["auction"]["volume_wh"]) == ({"main": 300_000}, 1_000)


def test_the_operator_alone_halts_trading(street: ForwardStreet) -> None:
    alice = person(street, "alice")
    user = User.objects.create_user("operator@street.example")
    hall = add_participant(role="operator", name="Hall", community_id=street.community.id)
    join(user_id=user.pk, participant_id=hall)
    operator = signed_in(user)
    halt = {"community": street.community.id, "reason": "a wrong tariff"}
    assert refusal(send_json(alice, "POST", "halts/", halt)) == (404, "not_found")
    told = send_json(operator, "POST", "halts/", halt)
    assert (told.status_code, told.json()["is_in_force"]) == (201, True)
    assert refusal(send_json(operator, "POST", "halts/", halt)) == (409, "listing_closed")
    seen = alice.get("/api/v1/halts/", {"community": street.community.id}).json()["results"]
    assert [each["reason"] for each in seen] == ["a wrong tariff"]
    placed = send_json(alice, "POST", "orders/", {"orders": [order(street, "alice")]}).json()
    assert placed["results"] == [{"id": None, "refusal": "halted"}]

    lift = f"halts/{seen[0]['id']}/lift"
    assert send_json(alice, "POST", lift, {}).status_code == 404
    assert send_json(operator, "POST", lift, {}).json()["is_in_force"] is False


def test_news_reach_who_comes_back_with_the_last_number_and_nobody_else(
    street: ForwardStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_events, "STREAM_SECONDS", 0)
    # A test is one transaction, whose news nobody may hear before it ends.
    seen = "transaction_number < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    for name in ("_NEWS", "_NEWEST"):
        text: str = getattr(order_events_queries, name)
        assert seen in text
        monkeypatch.setattr(order_events_queries, name, text.replace(seen, "true"))
    alice, bob = person(street, "alice"), person(street, "bob")
    ((start, hello, _),) = events(alice)
    assert hello == "hello"
    send_json(alice, "POST", "orders/", {"orders": [order(street, "alice")]})
    book()

    news = events(alice, start)
    assert [each["event"] for _, name, each in news if name == "orders"] == ["received", "accepted"]
    assert OrderBatch.objects.get().id == news[1][2]["batch"]
    assert [each["event"] for _, _, each in events(alice, news[1][0])[1:]] == ["accepted"]
    assert len(events(alice, news[2][0])) == 1
    assert len(events(bob, "0-0")) == 1
    assert len(events(alice, "nonsense")) == 1  # from here on
