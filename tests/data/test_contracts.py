"""Contracts: nobody is bound without a signature, and revoking has the consequences it states."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from psycopg.types.range import Range

from ledger.models import InboxCommand
from marketplace.domain.data.policy import Policy
from marketplace.errors import (
    ContractClosed,
    Invalid,
    MarketplaceError,
    NotFound,
    ProductClosed,
    RoleNotAllowed,
    SignatureNeeded,
    TooManyProposals,
    WalletMissing,
)
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDelivery,
    DataProduct,
    DataWish,
    DataWishAnswer,
    FeedCredential,
    Notice,
)
from marketplace.queries.data.contract_checks import verify_contracts
from marketplace.queries.data.contracts import (
    find_contract,
    list_contract_texts,
    list_contracts,
)
from marketplace.queries.documents import get_document, list_own_documents
from marketplace.services.data import contracts
from marketplace.services.data.contract_drafts import Choice
from marketplace.services.data.contract_ends import (
    PROPOSAL_LASTS,
    draft_revocation,
    end_due,
    revoke_contract,
)
from marketplace.services.data.contracts import (
    accept_contract,
    accept_waiting,
    close_proposal,
    propose_contract,
)
from marketplace.services.people import add_participant
from tests.data.trading import NOW, Trade, book, build_trade, own_key, version
from tests.worlds import world

SOON = NOW + timedelta(minutes=2)


@pytest.fixture
def trade(db: None) -> Any:
    with world(build_trade) as built:
        yield built


def logged() -> list[str]:
    found = InboxCommand.objects.filter(key__startswith="data-contract")
    return list(found.order_by("id").values_list("key", flat=True))


def revoke(contract: DataContract, who: int, **changes: Any) -> None:
    now = changes.pop("now", SOON)
    text = draft_revocation(contract_id=contract.pk, participant_id=who, now=now)
    revoke_contract(
        contract_id=contract.pk,
        participant_id=changes.pop("by", who),
        revocation=replace(text, **changes),
        signature=None,
        now=now,
    )


def test_proposed_agreed_logged_held_begun(trade: Trade) -> None:
    contract = trade.propose(trade.product())
    assert logged() == []
    assert not DataCharge.objects.exists()
    agreed = accept_contract(
        contract_id=contract.pk, participant_id=trade.alice, signature=None, now=SOON
    )
    assert logged() == [f"data-contract:{agreed.pk}"]
    charge = DataCharge.objects.get(contract=agreed)
    assert (charge.number, charge.held_micro) == (0, 5_000_000)
    delivery = DataDelivery.objects.get(contract=agreed)
    assert SOON < delivery.offer_by < delivery.receive_by < delivery.key_by < charge.expires_at
    book()
    line = find_contract(contract_id=agreed.pk, participant_ids=[trade.bob])
    assert line is not None
    assert (line.state, line.side, line.is_logged) == ("agreed", "buyer", True)
    assert (line.seller_name, line.buyer_name) == ("Alice Bikes", "Bob Logistics")
    assert find_contract(contract_id=agreed.pk, participant_ids=[trade.charlie]) is None
    [(key, text)] = list_contract_texts(keys=[line.log_key, "data-contract:999"])
    assert text.splitlines()[0] == bytes(agreed.body)
    assert get_document(key=key) == text
    assert key in [each.key for each in list_own_documents(participant_id=trade.alice)]
    assert verify_contracts() == 1
    kinds = Notice.objects.order_by("id").values_list("participant_id", "kind")
    assert list(kinds) == [
        (trade.alice, "contract_proposed"),
        (trade.bob, "contract_agreed"),
    ]


def test_the_task_signs_for_whom_it_may_alone(trade: Trade) -> None:
    product = trade.product()
    by_hand = trade.propose(trade.product(accepts_automatically=False))
    first = trade.propose(product)
    gone = trade.propose(trade.product(), now=SOON)
    DataProduct.objects.filter(id=gone.product_id).update(
        state=DataProduct.State.WITHDRAWN, withdrawn_at=NOW
    )
    assert (accept_waiting(now=SOON), accept_waiting(now=SOON)) == (1, 0)
    states = dict(DataContract.objects.values_list("id", "state"))
    assert states == {
        by_hand.pk: DataContract.State.PROPOSED,
        first.pk: DataContract.State.AGREED,
        gone.pk: DataContract.State.DECLINED,
    }
    assert logged() == [f"data-contract:{first.pk}"]


def test_a_key_of_ones_own_signs_itself(trade: Trade) -> None:
    alice, bob = own_key(trade.alice), own_key(trade.bob)
    text = trade.draft(trade.product())
    with pytest.raises(SignatureNeeded):
        propose_contract(text=text, participant_id=trade.bob, signature=None, now=SOON)
    with pytest.raises(Invalid):
        propose_contract(
            text=text, participant_id=trade.bob, signature=alice.sign(text.body()), now=SOON
        )
    contract = propose_contract(
        text=text, participant_id=trade.bob, signature=bob.sign(text.body()), now=SOON
    )
    assert accept_waiting(now=SOON) == 0
    accept: dict[str, Any] = {
        "contract_id": contract.pk,
        "participant_id": trade.alice,
        "now": SOON,
    }
    with pytest.raises(SignatureNeeded):
        accept_contract(**accept, signature=None)
    with pytest.raises(Invalid):
        accept_contract(**accept, signature=bob.sign(text.body()))
    accept_contract(**accept, signature=alice.sign(text.body()))
    later = trade.draft(trade.product(), now=SOON)
    second = propose_contract(
        text=later, participant_id=trade.bob, signature=bob.sign(later.body()), now=SOON
    )
    own_key(trade.bob, now=SOON)
    with pytest.raises(ContractClosed):
        accept_contract(
            contract_id=second.pk,
            participant_id=trade.alice,
            signature=alice.sign(later.body()),
            now=SOON,
        )
    with pytest.raises(SignatureNeeded):
        revoke(contract, trade.bob)
    assert verify_contracts() == 1


def test_only_the_buyer_proposes_and_only_the_seller_accepts(trade: Trade) -> None:
    product = trade.product()
    text = trade.draft(product)
    for other in (trade.alice, trade.charlie):
        with pytest.raises(NotFound):
            propose_contract(text=text, participant_id=other, signature=None, now=SOON)
    contract = trade.propose(product)
    for other in (trade.bob, trade.charlie):
        with pytest.raises(NotFound):
            accept_contract(contract_id=contract.pk, participant_id=other, signature=None, now=SOON)
    with pytest.raises(NotFound):
        close_proposal(contract_id=contract.pk, participant_id=trade.charlie, now=SOON)
    close_proposal(contract_id=contract.pk, participant_id=trade.bob, now=SOON)
    with pytest.raises(ContractClosed):
        accept_contract(
            contract_id=contract.pk, participant_id=trade.alice, signature=None, now=SOON
        )
    assert logged() == []


def test_a_text_counts_only_as_drafted_and_fresh(trade: Trade) -> None:
    product = trade.product()
    text = trade.draft(product)

    def refused(text: Any, error: type[MarketplaceError], now: Any = SOON) -> None:
        with pytest.raises(error), transaction.atomic():
            propose_contract(text=text, participant_id=trade.bob, signature=None, now=now)

    refused(replace(text, price=replace(text.price, price_micro=1)), Invalid)
    refused(replace(text, manifest_sha256="00" * 32), Invalid)
    refused(replace(text, policy=Policy.of(prohibitions=[])), Invalid)
    refused(replace(text, months=0), Invalid)
    refused(text, Invalid, NOW + timedelta(minutes=11))
    refused(text, Invalid, NOW - timedelta(seconds=1))
    propose_contract(text=text, participant_id=trade.bob, signature=None, now=SOON)
    refused(text, ContractClosed)
    later = trade.draft(product, now=SOON)
    DataProduct.objects.filter(id=product.pk).update(price={"form": "one_off", "price_micro": 1})
    refused(later, Invalid)


def test_what_may_be_drafted(trade: Trade) -> None:
    product = trade.product(query_budget_micro_epsilon=100)
    feed = trade.product(
        is_feed=True,
        price={"form": "per_request", "price_micro": 1000, "cap_micro": 500},
        shares=[{"participant": trade.charlie, "ppm": 100_000}],
    )
    version(product, number=2)
    assert trade.draft(product).version_number == 2
    assert trade.draft(product, Choice(version_number=1)).version_number == 1
    capped = trade.draft(feed, Choice(months=1, cap_micro=400, privacy_budget_micro_epsilon=0))
    assert (capped.price.cap_micro, capped.shares[0].ppm) == (400, 100_000)
    planner = add_participant(role="planner", name="Planner")
    operator = add_participant(role="operator", name="Operator")
    poor = add_participant(role="enterprise", name="Poor")
    free = trade.product(price={"form": "free"})
    assert trade.draft(free, buyer=planner).most_micro == 0
    hidden = trade.product(state=DataProduct.State.DRAFT)
    for wrong, who, choice, error in (
        (product, trade.bob, Choice(months=0), Invalid),
        (product, trade.bob, Choice(months=999), Invalid),
        (product, trade.bob, Choice(cap_micro=5), Invalid),
        (feed, trade.bob, Choice(cap_micro=600), Invalid),
        (product, trade.bob, Choice(privacy_budget_micro_epsilon=101), Invalid),
        (product, trade.bob, Choice(version_number=3), ProductClosed),
        (product, trade.bob, Choice(answer_id=7), NotFound),
        (hidden, trade.bob, Choice(), NotFound),
        (product, trade.alice, Choice(), RoleNotAllowed),
        (product, operator, Choice(), RoleNotAllowed),
        (product, poor, Choice(), WalletMissing),
    ):
        with pytest.raises(error):
            trade.draft(wrong, choice, buyer=who)
    feed.shares = [{"participant": operator, "ppm": 1}]
    feed.save()
    with pytest.raises(RoleNotAllowed):
        trade.draft(feed)


def test_an_answer_to_a_request_sets_the_price(trade: Trade) -> None:
    product = trade.product()
    wish = DataWish.objects.create(
        buyer_id=trade.bob,
        title="Cars",
        format="counts",
        kind=DataProduct.Kind.FILE,
        longitude=Range(0, 1),
        latitude=Range(0, 1),
        period=Range(NOW.date(), SOON.date() + timedelta(days=1)),
        resolution_s=3600,
        limit_price_micro=4_000_000,
        currency="EUR",
        deadline_at=NOW + timedelta(days=9),
        posted_at=NOW,
    )
    answer = DataWishAnswer.objects.create(
        wish=wish, product=product, price_micro=3_000_000, answered_at=NOW
    )
    text = trade.draft(product, Choice(answer_id=answer.pk))
    assert text.most_micro == 3_000_000
    with pytest.raises(NotFound):
        trade.draft(product, Choice(answer_id=answer.pk), buyer=trade.charlie)
    made = propose_contract(text=text, participant_id=trade.bob, signature=None, now=SOON)
    accept_contract(contract_id=made.pk, participant_id=trade.alice, signature=None, now=SOON)
    assert DataCharge.objects.get(contract=made).held_micro == 3_000_000
    answer.refresh_from_db()
    assert answer.state == DataWishAnswer.State.TAKEN
    with pytest.raises(NotFound):
        trade.draft(product, Choice(answer_id=answer.pk))


def test_revoking_ends_access_at_once_and_is_logged(trade: Trade) -> None:
    contract = trade.agree(trade.product(is_feed=True))
    FeedCredential.objects.create(contract=contract, secret_sha256="a" * 64, created_at=NOW)
    for who, changes, error in (
        (trade.bob, {"by": trade.charlie}, NotFound),
        (trade.bob, {"by": trade.alice}, Invalid),
        (trade.bob, {"revokes_sha256": "00" * 32}, Invalid),
        (trade.bob, {"issued_at": NOW - timedelta(hours=1)}, Invalid),
    ):
        with pytest.raises(error):
            revoke(contract, who, **changes)
    revoke(contract, trade.bob)
    assert FeedCredential.objects.get().revoked_at == SOON
    assert logged() == [f"data-contract:{contract.pk}", f"data-contract-end:{contract.pk}"]
    line = find_contract(contract_id=contract.pk, participant_ids=[trade.alice])
    assert line is not None
    assert (line.state, line.revoked_by) == ("revoked", "buyer")
    with pytest.raises(ContractClosed):
        revoke(contract, trade.alice)
    book()
    keys = [each.key for each in list_own_documents(participant_id=trade.bob)]
    assert set(keys) >= {f"data-contract:{contract.pk}", f"data-contract-end:{contract.pk}"}
    assert len(list(list_contract_texts(keys=keys))) == 2
    assert verify_contracts() == 1


def test_contracts_end_and_proposals_lapse(trade: Trade) -> None:
    product = trade.product(is_feed=True)
    running = trade.agree(product)
    FeedCredential.objects.create(contract=running, secret_sha256="b" * 64, created_at=NOW)
    left = trade.propose(product, now=SOON)
    late = left.proposed_at + PROPOSAL_LASTS
    with pytest.raises(ContractClosed):
        accept_contract(
            contract_id=left.pk,
            participant_id=trade.alice,
            signature=None,
            now=late + timedelta(seconds=1),
        )
    assert (end_due(now=late), end_due(now=late)) == (1, 0)
    assert end_due(now=running.valid_until - timedelta(seconds=1)) == 0
    assert end_due(now=running.valid_until) == 1
    states = [each.state for each in list_contracts(participant_ids=[trade.bob])]
    assert states == ["declined", "ended"]
    assert FeedCredential.objects.get().revoked_at == running.valid_until


def test_proposals_are_bounded(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "PROPOSALS_MAX", 2)
    product = trade.product()
    for at in range(2):
        trade.propose(product, now=NOW + timedelta(microseconds=at))
    with pytest.raises(TooManyProposals):
        trade.propose(product, now=SOON)


def test_what_is_free_once_is_free_once(trade: Trade) -> None:
    price = {"form": "per_request", "price_micro": 1000, "cap_micro": 10**6}
    free = {"trial_days": 31, "trial_units": 500, "free_units": 100}
    feed = trade.product(is_feed=True, price={**price, **free})
    both = [trade.propose(feed), trade.propose(feed, now=SOON)]  # while neither is signed
    assert accept_waiting(now=SOON) == 1
    assert [DataContract.objects.get(id=each.pk).state for each in both] == [
        DataContract.State.AGREED,
        DataContract.State.DECLINED,
    ]
    again = trade.draft(feed, now=SOON).price
    assert (again.trial_days, again.trial_units, again.free_units) == (0, 0, 0)
    revoke(both[0], trade.bob)
    again = trade.draft(feed, now=SOON).price
    assert (again.trial_days, again.trial_units, again.free_units) == (0, 0, 100)
    assert trade.draft(feed, buyer=trade.charlie, now=SOON).price.trial_days == 31


def test_the_hall_signs_nothing_that_its_seller_offers_no_more(trade: Trade) -> None:
    product = trade.product()
    old = trade.propose(product)
    dearer = {"form": "one_off", "price_micro": 9_000_000}
    DataProduct.objects.filter(id=product.pk).update(price=dearer)
    assert accept_waiting(now=SOON) == 0
    old.refresh_from_db()
    assert old.state == DataContract.State.DECLINED
    fair = trade.propose(product, now=SOON)
    assert accept_waiting(now=SOON) == 1
    fair.refresh_from_db()
    assert fair.state == DataContract.State.AGREED
