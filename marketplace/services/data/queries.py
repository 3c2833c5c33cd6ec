"""Questions with noise: asked under a contract, paid from two budgets, drawn once.

The ledger answers before anything is drawn: the budget is gone, or the question is refused. What
was drawn is stored and shown; the same question has its answer already, for whoever may ask it.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import transaction

from gate.errors import Refused
from gate.queries import COST_MAX_MICRO, Question, answer, count, lattice_of
from ledger.domain.commands import Command
from ledger.queries import get_answers, get_balances
from ledger.services import open_accounts, submit
from marketplace.domain.data.privacy_budget import (
    ISSUE_PATH,
    SPENT_PATH,
    UNIT,
    contract_path,
    grant_command,
    product_path,
    query_command,
    query_key,
)
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, ContractClosed, Invalid, NotFound
from marketplace.models import DataContract, DataQuery, DataQueryStore, DataVersion
from marketplace.queries.data.contracts import read_contract
from marketplace.services.data.query_stores import read_areas, read_rows
from marketplace.services.notices import notify

BOOKED, REFUSED = "booked", "refused"
PRODUCT_BUDGET, CONTRACT_BUDGET = "product_budget", "contract_budget"
BATCH: Final = 20
# An answer has up to 20,000 cells whatever it cost: cheaper ones say nothing and fill the disk.
COST_MIN_MICRO: Final = 10_000
# Under one contract: each counts all rows once.
WAITING_MAX: Final = 20


@transaction.atomic
def ask(
    *,
    contract_id: int,
    buyer_ids: Collection[int],
    question: Question,
    cost_micro_epsilon: int,
    now: datetime,
) -> int:
    """Ask a question under a contract; return its id. What it says comes by `answer_waiting`.

    Parameters
    ----------
    cost_micro_epsilon : int
        Price in privacy: half of it makes the error bar twice as wide. [1e-6]

    Raises
    ------
    NotFound
        If none of these participants is the buyer of such a contract.
    ContractClosed
        If the contract is not in force, or grants no questions.
    Invalid
        If the question or its price is not of its form.
    """
    contract = (
        DataContract.objects.select_for_update(no_key=True, of=("self",))
        .select_related("version", "product")
        .filter(id=contract_id, buyer__in=buyer_ids)
        .first()
    )
    if contract is None:
        raise NotFound(N_("There is no such contract of yours."))
    store = _store_of(contract, now)
    if not COST_MIN_MICRO <= cost_micro_epsilon <= COST_MAX_MICRO:
        raise Invalid("cost_micro_epsilon", N_("The price in privacy lies out of bounds."))
    try:
        lattice_of(question, read_areas(store))
    except Refused as refused:
        # The gate's texts are translated where they are shown; its names are its values.
        field = str(refused.values.get("key", "question"))
        raise Invalid(field, refused.template, **refused.values) from refused
    # The same question by two contracts at once: the second finds the first one's.
    DataVersion.objects.select_for_update(no_key=True).get(id=contract.version_id)
    alike = DataQuery.objects.filter(
        version=contract.version,
        question_sha256=question.sha256,
        cost_micro_epsilon=cost_micro_epsilon,
        same_as__isnull=True,
    ).exclude(state=DataQuery.State.REFUSED)
    known = alike.first()
    if known is not None:
        return _repeated(contract, known, now)
    waiting = DataQuery.objects.filter(contract=contract, state=DataQuery.State.SUBMITTED)
    if waiting.count() >= WAITING_MAX:
        raise Invalid("question", N_("{count} questions wait: ask later."), count=WAITING_MAX)
    asked = DataQuery.objects.create(
        contract=contract,
        version=contract.version,
        question=question.as_json(),
        question_sha256=question.sha256,
        cost_micro_epsilon=cost_micro_epsilon,
        asked_at=now,
    )
    submit(commands=_commands(contract, asked), submitted_at=now)
    return asked.id


def answer_waiting(*, now: datetime) -> int:
    """Draw the answers that the ledger has booked, and note what it refused; return how many.

    Safe twice, late, or on two hosts; killed before it commits, it draws again what nobody saw.
    """
    waiting = DataQuery.objects.filter(state=DataQuery.State.SUBMITTED).order_by("id")
    ids = list(waiting.values_list("id", flat=True)[:BATCH])
    answers = get_answers(keys=[query_key(id_) for id_ in ids])
    count_ = 0
    for id_ in ids:
        if answers[query_key(id_)].state in (BOOKED, REFUSED):
            count_ += _answer_one(id_, is_booked=answers[query_key(id_)].state == BOOKED, now=now)
    return count_


@transaction.atomic
def _answer_one(query_id: int, *, is_booked: bool, now: datetime) -> bool:
    """Answer one question, unless another has it in hand or has answered it."""
    query = (
        DataQuery.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("contract__product")
        .filter(id=query_id, state=DataQuery.State.SUBMITTED)
        .first()
    )
    if query is None:
        return False
    if not is_booked:
        query.state, query.refusal = DataQuery.State.REFUSED, _what_ran_out(query)
        query.save(update_fields=["state", "refusal"])
        _tell(query, now)
        return True
    store = DataQueryStore.objects.get(version=query.version_id)
    question, areas = Question.from_json(query.question), read_areas(store)
    lattice = lattice_of(question, areas)
    true = count(read_rows(store), areas, question, lattice)
    drawn = answer(true, lattice, cost_micro_epsilon=query.cost_micro_epsilon)
    query.state, query.answered_at = DataQuery.State.ANSWERED, now
    query.counts, query.bar = list(drawn.counts), drawn.bar
    query.save(update_fields=["state", "answered_at", "counts", "bar"])
    return True


def _store_of(contract: DataContract, now: datetime) -> DataQueryStore:
    """Return what a contract's questions are answered from; raises `ContractClosed`."""
    is_in_force = contract.state == DataContract.State.AGREED
    if not (is_in_force and contract.valid_from <= now < contract.valid_until):
        raise ContractClosed(N_("This contract is not in force."))
    store = DataQueryStore.objects.filter(version=contract.version_id).first()
    if store is None or not read_contract(contract).privacy_budget_micro_epsilon:
        raise ContractClosed(N_("This contract grants no questions."))
    return store


