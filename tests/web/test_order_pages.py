"""Pages of the forward market: the order book of an enterprise, the operator's halts."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from ledger.services import SettlementWorker
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.models import Order, Participant, TradingHalt, User
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.order_answers import advance_orders
from marketplace.services.people import add_participant, join
from tests.api.conftest import signed_in
from tests.market.forward_street import ForwardStreet

pytestmark = pytest.mark.django_db


@pytest.fixture
def street(db: None) -> ForwardStreet:
    street = ForwardStreet()
    Participant.objects.filter(community=street.community).update(role="enterprise")
    return street


def trader(street: ForwardStreet, meter: str) -> Client:
    user = User.objects.create_user(f"{meter}@street.example")
    join(user_id=user.pk, participant_id=street.participant(meter).id)
    return signed_in(user)


def start_in(hours: int) -> datetime:
    now_s = int(timezone.now().timestamp())
    return datetime.fromtimestamp(now_s - now_s % 900, UTC) + timedelta(hours=hours)


def book() -> None:
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    while worker.settle_inbox(now=timezone.now()) or advance_orders(now=timezone.now()).any:
        pass
    worker.give_back()


def order(street: ForwardStreet, meter: str, side: int, price: str, **more: str) -> dict[str, str]:
    return {
        "token": str(uuid4()),
        "meter": str(street.points[meter].id),
        "side": str(side),
        "price": price,
        "kwh": "1.5",
        **more,
    }


def test_an_order_is_placed_seen_cancelled_and_filled(street: ForwardStreet) -> None:
    alice, bob = trader(street, "alice"), trader(street, "bob")
    page = f"/enterprise/{street.participant('alice').id}/orders/"
    other = f"/enterprise/{street.participant('bob').id}/orders/"
    asked = f"?start={start_in(5):%Y-%m-%dT%H:%MZ}"
    assert "Nobody has placed an order" in alice.get(page).content.decode()

    sent = order(street, "alice", SELL, "0.3", minimum="0.5")
    for _ in range(2):  # a double click
        answer = alice.post(page + asked, sent)
        assert (answer.status_code, answer["Location"]) == (302, page + asked.replace(":", "%3A"))
    (placed,) = Order.objects.all()
    assert (placed.quantity_wh, placed.minimum_wh, placed.limit_price_micro_per_kwh) == (
        *(1_500, 500),
        300_000,
    )
    bob.post(other + asked, order(street, "bob", BUY, "0.4"))
    refused = bob.post(other + asked, order(street, "bob", BUY, "5"))
    assert "outside of what the rules allow" in refused.content.decode()
    book()
    text = alice.get(page + asked).content.decode()
    assert "in the book" in text
    assert re.search(r"An auction now would clear at <strong>0\.350", text)
    assert text.count('class="depth ') == 2
    # Of others' orders only sums by price are shown.
    assert "bob" not in text

    assert bob.post(f"{other}{placed.id}/cancel").status_code == 404
    assert bob.get(page).status_code == 404
    assert bob.post(f"{page}{placed.id}/cancel").status_code == 404
    second = order(street, "alice", SELL, "0.31")
    alice.post(page + asked, second)
    newest = Order.objects.latest("id").id
    told = alice.post(f"{page}{newest}/cancel", follow=True).content.decode()
    assert "The order was cancelled." in told
    book()

    close_due_gates(community_id=street.community.id, now=start_in(6))
    live = alice.get(f"{page}live{asked}").content.decode()
    assert "<html" not in live
    assert "filled" in live
    assert Order.objects.get(id=placed.id).filled_wh == 1_500


def test_a_community_without_orders_says_so(street: ForwardStreet) -> None:
    alice = trader(street, "alice")
    page = f"/enterprise/{street.participant('alice').id}/orders/"
    for nonsense in (
        *("?start=now", "?start=0001-01-01T00:00Z", "?start=2026-06-15T02:00&day=x"),
        *(f"?start=2026-01-01T20:00Z&day={day}" for day in ("0001-01-01", "9999-12-31")),
    ):
        assert alice.get(page + nonsense).status_code == 200
    Participant.objects.filter(id=street.participant("alice").id).update(role="household")
    assert alice.get(page).status_code == 404


def test_the_operator_halts_and_lets_go_on(street: ForwardStreet) -> None:
    user = User.objects.create_user("operator@street.example")
    hall = add_participant(role="operator", name="Hall", community_id=street.community.id)
    join(user_id=user.pk, participant_id=hall)
    operator, alice = signed_in(user), trader(street, "alice")
    page = f"/operator/{hall}/halts/"
    community = street.community.id
    answer = operator.post(page, {"community": community, f"{community}-reason": "wrong tariff"})
    assert answer.status_code == 302
    assert "wrong tariff" in operator.get(page).content.decode()
    book_page = f"/enterprise/{street.participant('alice').id}/orders/"
    told = alice.get(book_page).content.decode()
    assert "Trading stands still" in told
    assert "Place the order" not in told

    halt = TradingHalt.objects.get()
    assert alice.post(f"{page}{halt.id}/lift").status_code == 404
    elsewhere = ForwardStreet("Elsewhere", meters=["eve"])
    bad = {"community": elsewhere.community.id, f"{elsewhere.community.id}-reason": "mine"}
    assert operator.post(page, bad).status_code == 404
    assert (
        "Trading goes on." in operator.post(f"{page}{halt.id}/lift", follow=True).content.decode()
    )
    assert "Place the order" in alice.get(book_page).content.decode()
