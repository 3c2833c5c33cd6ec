"""Compare questions with noise with what the ledger took for them, and budgets with all of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, Sum

from gate.errors import Refused
from gate.queries import Question
from ledger.domain.commands import Command
from ledger.queries import Answer, get_answers, get_balances, get_bodies, list_pruned_keys
from ledger.queries.accounts import find_accounts
from ledger.queries.sums import sum_transfers
from ledger.services.verification import one_state
from marketplace.domain.data.privacy_budget import (
    ISSUE_PATH,
    SPENT_PATH,
    contract_path,
    grant_command,
    grant_key,
    product_path,
    query_command,
    query_key,
)
from marketplace.domain.transfer_codes import TransferCode
from marketplace.errors import QuestionsDiffer
from marketplace.models import DataContract, DataQuery
from marketplace.queries.data.contracts import read_contract

State = DataQuery.State
BOOKED, REFUSED = "booked", "refused"
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class VerifiedQuestions:
    """How many questions were answered, and what they took of contracts' budgets. [1e-6]"""

    answered: int
    micro_epsilon: int


@dataclass(frozen=True)
class _Ledger:
    """What the ledger has: answers and bodies by key (a pruned body is empty), accounts by path."""

    answers: Mapping[str, Answer]
    bodies: Mapping[str, bytes]
    accounts: Mapping[str, int]

    def state(self, key: str) -> str:
        """Return what became of a command; empty if there never was one."""
        return self.answers[key].state if key in self.answers else ""


def verify_questions() -> VerifiedQuestions:
    """Check every question, and every privacy budget that was granted.

    Each is compared with the command that took its price from both budgets; each budget with its
    grant, less the prices of all questions that were paid from it.

    Raises
    ------
    QuestionsDiffer
        The message names the first question or budget that does not follow.
    TermsBroken
        If a contract is not what was signed.
    """
    with one_state():
        answered = 0
        for batch in _batches():
            answered += _check_batch(batch)
        return VerifiedQuestions(answered, _check_budgets())


def _batches() -> Iterator[Sequence[DataQuery]]:
    last = 0
    # What was answered may be large, and is not at issue.
    found = DataQuery.objects.select_related("contract", "same_as").defer(
        "counts", "contract__body", "same_as__counts", "same_as__question"
    )
    while batch := list(found.filter(id__gt=last).order_by("id")[:_AT_ONCE]):
        yield batch
        last = batch[-1].pk


def _check_batch(batch: Sequence[DataQuery]) -> int:
    """Check some questions; return how many have an answer."""
    keys = [query_key(each.pk) for each in batch]
    paths = {SPENT_PATH}
    for query in batch:
        paths |= {product_path(query.contract.product_id), contract_path(query.contract_id)}
    ledger = _Ledger(
        get_answers(keys=keys), get_bodies(keys=keys), find_accounts(paths=sorted(paths))
    )
    for query in batch:
        _check_text(query)
        if query.same_as is None:
            _check_paid(query, ledger)
        else:
            _check_repeated(query, query.same_as, ledger)
    return sum(query.state == State.ANSWERED for query in batch)


def _check_text(query: DataQuery) -> None:
    """Compare a question with its hash: by that it is found when somebody asks the same."""
    try:
        is_its_own = Question.from_json(query.question).sha256 == query.question_sha256
    except Refused as error:
        raise _differs(query, "cannot be read") from error
    if not is_its_own:
        raise _differs(query, "has another hash")


def _check_paid(query: DataQuery, ledger: _Ledger) -> None:
    """Compare a question with the command that takes its price."""
    key = query_key(query.pk)
    state = ledger.state(key)
    if query.state == State.ANSWERED and state != BOOKED:
        raise _differs(query, "was answered, and the ledger took nothing for it")
    if query.state == State.REFUSED and state != REFUSED:
        raise _differs(query, "was refused, and the ledger did not refuse it")
    if not state:
        raise _differs(query, "waits, and was never handed to the ledger")
    body = ledger.bodies.get(key)
    if body and bytes(body) != _command_of(query, ledger.accounts).body:
        raise _differs(query, "has another price or other budgets than the ledger has")


def _check_repeated(query: DataQuery, first: DataQuery, ledger: _Ledger) -> None:
    """Compare a question that was asked before with what was drawn then: it costs nothing."""
    if ledger.state(query_key(query.pk)):
        raise _differs(query, "was asked before, and the ledger was told to take something for it")
    asked = (query.version_id, query.question_sha256)
    if (first.version_id, first.question_sha256) != asked:
        raise _differs(query, f"is not the same as question {first.pk}")
    if first.same_as_id is not None or first.state != State.ANSWERED:
        raise _differs(query, f"has its answer from question {first.pk}, which has none")


