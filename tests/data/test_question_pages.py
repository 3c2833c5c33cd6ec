"""Questions with noise on the page and over the API."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from marketplace.models import DataContract, DataQuery, User
from marketplace.services.data.queries import answer_waiting
from tests.data.test_queries import granted
from tests.data.test_wish_pages import client_of, person
from tests.data.trading import NOW, book, build_trade
from tests.gate.test_queries import ASKED

FORM = {
    "token": "8c0a4e3e-6a3a-4c1f-9f5e-0f7c1e7b0009",
    "first_day": "2014-02-28",
    "last_day": "2014-03-03",
    "by_time": "day",
    "by_place": "from",
    "area": "h3-7",
    "cost": "100000",
}


@pytest.fixture
def contract(db: None, tmp_path: Path, settings: Any, monkeypatch: Any) -> DataContract:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return granted(build_trade(), product_budget=500_000, budget=150_000)


def test_a_buyer_asks_reads_the_answer_and_the_budget_runs_out(contract: DataContract) -> None:
    buyer = client_of(person(contract.buyer_id, "bob"))
    seller = client_of(person(contract.seller_id, "alice"))
    page = f"/market/contracts/{contract.id}/questions"
    assert "0.15" in buyer.get(page).content.decode()
    assert seller.get(page).status_code == 404
    assert buyer.post(page, FORM).status_code == 302
    assert 'hx-trigger="every 3s"' in buyer.get(page).content.decode()
    book()
    answer_waiting(now=NOW)
    shown = buyer.get(page).content.decode()
    assert "± 31" in shown
    assert "0.05" in shown
    query = DataQuery.objects.get()
    assert query.counts is not None
    lines = buyer.get(f"/market/questions/{query.id}/answer.csv").content.decode().splitlines()
    assert lines[0] == "time,from,count_with_noise,error_bar_95"
    assert lines[1] == f"2014-02-28,N,{query.counts[0]},31"
    assert len(lines) == 1 + 4 * 2
    assert seller.get(f"/market/questions/{query.id}/answer.csv").status_code == 404
    again = {**FORM, "token": FORM["token"][:-1] + "8", "by_time": "all"}
    assert buyer.post(page, again).status_code == 302
    book()
    answer_waiting(now=NOW)
    assert "does not cover it" in buyer.get(page).content.decode()


def test_a_question_that_is_none_is_complained_about(contract: DataContract) -> None:
    buyer = client_of(person(contract.buyer_id, "bob"))
    page = f"/market/contracts/{contract.id}/questions"
    answer = buyer.post(page, {**FORM, "last_day": "2014-02-01"})
    assert answer.status_code == 400
    assert 'id="id_last_day_error"' in answer.content.decode()
    assert not DataQuery.objects.exists()


def test_the_api_asks_and_answers(contract: DataContract) -> None:
    person(contract.buyer_id, "bob")
    token = Token.objects.create(user=User.objects.get())
    headers = {"Authorization": f"Token {token}", "Idempotency-Key": "q1"}
    body = {"contract_id": contract.id, "question": ASKED, "cost_micro_epsilon": 100_000}
    client = Client()
    sent = client.post(
        "/api/v1/data/queries/", body, content_type="application/json", headers=headers
    )
    assert sent.status_code == 201, sent.content
    assert sent.json()["state"] == "submitted"
    book()
    answer_waiting(now=NOW)
    address = f"/api/v1/data/queries/{sent.json()['id']}"
    answered = client.get(address, headers=headers).json()
    assert answered["state"] == "answered"
    assert [each["cell"] for each in answered["cells"][:2]] == [
        ["2014-02-28", "N"],
        ["2014-02-28", "S"],
    ]
    assert answered["error_bar"] == 31
    listed = client.get(f"/api/v1/data/queries/?contract={contract.id}", headers=headers).json()
    assert listed["results"] == [answered]
    wrong = {**body, "question": {**ASKED, "area": "h3-1"}}
    headers["Idempotency-Key"] = "q2"
    refused = client.post(
        "/api/v1/data/queries/", wrong, content_type="application/json", headers=headers
    )
    assert refused.status_code == 400