def _repeated(contract: DataContract, known: DataQuery, now: datetime) -> int:
    """Return the question that was asked before, under this contract or another."""
    own = DataQuery.objects.filter(contract=contract, same_as=known).first()
    if known.contract_id == contract.id:
        return known.id
    if known.state != DataQuery.State.ANSWERED:
        raise ContractClosed(N_("This question is being answered: ask again in a moment."))
    if own is None:
        own = DataQuery.objects.create(
            contract=contract,
            version=known.version,
            same_as=known,
            question=known.question,
            question_sha256=known.question_sha256,
            cost_micro_epsilon=0,
            state=DataQuery.State.ANSWERED,
            asked_at=now,
            answered_at=now,
        )
    return own.id


def _commands(contract: DataContract, query: DataQuery) -> list[Command]:
    """Return the grants of both budgets, which count once, and the question's command."""
    product, own = product_path(contract.product_id), contract_path(contract.id)
    budgets = open_accounts(paths=[product, own], unit=UNIT, overdraft_limit=0)
    others = open_accounts(paths=[ISSUE_PATH, SPENT_PATH], unit=UNIT)
    granted = {
        product: contract.product.query_budget_micro_epsilon,
        own: read_contract(contract).privacy_budget_micro_epsilon,
    }
    grants = [
        grant_command(path, issue=others[ISSUE_PATH], budget=budgets[path], micro_epsilon=micro)
        for path, micro in granted.items()
    ]
    # A budget is what it was when the first question was asked.
    known = get_answers(keys=[grant.key for grant in grants])
    return [
        *(grant for grant in grants if grant.key not in known),
        query_command(
            query.id,
            product=budgets[product],
            contract=budgets[own],
            spent=others[SPENT_PATH],
            micro_epsilon=query.cost_micro_epsilon,
        ),
    ]


def _what_ran_out(query: DataQuery) -> str:
    """Tell which budget does not cover a refused question; the contract's where both do not."""
    path = contract_path(query.contract_id)
    [account] = open_accounts(paths=[path], unit=UNIT, overdraft_limit=0).values()
    left = get_balances(account_ids=[account])[account].available or 0
    return CONTRACT_BUDGET if left < query.cost_micro_epsilon else PRODUCT_BUDGET


def _tell(query: DataQuery, now: datetime) -> None:
    product = query.contract.product
    told = {query.contract.buyer_id}
    if query.refusal == PRODUCT_BUDGET:
        told.add(product.provider_id)
    for participant_id in told:
        notify(
            participant_id=participant_id,
            kind=NoticeKind.BUDGET_USED_UP,
            key=f"{product.id}:{query.contract_id}",
            subject={"title": product.title, "product": product.id},
            now=now,
        )
