"""Two allowed questions, one trip between them: what the service tells, and until when."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gate.queries import Question
from marketplace.domain.data.privacy_budget import contract_path, product_path
from marketplace.models import DataContract, DataQuery, Notice
from marketplace.services.data.queries import answer_waiting
from tests.data.test_queries import agreed, left, put, store_rows
from tests.data.trading import NOW, Trade, book, build_trade
from tests.gate.test_queries import AREAS, keys

VICTIMS = 40
COST = 125_000
BUDGET = 2 * VICTIMS * COST
FIRST = datetime(2014, 3, 1)  # noqa: DTZ001 - wall-clock time
NORTH = AREAS.names["h3-7"].index("N")
SOUTH = AREAS.names["h3-7"].index("S")


@pytest.fixture
def trade(db: None, tmp_path: Path, settings: Any) -> Trade:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    return build_trade()


def test_a_difference_of_two_answers_is_a_coin_toss_and_the_budget_ends_it(trade: Trade) -> None:
    random = np.random.default_rng(17)
    is_there = random.integers(0, 2, VICTIMS).astype(bool).tolist()
    contract = sold(trade, is_there)

    # All trips of the victim's day, and all but those from the south, where only the victim rode.
    pairs = []
    for day in range(VICTIMS):
        pairs.append((asked(contract, day), asked(contract, day, from_areas=["N"])))
        if day % 10 == 9:  # as many questions may wait at once
            answer_all()
    guesses = [total(one) - total(other) >= 1 for one, other in pairs]
    right = sum(guess == truth for guess, truth in zip(guesses, is_there, strict=True))
    # Two questions of 0.125 are right in e^0.25 / (1 + e^0.25) = 56 of 100 cases at best: 22 of 40.
    # Six deviations up from a coin toss of that bias would be all; a true answer is right in all.
    assert right < 36
    errors = [total(one) - true_total(day, is_there) for day, (one, _) in enumerate(pairs)]
    assert len(set(errors)) > 10

    # To ask again tells nothing new, and to ask otherwise costs what is not there any more.
    one, _north = pairs[0]
    again = asked(contract, 0)
    assert again.id == one.id
    assert left(contract_path(contract.id)) == left(product_path(contract.product_id)) == 0
    refused = asked(contract, 0, by_time="day")
    answer_all()
    refused.refresh_from_db()
    assert (refused.state, refused.refusal, refused.counts) == (
        DataQuery.State.REFUSED,
        "contract_budget",
        None,
    )
    told = Notice.objects.filter(kind="budget_used_up")
    assert [each.participant_id for each in told] == [trade.bob]
    one.refresh_from_db()
    assert one.counts == again.counts or total(one) == total(again)


def sold(trade: Trade, is_there: list[bool]) -> DataContract:
    """Sell questions about one trip a day from the south, or none, among others from the north."""
    rows = []
    for day in range(VICTIMS):
        at = FIRST + timedelta(days=day, hours=8)
        rows += [(at, NORTH, NORTH)] * (20 + day)
        if is_there[day]:
            rows.append((at, SOUTH, SOUTH))
    product = trade.product(format="trips", query_budget_micro_epsilon=BUDGET)
    store_rows(product, keys(rows))
    return agreed(trade, product, trade.bob, BUDGET)


def answer_all() -> None:
    book()
    while answer_waiting(now=NOW):
        pass


def true_total(day: int, is_there: list[bool]) -> int:
    return 20 + day + is_there[day]


def asked(contract: DataContract, day: int, **change: Any) -> DataQuery:
    date = (FIRST + timedelta(days=day)).date().isoformat()
    words = {"first_day": date, "last_day": date, "by_time": "all", "by_place": "all"}
    assert Question.from_json({"area": "h3-7", **words, **change})
    return put(contract, cost=COST, **{**words, **change})


def total(query: DataQuery) -> int:
    query.refresh_from_db()
    assert query.state == DataQuery.State.ANSWERED and query.counts is not None
    return int(sum(query.counts))