def _command_of(query: DataQuery, accounts: Mapping[str, int]) -> Command:
    contract = query.contract
    return query_command(
        query.pk,
        product=accounts.get(product_path(contract.product_id), 0),
        contract=accounts.get(contract_path(contract.pk), 0),
        spent=accounts.get(SPENT_PATH, 0),
        micro_epsilon=query.cost_micro_epsilon,
    )


def _check_budgets() -> int:
    """Compare budgets with their grants and questions; return what contracts' budgets gave."""
    paid = _paid()
    by_contract = {contract_path(contract): micro for (contract, _), micro in paid.items()}
    by_product: dict[str, int] = defaultdict(int)
    for (_, product), micro in paid.items():
        by_product[product_path(product)] += micro
    taken = by_product | by_contract
    accounts = find_accounts(paths=[ISSUE_PATH, SPENT_PATH, *taken])
    balances = get_balances(account_ids=accounts.values())
    posted = {path: balances[account].posted for path, account in accounts.items()}
    granted = _granted({contract for contract, _ in paid}, by_product, accounts)
    for path, micro in granted.items():
        if posted.get(path, 0) != micro - taken[path]:
            raise QuestionsDiffer(
                f"privacy budget {path}: {micro} granted, {taken[path]} taken by questions, and"
                f" {posted.get(path, 0)} are left"
            )
    total = sum(by_contract.values())
    if posted.get(SPENT_PATH, 0) != 2 * total:
        raise QuestionsDiffer(
            f"{posted.get(SPENT_PATH, 0)} are spent of privacy budgets, questions took {2 * total}"
        )
    return total


def _paid() -> dict[tuple[int, int], int]:
    """Return by contract and product what the ledger took for the questions that it answered."""
    waiting = DataQuery.objects.filter(state=State.SUBMITTED).values_list("id", flat=True)
    answers = get_answers(keys=[query_key(id_) for id_ in waiting])
    booked = [id_ for id_ in waiting if answers[query_key(id_)].state == BOOKED]
    is_paid = Q(state=State.ANSWERED) | Q(id__in=booked)
    sums = (
        DataQuery.objects.filter(is_paid | Q(state=State.REFUSED), same_as__isnull=True)
        .values_list("contract", "contract__product")
        .annotate(micro=Sum("cost_micro_epsilon", filter=is_paid, default=0))
    )
    return {(contract, product): micro for contract, product, micro in sums}


def _granted(
    contract_ids: Set[int], product_paths: Iterable[str], accounts: Mapping[str, int]
) -> dict[str, int]:
    """Return what budgets were granted: contracts' as both signed, products' as the ledger has it.

    A product's terms may have changed since its first question; of one whose grant was pruned
    nothing is returned.
    """
    issue = accounts.get(ISSUE_PATH, 0)
    bodies = get_bodies(keys=[grant_key(contract_path(each)) for each in contract_ids])
    contracts = DataContract.objects.filter(id__in=contract_ids).select_related(
        "version", "seller_key", "buyer_key", "revocation_key"
    )
    granted = {}
    for contract in contracts.order_by("id").iterator(_AT_ONCE):
        path = contract_path(contract.pk)
        granted[path] = read_contract(contract).privacy_budget_micro_epsilon
        account = accounts.get(path, 0)
        command = grant_command(path, issue=issue, budget=account, micro_epsilon=granted[path])
        body = bodies.get(command.key)
        if body and bytes(body) != command.body:
            raise QuestionsDiffer(
                f"privacy budget {path}: the ledger granted another one than the {granted[path]}"
                " that both signed"
            )
    keys = {grant_key(path): path for path in product_paths}
    pruned = {keys[key] for key in list_pruned_keys(keys=list(keys))}
    sums = sum_transfers(keys=list(keys), account_ids=list(accounts.values()))
    for path in keys.values():
        if path not in pruned:
            account = accounts.get(path, 0)
            granted[path] = sums.get((account, int(TransferCode.PRIVACY_GRANT)), 0)
    return granted


def _differs(query: DataQuery, what: str) -> QuestionsDiffer:
    return QuestionsDiffer(f"question {query.pk} of contract {query.contract_id} {what}")
