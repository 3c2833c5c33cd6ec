"""A block with a version of data, its contract, a privacy budget and a question, for validators."""

from pathlib import Path

import pytest
from pytest_django import Settings

from gate.queries import Question
from ledger.models import Account, Block, InboxCommand
from ledger.queries import get_balances
from ledger.queries.accounts import find_accounts
from marketplace.domain.data.privacy_budget import UNIT, contract_path
from marketplace.models import DataProduct, DataQuery
from marketplace.services.data.contract_drafts import Choice
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.intake import confirm_version
from marketplace.services.data.products import list_product
from marketplace.services.data.queries import answer_waiting, ask
from marketplace.services.data.version_work import work_version
from tests.data.publishing import product_of, stations_csv, trips_csv, upload
from tests.data.trading import NOW, Trade, book, build_trade
from tests.gate.test_queries import ASKED
from tests.log.hall import Hall
from tests.privacy.in_process import follow

BUDGET, COST = 500_000, 100_000
DAY = "2026-03-02"


@pytest.fixture
def trade(hall: Hall, tmp_path: Path, settings: Settings) -> Trade:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    return build_trade()


def published_trips(trade: Trade) -> int:
    """Publish trips that may be asked about."""
    product_id = product_of(
        trade.alice,
        format_="trips",
        theme="bike-sharing-availability",
        query_budget_micro_epsilon=2 * BUDGET,
    )
    upload(product_id, trade.alice, stations_csv(), role="stations")
    version_id = upload(product_id, trade.alice, trips_csv(), name="trips.csv")
    work_version(version_id=version_id, now=NOW)
    confirm_version(version_id=version_id, participant_ids=[trade.alice], now=NOW)
    work_version(version_id=version_id, now=NOW)
    list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
    return product_id


def agreed(trade: Trade, product_id: int) -> int:
    """Let Bob and Alice sign a contract with a budget for questions."""
    choice = Choice(months=3, privacy_budget_micro_epsilon=BUDGET)
    text = trade.draft(DataProduct.objects.get(id=product_id), choice)
    proposed = propose_contract(text=text, participant_id=trade.bob, signature=None, now=NOW)
    accept_contract(contract_id=proposed.id, participant_id=trade.alice, signature=None, now=NOW)
    return proposed.id


def answered(trade: Trade, contract_id: int) -> DataQuery:
    """Let Bob ask, and the hall answer once the price is booked."""
    question = {**ASKED, "first_day": DAY, "last_day": DAY, "by_time": "all"}
    query_id = ask(
        contract_id=contract_id,
        buyer_ids=[trade.bob],
        question=Question.from_json(question),
        cost_micro_epsilon=COST,
        now=NOW,
    )
    book()
    answer_waiting(now=NOW)
    return DataQuery.objects.get(id=query_id)


def test_validators_follow_what_the_data_market_logs(
    hall: Hall, trade: Trade, tmp_path: Path
) -> None:
    contract_id = agreed(trade, published_trips(trade))
    book()
    assert answered(trade, contract_id).state == DataQuery.State.ANSWERED
    keys = set(InboxCommand.objects.values_list("key", flat=True))
    for prefix in ("data-version:", "data-contract:", "privacy-grant:", "privacy-query:"):
        assert any(key.startswith(prefix) for key in keys), (prefix, keys)
    [account] = find_accounts(paths=[contract_path(contract_id)]).values()
    assert get_balances(account_ids=[account])[account].available == BUDGET - COST
    assert Account.objects.filter(id=account, unit=UNIT).exists()

    hall.step()
    block, size, objections = follow(tmp_path / "validator", hall, now=NOW)

    assert (objections, size) == ([], hall.pending_size())
    assert block == Block.objects.latest("number").number
