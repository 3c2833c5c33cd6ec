"""Pages of charges, disputes and invoices: what each side sees, and what nobody else does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.models import DataCharge, DataDispute, DataInvoice, User
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.disputes import open_dispute
from marketplace.services.people import add_participant, join
from tests.data.charged import WINDOW, charge_of, check_conserved, deliver, settle
from tests.data.trading import Trade, book, build_trade

pytestmark = pytest.mark.usefixtures("stopped_clock")

CHARGES, DISPUTES, INVOICES = "/market/charges", "/market/disputes", "/market/invoices"


@dataclass(frozen=True)
class Clients:
    """Who looks."""

    alice: Client
    bob: Client
    charlie: Client
    operator: Client


@pytest.fixture
def trade(db: None) -> Trade:
    trade = build_trade(now=timezone.now())
    book()
    return trade


@pytest.fixture
def clients(trade: Trade) -> Clients:
    operator = add_participant(role="operator", name="Op")
    return Clients(*(client_of(each) for each in (trade.alice, trade.bob, trade.charlie, operator)))


def client_of(participant_id: int) -> Client:
    user = User.objects.create_user(email=f"p{participant_id}@heliopolis.example")
    join(user_id=user.pk, participant_id=participant_id)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def charge(trade: Trade) -> DataCharge:
    """A feed's part month in its window."""
    now = timezone.now()
    charge = charge_of(trade.agree(trade.product(is_feed=True), now=now))
    settle(now)
    deliver(charge, due=charge.held_micro, credit=0, now=now)
    settle(now)
    return charge


