"""Questions with noise on the ledger's budgets: paid once, drawn once, refused when used up."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gate.areas import Areas
from gate.queries import Question
from gate.spill import Int64Array
from ledger.queries import get_balances
from ledger.queries.accounts import find_accounts
from marketplace.domain.data.privacy_budget import contract_path, product_path
from marketplace.errors import ContractClosed, Invalid, NotFound
from marketplace.models import DataContract, DataProduct, DataQuery, DataQueryStore, Notice
from marketplace.services.data import queries, query_stores, storage
from marketplace.services.data.contract_drafts import Choice
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.intake import confirm_version
from marketplace.services.data.products import list_product
from marketplace.services.data.queries import answer_waiting, ask
from marketplace.services.data.query_stores import QueryRows, keep_rows
from marketplace.services.data.version_work import work_version
from tests.data.publishing import product_of, stations_csv, trips_csv, upload
from tests.data.trading import NOW, Trade, book, build_trade, version
from tests.gate.test_queries import AREAS, ASKED, keys, trips

QUESTION = Question.from_json(ASKED)
ROWS = trips(3, 2_000)
PROFILE = {"start": "2014-02-27T00:00:00Z", "end": "2014-03-06T00:00:00Z"}


@pytest.fixture
def contract(db: None) -> DataContract:
    trade = build_trade()
    return granted(trade, product_budget=500_000, budget=250_000)


def granted(trade: Trade, *, product_budget: int, budget: int) -> DataContract:
    """Agree on questions about a product with rows to answer them from."""
    product = trade.product(format="trips", query_budget_micro_epsilon=product_budget)
    store_rows(product, keys(ROWS))
    return agreed(trade, product, trade.bob, budget)


def store_rows(product: DataProduct, packed: Int64Array) -> None:
    """Publish a version with rows for questions beside its package."""
    package = secrets.token_hex(32)
    with storage.new_package(package) as file:
        file.write(b"a package")
        rows = QueryRows(package)
        rows.add(packed)
        sealed = rows.finish(AREAS)
    newest = version(product, number=2, package=package, profile=PROFILE)
    keep_rows(version=newest, rows=sealed, now=NOW)


def agreed(trade: Trade, product: Any, buyer_id: int, budget: int) -> DataContract:
    choice = Choice(months=3, privacy_budget_micro_epsilon=budget)
    text = trade.draft(product, choice, buyer=buyer_id)
    proposed = propose_contract(text=text, participant_id=buyer_id, signature=None, now=NOW)
    return accept_contract(
        contract_id=proposed.id, participant_id=trade.alice, signature=None, now=NOW
    )


def put(contract: DataContract, cost: int = 100_000, **change: Any) -> DataQuery:
    query_id = ask(
        contract_id=contract.id,
        buyer_ids=[contract.buyer_id],
        question=Question.from_json({**ASKED, **change}),
        cost_micro_epsilon=cost,
        now=NOW,
    )
    return DataQuery.objects.get(id=query_id)


def answered(query: DataQuery) -> DataQuery:
    book()
    answer_waiting(now=NOW)
    query.refresh_from_db()
    return query


def left(path: str) -> int | None:
    [account] = find_accounts(paths=[path]).values()
    return get_balances(account_ids=[account])[account].available


def test_a_question_is_paid_from_both_budgets_and_drawn_once(contract: DataContract) -> None:
    query = put(contract)
    assert answer_waiting(now=NOW) == 0  # not before the ledger has booked the price
    answered(query)
    assert query.state == DataQuery.State.ANSWERED
    assert query.counts is not None and query.bar == 31
    truth = sum(1 for at, _, _ in ROWS if QUESTION.first_day <= at.date() <= QUESTION.last_day)
    assert abs(sum(query.counts) - truth) < 31 * len(query.counts)
    assert left(contract_path(contract.id)) == 150_000
    assert left(product_path(contract.product_id)) == 400_000
    again = put(contract)
    assert again.id == query.id
    book()
    assert left(contract_path(contract.id)) == 150_000
    assert again.counts == query.counts


def test_a_budget_that_is_used_up_says_so_and_takes_nothing(contract: DataContract) -> None:
    for day in ("2014-02-27", "2014-02-28"):
        assert answered(put(contract, first_day=day)).state == DataQuery.State.ANSWERED
    refused = answered(put(contract, by_time="all"))
    assert (refused.state, refused.refusal) == (DataQuery.State.REFUSED, "contract_budget")
    assert refused.counts is None
    assert left(contract_path(contract.id)) == 50_000
    assert left(product_path(contract.product_id)) == 300_000
    assert Notice.objects.filter(kind="budget_used_up").count() == 1
    # What still fits is answered.
    assert answered(put(contract, cost=50_000)).state == DataQuery.State.ANSWERED


def test_the_products_budget_is_one_for_all_its_buyers(contract: DataContract) -> None:
    trade = Trade(contract.seller_id, contract.buyer_id, build_trade().charlie)
    other = agreed(trade, contract.product, trade.charlie, 450_000)
    assert answered(put(contract, cost=250_000)).state == DataQuery.State.ANSWERED
    assert answered(put(other, cost=240_000, by_time="all")).state == DataQuery.State.ANSWERED
    refused = answered(put(other, cost=20_000))
    assert (refused.state, refused.refusal) == (DataQuery.State.REFUSED, "product_budget")
    # What another buyer was told already costs nothing more.
    same = put(other, cost=250_000)
    assert same.state == DataQuery.State.ANSWERED
    assert same.same_as is not None and same.same_as.contract_id == contract.id
    assert left(contract_path(other.id)) == 210_000


def test_questions_are_the_buyers_and_under_a_contract_in_force(contract: DataContract) -> None:
    def put_by(buyer_id: int, **change: Any) -> int:
        named: dict[str, Any] = {"cost_micro_epsilon": 10_000, "now": NOW, "question": QUESTION}
        return ask(contract_id=contract.id, buyer_ids=[buyer_id], **{**named, **change})

    with pytest.raises(NotFound):
        put_by(contract.seller_id)
    with pytest.raises(ContractClosed):
        put_by(contract.buyer_id, now=contract.valid_until + timedelta(seconds=1))
    with pytest.raises(Invalid) as refused:
        put_by(contract.buyer_id, question=Question.from_json({**ASKED, "area": "h3-4"}))
    assert refused.value.field == "area"
    with pytest.raises(Invalid):
        put_by(contract.buyer_id, cost_micro_epsilon=9_999)
    assert not DataQuery.objects.exists()


def test_the_rows_are_sealed_and_come_back_whole(contract: DataContract) -> None:
    store = DataQueryStore.objects.get()
    assert np.array_equal(query_stores.read_rows(store), np.sort(keys(ROWS)))
    assert query_stores.read_areas(store) == Areas.from_csv(AREAS.to_csv())
    stored = storage.rows_path(store.version.package).read_bytes()
    assert np.sort(keys(ROWS))[:4].tobytes() not in stored


def test_two_workers_draw_one_answer(contract: DataContract) -> None:
    query = answered(put(contract))
    counts = query.counts
    assert answer_waiting(now=NOW) == 0
    query.refresh_from_db()
    assert query.counts == counts


def test_a_published_version_answers_and_what_is_thrown_away_leaves_no_rows(
    data_folder: Path, db: None
) -> None:
    trade = build_trade()
    product_id = product_of(
        trade.alice, format_="trips", theme="bike-sharing-availability",
        query_budget_micro_epsilon=1_000_000,
    )  # fmt: skip
    upload(product_id, trade.alice, stations_csv(), role="stations")
    version_id = upload(product_id, trade.alice, trips_csv(), name="trips.csv")
    assert work_version(version_id=version_id, now=NOW)  # a preview: nothing is kept
    assert not list((data_folder / "packages").glob("**/rows"))
    confirm_version(version_id=version_id, participant_ids=[trade.alice], now=NOW)
    assert work_version(version_id=version_id, now=NOW)
    list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
    store = DataQueryStore.objects.get(version=version_id)
    assert len(query_stores.read_rows(store)) == 600
    contract = agreed(trade, DataProduct.objects.get(id=product_id), trade.bob, 500_000)
    query = put(contract, first_day="2026-03-02", last_day="2026-03-02", by_time="all")
    answered(query)
    assert query.counts is not None
    assert abs(sum(query.counts) - 600) < 31 * len(query.counts) + 60


def test_nobody_lets_a_thousand_questions_wait(
    contract: DataContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "WAITING_MAX", 2)
    for cost in (20_000, 20_001):
        put(contract, cost=cost)
    with pytest.raises(Invalid, match="wait"):
        put(contract, cost=20_002)
    book()
    assert answer_waiting(now=NOW) == 2
    put(contract, cost=20_002)
