"""Compare charges with their contracts, with what the ledger booked, and with their invoices."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Count, Max

from ledger.domain.commands import Command
from ledger.queries import get_answers, get_balances, get_bodies
from ledger.services.verification import one_state
from marketplace.domain.data.charges import (
    close_command,
    close_key,
    deliver_command,
    deliver_key,
    hold_command,
    hold_key,
    release_command,
    release_key,
)
from marketplace.domain.data.disputes import dispute_key, verdict_key
from marketplace.domain.data.invoices import total_micro
from marketplace.domain.data.periods import Period
from marketplace.domain.data.prices import most
from marketplace.domain.forward.orders import microseconds
from marketplace.errors import ChargesDiffer, Invalid
from marketplace.models import DataCharge, DataContract, DataDispute, DataInvoice
from marketplace.services.data.charge_money import ContractMoney, money_of
from marketplace.services.data.charges import closed_state, periods_of
from marketplace.services.data.disputes import ended_document, opened_document

State, Kind = DataCharge.State, DataInvoice.Kind
_AT_ONCE: Final = 500
_IN_ESCROW: Final = frozenset({State.IN_WINDOW, State.DISPUTED, State.CLOSING})
_CLOSED: Final = frozenset({State.PAID, State.REFUNDED, State.SPLIT})
# Whose hold must have been booked, and what has let go of it since.
_HELD: Final = frozenset({State.HELD, State.DELIVERING}) | _IN_ESCROW | _CLOSED


@dataclass(frozen=True)
class VerifiedCharges:
    """How many charges there are, and what of their money is in escrow. [micro]"""

    charges: int
    escrow_micro: int


@dataclass
class _Ledger:
    """What the ledger has of some charges, by command key; a pruned body is empty."""

    bodies: Mapping[str, bytes]
    states: Mapping[str, str]


@dataclass
class _Seen:
    """What is added up over all charges."""

    charges: int = 0
    escrow: dict[int, int] = field(default_factory=lambda: defaultdict(int))


def verify_charges() -> VerifiedCharges:
    """Check every charge of the data market.

    Each is compared with the price and the period that its contract says, with the ledger's holds
    and transfers, with its dispute and its invoices; and the escrow accounts with all of them.

    Raises
    ------
    ChargesDiffer
        The message names the first charge, seller or account that does not follow.
    """
    with one_state():
        seen = _Seen()
        for batch in _batches():
            _check_batch(batch, seen)
        for account, micro in seen.escrow.items():
            balance = get_balances(account_ids=[account])[account]
            if (balance.posted, balance.pending_out) != (micro, micro):
                raise ChargesDiffer(
                    f"escrow account {account}: {balance.posted} stand there, of which"
                    f" {balance.pending_out} are held; charges come to {micro}"
                )
        _check_numbers()
        return VerifiedCharges(seen.charges, sum(seen.escrow.values()))


def _batches() -> Iterator[list[DataCharge]]:
    last = 0
    while True:
        found = DataCharge.objects.filter(id__gt=last).select_related("contract")
        batch = list(found.order_by("id")[:_AT_ONCE])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _check_batch(batch: Sequence[DataCharge], seen: _Seen) -> None:
    try:
        money = money_of({each.contract_id: each.contract for each in batch}.values())
    except Invalid as error:
        raise ChargesDiffer(f"charges from {batch[0].pk} on: a contract is unreadable") from error
    ids = [charge.pk for charge in batch]
    disputes = {each.charge_id: each for each in DataDispute.objects.filter(charge__in=ids)}
    keys = [key for charge in batch for key in _keys(charge)]
    keys += [
        make_key(each.pk) for each in disputes.values() for make_key in (dispute_key, verdict_key)
    ]
    states = {key: answer.state for key, answer in get_answers(keys=keys).items()}
    ledger = _Ledger(get_bodies(keys=keys), states)
    invoices = defaultdict(list)
    for document in DataInvoice.objects.filter(charge__in=ids).order_by("number"):
        invoices[document.charge_id].append(document)
    for charge in batch:
        of = money[charge.contract_id]
        _check_terms(charge, of)
        is_in_escrow = _check_commands(charge, of, ledger)
        _check_dispute(charge, disputes.get(charge.pk), ledger)
        _check_documents(charge, invoices[charge.pk])
        seen.charges += 1
        if of.escrow:
            seen.escrow[of.escrow] += is_in_escrow * (charge.due_micro - charge.credit_micro)


def _keys(charge: DataCharge) -> tuple[str, ...]:
    id_ = charge.pk
    return (
        hold_key(id_, charge.attempt),
        deliver_key(id_),
        close_key(id_),
        release_key(id_),
    )


def _check_terms(charge: DataCharge, money: ContractMoney) -> None:
    """Compare a charge with what was signed."""
    text, contract = money.text, charge.contract
    if hashlib.sha256(bytes(contract.body)).hexdigest() != contract.sha256:
        raise _differs(charge, "its contract has another hash")
    if contract.state in (DataContract.State.PROPOSED, DataContract.State.DECLINED):
        raise _differs(charge, "its contract was never agreed on")
    if text.kind == "file":
        period = Period(0, text.valid_from, text.valid_until)
        expected = most(text.price)
    else:
        found = [each for each in periods_of(text) if each.number == charge.number]
        if not found:
            raise _differs(charge, "its contract has no such period")
        period = found[0]
        expected = most(
            text.price,
            covered_s=period.covered_s,
            month_s=period.month_s,
            is_trial=period.is_trial,
        )
    if (charge.number, charge.period_start, charge.period_end) != (
        period.number,
        period.start,
        period.end,
    ):
        raise _differs(charge, "its period is not that of its contract")
    if charge.held_micro != expected:
        raise _differs(charge, f"it holds {charge.held_micro}, by its contract {expected}")


def _check_commands(charge: DataCharge, money: ContractMoney, ledger: _Ledger) -> bool:
    """Compare a charge with its commands; return whether its money is in escrow."""
    hold, deliver, close, release = (ledger.states.get(key, "") for key in _keys(charge))
    if not charge.held_micro:
        if hold or deliver or close or release:
            raise _differs(charge, "money moved for it, and it is free")
        return False
    _check_bodies(charge, money, ledger)
    state = State(charge.state)
    if state in _HELD and hold != "booked":
        raise _differs(charge, "its money was never held")
    if state == State.REFUSED and hold != "refused":
        raise _differs(charge, "it is refused, and the ledger did not refuse its hold")
    if state in _IN_ESCROW | _CLOSED and deliver != "booked":
        raise _differs(charge, "its money never came into escrow")
    if state == State.HELD and (deliver or close or release):
        raise _differs(charge, "it is held, and the ledger was told to move its money")
    has_net = charge.due_micro > charge.credit_micro
    if state in _CLOSED and has_net and close != "booked":
        raise _differs(charge, "it is closed, and nobody was paid")
    if close and state not in _CLOSED | {State.CLOSING}:
        raise _differs(charge, "money left escrow, and it is not closed")
    if state == State.RELEASED and not release:
        raise _differs(charge, "it is released, and its money never was")
    return deliver == "booked" and close != "booked" and has_net


def _check_bodies(charge: DataCharge, money: ContractMoney, ledger: _Ledger) -> None:
    """Compare the bytes of each command with what the charge comes to."""
    held = money.held(charge)
    parts = money.parts(charge)
    expires_us = microseconds(charge.expires_at)
    expected: list[Command] = [
        hold_command(held, expires_us=expires_us),
        release_command(charge.pk, held),
    ]
    if ledger.states.get(deliver_key(charge.pk)) == "booked":
        expected.append(deliver_command(charge.pk, held, parts))
    if parts:
        refund = charge.refund_micro
        expected.append(close_command(charge.pk, held, parts, refund_micro=refund))
    for command in expected:
        body = ledger.bodies.get(command.key)
        if body and bytes(body) != command.body:
            raise _differs(charge, f"the ledger has other transfers as {command.key}")


def _check_dispute(charge: DataCharge, dispute: DataDispute | None, ledger: _Ledger) -> None:
    """Compare a charge with its dispute, and the dispute with the log."""
    if charge.state in _CLOSED and charge.state != closed_state(charge):
        raise _differs(charge, "it closed otherwise than what it gave back says")
    is_open = dispute is not None and dispute.state == DataDispute.State.OPEN
    if is_open != (charge.state == State.DISPUTED):
        raise _differs(charge, "it is frozen without a dispute, or the other way round")
    if dispute is None:
        return
    is_decided = dispute.state == DataDispute.State.DECIDED
    if is_decided and dispute.refund_micro != charge.refund_micro:
        raise _differs(charge, "it gave back another amount than the verdict says")
    logged = {dispute_key(dispute.pk): opened_document(dispute, charge)}
    if not is_open:
        logged[verdict_key(dispute.pk)] = ended_document(dispute, charge)
    for key, document in logged.items():
        body = ledger.bodies.get(key)
        if ledger.states.get(key, "refused") == "refused":
            raise _differs(charge, f"{key} was never handed to the log")
        if body and bytes(body) != document.body():
            raise _differs(charge, f"what was said in its dispute is not what {key} says")


def _check_documents(charge: DataCharge, documents: Sequence[DataInvoice]) -> None:
    net = charge.due_micro - charge.credit_micro
    expected = []
    if charge.state in _CLOSED and net:
        expected.append((int(Kind.INVOICE), net))
        if charge.refund_micro:
            expected.append((int(Kind.CREDIT_NOTE), charge.refund_micro))
    if [(each.kind, each.amount_micro) for each in documents] != expected:
        raise _differs(charge, "its invoices are not what was paid and given back")
    for document in documents:
        if (total_micro(document.lines), document.seller_id) != (
            document.amount_micro,
            charge.contract.seller_id,
        ):
            raise _differs(charge, f"the lines of invoice {document.number} do not add up")


def _check_numbers() -> None:
    """Find a gap in a seller's numbers."""
    counted = DataInvoice.objects.values("seller").annotate(
        documents=Count("id"), newest=Max("number")
    )
    for seller in counted:
        if seller["documents"] != seller["newest"]:
            raise ChargesDiffer(
                f"seller {seller['seller']}: {seller['documents']} invoices and credit notes,"
                f" numbered up to {seller['newest']}"
            )


def _differs(charge: DataCharge, what: str) -> ChargesDiffer:
    return ChargesDiffer(f"charge {charge.pk} of contract {charge.contract_id}: {what}")