def look(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_dispute_from_the_complaint_to_the_credit_note(
    trade: Trade, clients: Clients, charge: DataCharge
) -> None:
    new = f"{CHARGES}/{charge.pk}/dispute"
    assert new in look(clients.bob, CHARGES)
    assert new not in look(clients.alice, CHARGES)
    assert [each.get(new).status_code for each in (clients.alice, clients.charlie)] == [404, 404]
    assert "escrow" in look(clients.bob, new)
    complaint = {"token": str(uuid4()), "reason": "stale_feed", "statement": ""}
    refused = clients.bob.post(new, complaint)
    assert refused.status_code == 400 and not DataDispute.objects.exists()
    sent = clients.bob.post(new, {**complaint, "statement": "<b>Ten minutes</b> old."})
    dispute = DataDispute.objects.get()
    page = f"{DISPUTES}/{dispute.pk}"
    assert sent.headers["Location"] == page
    shown = look(clients.bob, page)
    assert "&lt;b&gt;Ten minutes&lt;/b&gt; old." in shown
    assert "looks of the hall" in shown and "take-back" in shown
    assert clients.charlie.get(page).status_code == 404
    assert page not in look(clients.charlie, DISPUTES)
    for each in (clients.alice, clients.operator):
        assert page in look(each, DISPUTES)
    # The operator waits for the provider, and only the provider answers.
    decide = f"{page}/decision"
    assert decide not in look(clients.operator, page)
    answered = {"token": str(uuid4()), "answer": "It was young enough."}
    assert clients.bob.post(f"{page}/answer", answered).status_code == 404
    assert clients.alice.post(f"{page}/answer", answered).status_code == 302
    assert decide in look(clients.operator, page)
    verdict = {"token": str(uuid4()), "refund": "0.5", "verdict": "Old for an hour."}
    assert clients.alice.post(decide, verdict).status_code == 404
    too_much = clients.operator.post(decide, {**verdict, "refund": "9000"})
    assert too_much.status_code == 400 and "what is in escrow" in too_much.content.decode()
    verdict["token"] = str(uuid4())
    assert clients.operator.post(decide, verdict).status_code == 302
    settle(timezone.now())
    assert "Old for an hour." in look(clients.alice, page)
    note = DataInvoice.objects.get(kind=DataInvoice.Kind.CREDIT_NOTE)
    for each in (clients.alice, clients.bob):
        listed = look(each, INVOICES)
        assert f"D{trade.alice}-000001" in listed and f"D{trade.alice}-000002" in listed
        assert "The feed was too old" in look(each, f"{INVOICES}/{note.pk}")
    assert clients.charlie.get(f"{INVOICES}/{note.pk}").status_code == 404
    assert clients.charlie.get(f"{INVOICES}/{note.pk}/pdf").status_code == 404
    assert look(clients.charlie, f"{INVOICES}.csv").count("\n") == 1


def test_revenue_and_files(trade: Trade, clients: Clients, charge: DataCharge) -> None:
    before = look(clients.alice, CHARGES)
    assert "In the dispute window" in before and "Nothing was paid out yet." in before
    settle(timezone.now() + WINDOW)
    after = look(clients.alice, CHARGES)
    assert "Bikes at stations" in after and "Nothing was paid out yet." not in after
    invoice = DataInvoice.objects.get()
    table = look(clients.bob, f"{INVOICES}.csv").splitlines()
    assert len(table) == 2 and str(invoice.amount_micro) in table[1]
    for language in ("en", "zh-hans"):
        clients.bob.cookies["django_language"] = language
        pdf = clients.bob.get(f"{INVOICES}/{invoice.pk}/pdf")
        assert pdf.content.startswith(b"%PDF-") and pdf.headers["Content-Type"] == "application/pdf"


def test_nobody_looks_without_signing_in(db: None) -> None:
    for address in (CHARGES, DISPUTES, INVOICES, f"{INVOICES}.csv", f"{DISPUTES}/1"):
        assert Client().get(address).status_code == 302


def test_the_same_over_the_api(clients: Clients, charge: DataCharge) -> None:
    api = "/api/v1/data"

    def send(client: Client, address: str, body: Mapping[str, object]) -> tuple[int, Any]:
        answer = client.post(f"{api}/{address}", body, content_type="application/json")
        return answer.status_code, answer.json()

    listed = {
        name: client.get(f"{api}/charges/").json()["results"]
        for name, client in vars(clients).items()
    }
    assert [listed[name][0]["side"] for name in ("alice", "bob")] == ["seller", "buyer"]
    assert listed["charlie"] == listed["operator"] == []
    complaint = {"reason": "broken_feed", "statement": "No bikes in it."}
    about = f"charges/{charge.pk}/dispute"
    assert send(clients.charlie, about, complaint)[0] == 404
    assert send(clients.bob, about, {**complaint, "reason": "bad_chunk"})[0] == 400
    code, dispute = send(clients.bob, about, complaint)
    assert (code, dispute["state"], dispute["net_micro"]) == (201, "open", charge.held_micro)
    matter = f"disputes/{dispute['id']}"
    assert clients.charlie.get(f"{api}/{matter}").status_code == 404
    assert clients.operator.get(f"{api}/disputes/").json()[0]["id"] == dispute["id"]
    verdict = {"refund_micro": charge.held_micro, "verdict": "Empty."}
    assert send(clients.operator, f"{matter}/decision", verdict)[0] == 409  # not heard yet
    assert send(clients.alice, f"{matter}/answer", {"answer": "Sorry."})[0] == 200
    assert send(clients.bob, f"{matter}/decision", verdict)[0] == 403
    assert send(clients.operator, f"{matter}/decision", verdict)[1]["state"] == "decided"
    assert send(clients.bob, f"{matter}/take-back", {})[0] == 409
    settle(timezone.now())
    [after] = clients.bob.get(f"{api}/charges/").json()["results"]
    assert (after["state"], after["refund_micro"]) == ("refunded", charge.held_micro)
    documents = clients.alice.get(f"{api}/invoices/").json()["results"]
    assert [each["kind"] for each in documents] == ["credit_note", "invoice"]


def test_the_seller_may_give_everything_back_without_the_operator(
    trade: Trade, clients: Clients, charge: DataCharge
) -> None:
    complaint = {"token": str(uuid4()), "reason": "broken_feed", "statement": "No bikes in it."}
    page = clients.bob.post(f"{CHARGES}/{charge.pk}/dispute", complaint).headers["Location"]
    concede, api = f"{page}/concession", "/api/v1/data" + page.removeprefix("/market")
    assert concede in look(clients.alice, page)
    for each in (clients.bob, clients.operator):
        assert concede not in look(each, page)
    for each in (clients.bob, clients.charlie, clients.operator):
        assert each.post(concede).status_code == 404
        assert each.post(f"{api}/concession").status_code == 404
    assert clients.alice.post(concede).headers["Location"] == page
    assert clients.alice.post(f"{api}/concession").status_code == 409
    settle(timezone.now())
    charge.refresh_from_db()
    assert (charge.state, charge.refund_micro) == (DataCharge.State.REFUNDED, charge.due_micro)
    shown = look(clients.bob, page)
    assert "of their own accord" in shown and "concession" not in shown
    assert verify_charges().charges == 1
    check_conserved(trade.bob)


def test_pages_ask_the_database_as_often_for_many_as_for_one(
    trade: Trade, clients: Clients, charge: DataCharge
) -> None:
    addresses = (CHARGES, INVOICES, DISPUTES)

    def counts() -> list[int]:
        found = []
        for address in addresses:
            look(clients.bob, address)
            with CaptureQueriesContext(connection) as asked:
                look(clients.bob, address)
            found.append(len(asked))
        return found

    now = timezone.now()
    open_dispute(
        charge_id=charge.pk, participant_ids=[trade.bob], reason="other", statement="?", now=now
    )
    settle(now + WINDOW)
    one = counts()
    for _ in range(3):
        more = charge_of(trade.agree(trade.product(is_feed=True), now=now))
        settle(now)
        deliver(more, due=more.held_micro, now=now)
        settle(now)
        if more.pk % 2:
            open_dispute(
                charge_id=more.pk,
                participant_ids=[trade.bob],
                reason="other",
                statement="?",
                now=now,
            )
    settle(now + WINDOW)
    assert counts() == one
