"""What was signed stays as it is: touched by nobody, held against the log, and of nobody erased."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from marketplace.errors import (
    AgreementsInForce,
    ContractClosed,
    TermsBroken,
)
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDelivery,
)
from marketplace.queries.data.contract_checks import verify_contracts
from marketplace.queries.data.contracts import (
    contract_document,
    find_contract,
    read_contract,
)
from marketplace.services.data import contracts
from marketplace.services.data.contracts import (
    accept_contract,
    accept_waiting,
    close_proposal,
)
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from tests.conftest import CommittedDatabase
from tests.data.test_contracts import SOON, logged, revoke
from tests.data.trading import NOW, SUBSCRIPTION, Trade, book, build_trade, own_key
from tests.worlds import world


@pytest.fixture
def trade(db: None) -> Any:
    with world(build_trade) as built:
        yield built


def test_what_was_signed_cannot_be_touched(trade: Trade) -> None:
    contract = trade.agree(trade.product(is_feed=True))
    rows = DataContract.objects.filter(id=contract.pk)
    change: dict[str, Any]
    for change in (
        {"body": b"{}"},
        {"buyer_signature": b"x"},
        {"valid_until": NOW + timedelta(days=900)},
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
            _raise_cause(rows, change)
        assert "permission denied" in str(refusal.value)
    for change in (
        {"seller_signature": b"x"},
        {"state": DataContract.State.PROPOSED},
        {"state": DataContract.State.DECLINED},
        {"agreed_at": NOW - timedelta(days=1)},
    ):
        with pytest.raises(IntegrityError, match="cannot be rewritten"), transaction.atomic():
            rows.update(**change)
    revoke(contract, trade.alice)
    with pytest.raises(IntegrityError, match="cannot be rewritten"), transaction.atomic():
        rows.update(revocation_body=b"{}")


def _raise_cause(rows: Any, change: dict[str, Any]) -> None:
    try:
        with transaction.atomic():
            rows.update(**change)
    except Exception as error:
        raise error.__cause__ or error from None


def test_a_contract_the_log_was_not_told_of_is_named(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = trade.propose(trade.product()), trade.propose(trade.product(), now=SOON)
    accept_contract(contract_id=known.pk, participant_id=trade.alice, signature=None, now=SOON)
    assert verify_contracts() == 1
    # Another text is logged under its key.
    monkeypatch.setattr(contracts, "contract_document", lambda _: contract_document(known))
    accept_contract(contract_id=unknown.pk, participant_id=trade.alice, signature=None, now=SOON)
    book()
    with pytest.raises(TermsBroken, match=f"data-contract:{unknown.pk}"):
        verify_contracts()


def test_a_forged_contract_is_named(trade: Trade) -> None:
    contract = trade.agree(trade.product())
    mine = trade.agree(trade.product(), now=SOON)
    book()
    assert verify_contracts() == 2
    forged = DataContract.objects.select_related("seller_key", "buyer_key", "version").get(
        id=contract.pk
    )
    text = read_contract(forged)
    for change in (
        {"body": replace(text, months=1).body()},
        {"buyer_signature": bytes(mine.buyer_signature)},
        {"seller_signature": bytes(contract.buyer_signature)},
        {"valid_until": NOW + timedelta(days=900)},
        {"currency": "CNY"},
        {"version": mine.version},
        {"buyer_id": trade.charlie},
    ):
        kept = {name: getattr(forged, name) for name in change}
        for name, value in change.items():
            setattr(forged, name, value)
        with pytest.raises(TermsBroken, match=f"data-contract:{contract.pk}"):
            read_contract(forged)
        for name, value in kept.items():
            setattr(forged, name, value)
    read_contract(forged)


def test_two_who_sign_at_once_sign_once(committed_db: CommittedDatabase) -> None:
    trade = build_trade()
    contract = trade.propose(trade.product())
    steps: list[Callable[[], object]] = [
        lambda: accept_waiting(now=SOON),
        lambda: accept_contract(
            contract_id=contract.pk, participant_id=trade.alice, signature=None, now=SOON
        ),
        lambda: close_proposal(contract_id=contract.pk, participant_id=trade.bob, now=SOON),
    ]

    def act(step: Callable[[], object]) -> None:
        try:
            step()
        except ContractClosed:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, steps * 2))
    contract.refresh_from_db()
    was_agreed = contract.state == DataContract.State.AGREED
    assert was_agreed or contract.state == DataContract.State.DECLINED
    assert DataCharge.objects.count() == DataDelivery.objects.count() == int(was_agreed)
    assert logged() == [f"data-contract:{contract.pk}"] * was_agreed


def test_an_erased_buyer_leaves_a_contract_that_names_nobody(
    committed_db: CommittedDatabase,
) -> None:
    trade = build_trade()
    contract = trade.agree(trade.product(is_feed=True, price=SUBSCRIPTION))
    waiting = trade.propose(trade.product(), now=SOON)
    erase_subject(plan=plan_erasure_of_participant(participant_id=trade.bob), now=SOON)
    book(now=SOON)
    states = dict(DataContract.objects.values_list("id", "state"))
    assert states == {
        contract.pk: DataContract.State.REVOKED,
        waiting.pk: DataContract.State.DECLINED,
    }
    line = find_contract(contract_id=contract.pk, participant_ids=[trade.alice])
    assert line is not None
    assert (line.buyer_name, line.seller_name) == ("", "Alice Bikes")
    assert b"Bob" not in bytes(contract.body)
    assert verify_contracts() == 1
    own_key(trade.charlie, now=SOON)
    own = trade.draft(trade.product(), buyer=trade.charlie, now=SOON)
    assert own.buyer.participant_id == trade.charlie


def test_who_holds_their_key_ends_contracts_before_they_are_erased(trade: Trade) -> None:
    contract = trade.agree(trade.product())
    own_key(trade.bob, now=SOON)
    with pytest.raises(AgreementsInForce, match=str(contract.pk)), transaction.atomic():
        erase_subject(plan=plan_erasure_of_participant(participant_id=trade.bob), now=SOON)
