"""Read questions with noise: a contract's, with what is left of its budget."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gate.areas import Areas
from gate.queries import Lattice, Question, lattice_of
from ledger.queries import get_balances
from ledger.queries.accounts import find_accounts
from marketplace.domain.data.privacy_budget import contract_path
from marketplace.models import DataContract, DataQuery, DataQueryStore
from marketplace.queries.data.contracts import read_contract


@dataclass(frozen=True)
class QuestionScope:
    """What may be asked under a contract. [1e-6]"""

    contract_id: int
    title: str
    is_open: bool
    granted_micro_epsilon: int
    left_micro_epsilon: int
    levels: tuple[str, ...]
    areas: dict[str, tuple[str, ...]]
    first_day: date
    last_day: date


@dataclass(frozen=True)
class QuestionLine:
    """One question with its answer; ``counts`` are empty until there is one."""

    id: int
    contract_id: int
    question: Question
    lattice: Lattice
    cost_micro_epsilon: int
    is_repeated: bool
    state: str
    refusal: str
    counts: Sequence[int]
    bar: int | None
    asked_at: datetime


def get_scope(
    *, contract_id: int, buyer_ids: Collection[int], now: datetime
) -> QuestionScope | None:
    """Return what a buyer may ask under a contract; None where it is not theirs or has none."""
    contract = (
        DataContract.objects.select_related("product", "version")
        .filter(id=contract_id, buyer__in=buyer_ids)
        .first()
    )
    if contract is None:
        return None
    store = DataQueryStore.objects.filter(version=contract.version_id).first()
    granted = read_contract(contract).privacy_budget_micro_epsilon
    if store is None or not granted:
        return None
    areas = Areas.from_csv(bytes(store.areas))
    days = _days(contract.version.profile, contract.product.reading.get("zone") or "UTC")
    return QuestionScope(
        contract_id=contract.id,
        title=contract.product.title,
        is_open=contract.state == DataContract.State.AGREED
        and contract.valid_from <= now < contract.valid_until,
        granted_micro_epsilon=granted,
        left_micro_epsilon=_left(contract.id, granted),
        levels=tuple(areas.names),
        areas={level: tuple(sorted(set(names))) for level, names in areas.names.items()},
        first_day=days[0],
        last_day=days[1],
    )


def list_questions(
    *, contract_id: int, before_id: int | None = None, limit: int = 20
) -> list[QuestionLine]:
    """Return a contract's newest questions, before an id if given."""
    found = DataQuery.objects.filter(contract=contract_id).select_related("same_as")
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    queries = list(found.order_by("-id")[:limit])
    stores = DataQueryStore.objects.filter(version__in={each.version_id for each in queries})
    areas = {each.version_id: Areas.from_csv(bytes(each.areas)) for each in stores}
    return [_line(each, areas[each.version_id]) for each in queries]


def get_question(*, query_id: int, buyer_ids: Collection[int]) -> QuestionLine | None:
    """Return a question under a contract of one of these buyers, or None."""
    query = (
        DataQuery.objects.select_related("same_as")
        .filter(id=query_id, contract__buyer__in=buyer_ids)
        .first()
    )
    if query is None:
        return None
    store = DataQueryStore.objects.get(version=query.version_id)
    return _line(query, Areas.from_csv(bytes(store.areas)))


def _days(profile: Mapping[str, Any], zone: str) -> tuple[date, date]:
    """Return the first and the last day by the wall clock that a version covers."""
    start, end = (datetime.fromisoformat(profile[key]) for key in ("start", "end"))
    clock = ZoneInfo(zone)
    final = max(start, end - timedelta(microseconds=1))
    return start.astimezone(clock).date(), final.astimezone(clock).date()


def _left(contract_id: int, granted: int) -> int:
    """Return what is left of a contract's budget; nothing was asked yet: all of it."""
    accounts = find_accounts(paths=[contract_path(contract_id)])
    for account_id in accounts.values():
        balance = get_balances(account_ids=[account_id])[account_id]
        if balance.posted or balance.pending_out or balance.available:
            return balance.available or 0
    return granted


def _line(query: DataQuery, areas: Areas) -> QuestionLine:
    drawn = query.same_as or query
    question = Question.from_json(query.question)
    return QuestionLine(
        id=query.id,
        contract_id=query.contract_id,
        question=question,
        lattice=lattice_of(question, areas),
        cost_micro_epsilon=query.cost_micro_epsilon,
        is_repeated=query.same_as_id is not None,
        state=DataQuery.State(query.state).name.lower(),
        refusal=query.refusal,
        counts=drawn.counts or (),
        bar=drawn.bar,
        asked_at=query.asked_at,
    )
