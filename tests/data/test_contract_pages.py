"""Pages of contracts: read whole before it is signed, closed to everybody but its two sides."""

import base64
import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from config.web.data import catalogue_words, contract_words
from marketplace.domain.data.contract import CONSEQUENCES, TIMES, ContractText
from marketplace.domain.data.policy import DUTIES, PROHIBITIONS, PURPOSES, Policy
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.models import DataCharge, DataContract, DataDispute
from marketplace.services.people import add_participant
from tests.data.test_contract_text import TEXT
from tests.data.test_contracts_api import sign, signed_in
from tests.data.trading import Trade, build_trade, own_key
from tests.worlds import world

LIST = "/market/contracts"


@pytest.fixture
def trade(db: None) -> Any:
    with world(build_trade) as built:
        yield built


def read(answer: Any) -> str:
    """Return a page's words, without tags."""
    assert answer.status_code == 200
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def body_of(answer: Any) -> str:
    found = re.search(r'name="body" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return html.unescape(found[1])


def test_chosen_read_signed_accepted_revoked(trade: Trade) -> None:
    product = trade.product(accepts_automatically=False)
    bob, alice = signed_in("bob", trade.bob), signed_in("alice", trade.alice)
    new = f"{LIST}/new?product={product.pk}"
    assert "Cars on the ring road" in read(bob.get(new))
    assert bob.post(new, {"months": "0", "version": "1"}).status_code == 400
    shown = bob.post(new, {"months": "2", "version": "1"})
    words = read(shown)
    for said in ("Bob Logistics", "Alice Bikes", "research, transport planning", "5.00 once"):
        assert said in words.replace("\N{NO-BREAK SPACE}", " ")
    assert not DataContract.objects.exists()
    proposed = bob.post(f"{LIST}/propose", {"body": body_of(shown)})
    made = DataContract.objects.get()
    assert proposed["Location"] == f"{LIST}/{made.pk}"
    # A second click proposes nothing new.
    assert bob.post(f"{LIST}/propose", {"body": body_of(shown)})["Location"] == LIST
    assert DataContract.objects.count() == 1
    assert "Waiting for your signature" in read(alice.get(LIST))
    alice.post(f"{LIST}/{made.pk}/accept")
    assert "Signed by the seller, and logged." in read(bob.get(f"{LIST}/{made.pk}"))
    text = bob.get(f"{LIST}/{made.pk}/text")
    assert text.content == bytes(made.body)
    assert json.loads(bob.get(f"{LIST}/{made.pk}/policy").content)["@type"] == "Agreement"
    asked = read(alice.get(f"{LIST}/{made.pk}/revoke"))
    assert "the money that was held goes back to the buyer" in asked
    alice.post(f"{LIST}/{made.pk}/revoke")
    assert "Revoked by the seller, and logged." in read(bob.get(f"{LIST}/{made.pk}"))


def test_signed_in_the_browser(trade: Trade) -> None:
    product = trade.product(is_feed=True)
    mine, hers = (own_key(each, now=timezone.now()) for each in (trade.bob, trade.alice))
    bob, alice = signed_in("bob", trade.bob), signed_in("alice", trade.alice)
    shown = bob.post(f"{LIST}/new?product={product.pk}", {"months": "2", "version": "1"})
    public = base64.b64encode(mine.public_key().public_bytes_raw()).decode()
    assert f'data-key="{html.escape(public)}"' in shown.content.decode()
    body = body_of(shown)
    bob.post(f"{LIST}/propose", {"body": body, "signature": sign(hers, body)})
    bob.post(f"{LIST}/propose", {"body": body})
    assert not DataContract.objects.exists()
    bob.post(f"{LIST}/propose", {"body": body, "signature": sign(mine, body)})
    made = DataContract.objects.get()
    asked = alice.post(f"{LIST}/{made.pk}/accept")
    assert body_of(asked) == body
    alice.post(f"{LIST}/{made.pk}/accept", {"body": body, "signature": sign(hers, body)})
    ends = bob.post(f"{LIST}/{made.pk}/revoke")
    assert "every credential of the feed stops working at once" in read(ends)
    end = body_of(ends)
    bob.post(f"{LIST}/{made.pk}/revoke", {"body": end, "signature": sign(mine, end)})
    made.refresh_from_db()
    assert made.state == DataContract.State.REVOKED
    bob.post(f"{LIST}/key", {"holder": "hall"})
    assert "The hall does, in your name" in read(bob.get(LIST))


def test_closed_but_to_its_sides_and_to_the_operator_of_a_dispute(trade: Trade) -> None:
    contract = trade.agree(trade.product(), now=timezone.now() - timedelta(minutes=1))
    operator = add_participant(role="operator", name="Operator")
    household = add_participant(role="household", name="Home")
    strangers = [
        signed_in("charlie", trade.charlie),
        signed_in("home", household),
        signed_in("operator", operator),
        signed_in("nobody"),
    ]
    one = f"{LIST}/{contract.pk}"
    pages = (one, f"{one}/text", f"{one}/policy", f"{one}/revoke")
    for stranger in strangers:
        for page in pages:
            assert stranger.get(page).status_code == 404
        for step in ("accept", "close", "revoke"):
            assert stranger.post(f"{one}/{step}").status_code == 404
    for page in (LIST, *pages):
        assert Client().get(page).status_code == 302
    for household_page in (LIST, f"{LIST}/new?product={contract.product_id}"):
        assert strangers[1].get(household_page).status_code == 404
    charge = DataCharge.objects.get(contract=contract)
    DataDispute.objects.create(charge=charge, reason="other", opened_at=timezone.now())
    assert "Bob Logistics" in read(strangers[2].get(one))
    for step in ("accept", "close", "revoke"):
        assert strangers[2].post(f"{one}/{step}").status_code == 404
    assert strangers[0].get(one).status_code == 404
    assert signed_in("bob", trade.bob).get(f"{LIST}/new?product=9x").status_code == 404


def test_more_contracts_ask_no_oftener(trade: Trade) -> None:
    bob, product = signed_in("bob", trade.bob), trade.product()
    asked = []
    for _ in range(2):
        trade.agree(product, now=timezone.now() - timedelta(minutes=1))
        trade.propose(product, now=timezone.now() - timedelta(minutes=1))
        bob.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            bob.get(LIST)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_every_code_has_words_in_both_languages() -> None:
    assert set(catalogue_words.PURPOSE_LABELS) == set(PURPOSES)
    assert set(catalogue_words.PROHIBITION_LABELS) == set(PROHIBITIONS)
    assert set(catalogue_words.DUTY_LABELS) == set(DUTIES)
    stages = [each for kind in CONSEQUENCES.values() for each in kind]
    assert set(contract_words.STAGE_LABELS) == set(stages)
    codes = {code for kind in CONSEQUENCES.values() for each in kind.values() for code in each}
    assert set(contract_words.CONSEQUENCE_LABELS) == codes
    file = replace(
        TEXT,
        kind="file",
        times=TIMES["file"],
        price=PriceRule(PriceForm.ONE_OFF, price_micro=1),
        policy=Policy.of(prohibitions=[], duties=["delete"], delete_after_days=0),
    )
    for language in ("en", "zh-hans"):
        with translation.override(language):
            for text in (TEXT, file):
                said = contract_words.clauses(text, seller="S", buyer="")
                assert all(each.label and all(each.lines) for each in said)
                assert len({each.label for each in said}) == len(said)


def test_the_words_follow_the_text(trade: Trade) -> None:
    text: ContractText = trade.draft(trade.product(is_feed=True))

    def words(changed: ContractText) -> str:
        said = contract_words.clauses(changed, seller="S", buyer="B")
        return "\n".join(line for each in said for line in each.lines)

    usual = words(text)
    for change in (
        {"months": 4},
        {"privacy_budget_micro_epsilon": 2_500_000},
        {"policy": Policy()},
        {"price": PriceRule(PriceForm.FREE)},
        {"manifest_sha256": "00" * 32},
        {"service": replace(text.service, max_age_s=60)},
        {"licence": "cc0-1.0"},
    ):
        assert words(replace(text, **change)) != usual
