"""The money of a contract: held, moved into escrow when delivered, paid out, or given back.

Every step is a conditional change of one locked row with its ledger command in the same
transaction; `marketplace.services.data.charge_scans` reads the answers. docs/data.md, "Money".

Lock order: charges by id, then sellers by id (for the numbers of invoices).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from ledger.domain.commands import Command
from ledger.services import submit
from marketplace.domain.data.charges import (
    close_command,
    deliver_command,
    hold_command,
    release_command,
)
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.periods import Period, periods
from marketplace.domain.data.prices import most
from marketplace.domain.forward.orders import microseconds
from marketplace.errors import N_, ChargeClosed, NotDeliverable, NotFound
from marketplace.models import DataCharge, DataContract
from marketplace.services.data.charge_money import (
    ContractMoney,
    check_wallets,
    money_of,
    open_escrow,
)

State = DataCharge.State
# After its end a month must be metered, credited and delivered within this time.
CLOSING_TIME: Final = timedelta(days=14)
# After the key's deadline the hold of a file lives on so long, so that the worker may lag.
FILE_MARGIN: Final = timedelta(days=1)
# What a step may change; all else was fixed when the charge opened, also for the database's role.
_STEP_FIELDS: Final = (
    "state",
    "due_micro",
    "credit_micro",
    "refund_micro",
    "attempt",
    "command_key",
    "refusal",
    "delivered_at",
    "window_s",
    "window_ends_at",
    "closed_at",
)
_AFTER_DELIVERY: Final = frozenset(
    {State.DELIVERING, State.IN_WINDOW, State.DISPUTED, State.CLOSING, State.PAID, State.REFUNDED}
    | {State.SPLIT}
)


@transaction.atomic
def open_first_charge(*, contract: DataContract, now: datetime) -> DataCharge:
    """Open what is charged first by an agreed contract: its file, or a feed's first period.

    Raises
    ------
    WalletMissing, WalletCurrencyDiffers
        If money is asked for and one of the parties has no wallet for it.
    """
    text = ContractText.read(bytes(contract.body))
    if text.kind == "file":
        return open_charge(
            contract=contract,
            number=0,
            period_start=contract.valid_from,
            period_end=contract.valid_until,
            held_micro=most(text.price),
            expires_at=max(now, contract.valid_from)
            + timedelta(seconds=text.times.key_s)
            + FILE_MARGIN,
            now=now,
        )
    return open_period(contract=contract, text=text, period=next(periods_of(text)), now=now)


def open_period(
    *, contract: DataContract, text: ContractText, period: Period, now: datetime
) -> DataCharge:
    """Open the charge of one period of a feed."""
    return open_charge(
        contract=contract,
        number=period.number,
        period_start=period.start,
        period_end=period.end,
        held_micro=most(
            text.price,
            covered_s=period.covered_s,
            month_s=period.month_s,
            is_trial=period.is_trial,
        ),
        expires_at=period.end + CLOSING_TIME,
        now=now,
    )


@transaction.atomic
def open_charge(
    *,
    contract: DataContract,
    number: int,
    period_start: datetime,
    period_end: datetime,
    held_micro: int,
    expires_at: datetime,
    now: datetime,
) -> DataCharge:
    """Open a charge and hold its money; the one that was opened before stays as it is.

    Parameters
    ----------
    held_micro : int
        The most that may be due; 0: the charge is held at once, and no money moves. [micro]
    expires_at : datetime
        When the hold lets go by itself.

    Raises
    ------
    WalletMissing, WalletCurrencyDiffers
        If one of the parties has no wallet for the money.
    """
    charge, is_new = DataCharge.objects.get_or_create(
        contract=contract,
        number=number,
        defaults={
            "period_start": period_start,
            "period_end": period_end,
            "state": State.OPENING if held_micro else State.HELD,
            "held_micro": held_micro,
            "opened_at": now,
            "expires_at": expires_at,
        },
    )
    if is_new and held_micro:
        open_escrow(contract.currency)
        money = money_of([contract])[contract.id]
        check_wallets(money)
        _hold(charge, money, now=now)
    return charge


@transaction.atomic
def retry_charge(*, charge_id: int, participant_ids: list[int], now: datetime) -> None:
    """Ask again for the money of a feed's period that the wallet did not cover, after a deposit.

    Raises
    ------
    NotFound
        If none of the participants is its buyer.
    ChargeClosed
        If it was not refused, its period is over, or it is of a file: that needs a new contract.
    """
    charge = _locked(charge_id)
    if charge.contract.buyer_id not in participant_ids:
        raise NotFound(N_("There is no such charge of yours."))
    contract = charge.contract
    is_open = contract.state == DataContract.State.AGREED and charge.period_end > now
    money = money_of([contract])[contract.id]
    if charge.state != State.REFUSED or not is_open or money.text.kind == "file":
        raise ChargeClosed(N_("This charge cannot be asked for again; sign a new contract."))
    charge.attempt += 1
    charge.state, charge.refusal = State.OPENING, ""
    check_wallets(money)
    _hold(charge, money, now=now)


@transaction.atomic
def deliver_charge(
    *, charge_id: int, due_micro: int, credit_micro: int = 0, window: timedelta, now: datetime
) -> None:
    """Move what is due, less credits, into escrow for the sellers, and let the rest go.

    The dispute window begins when the ledger has booked it. Again with the same amounts this
    changes nothing.

    Parameters
    ----------
    due_micro, credit_micro : int
        For what was delivered; of it, for missed service levels. [micro]
    window : timedelta
        For how long the buyer may dispute it.

    Raises
    ------
    NotDeliverable
        If no money is held, or the hold's time is over.
    ChargeClosed
        If it was delivered with other amounts.
    """
    charge = _locked(charge_id)
    if charge.state in _AFTER_DELIVERY:
        if (charge.due_micro, charge.credit_micro) != (due_micro, credit_micro):
            raise ChargeClosed(N_("This charge was delivered with other amounts."))
        return
    if charge.state != State.HELD or (charge.held_micro and charge.expires_at <= now):
        raise NotDeliverable(N_("The money of this charge is not held, or not any more."))
    if not 0 <= credit_micro <= due_micro <= charge.held_micro:
        raise ValueError(f"{due_micro} less {credit_micro} is not within {charge.held_micro}")
    charge.due_micro, charge.credit_micro = due_micro, credit_micro
    charge.delivered_at, charge.window_s = now, window // timedelta(seconds=1)
    if charge.held_micro:
        money = money_of([charge.contract])[charge.contract_id]
        command = deliver_command(charge.id, money.held(charge), money.parts(charge))
        _submit(charge, command, State.DELIVERING, now=now)
    else:
        charge.state, charge.window_ends_at = State.IN_WINDOW, now + window
    charge.save(update_fields=_STEP_FIELDS)


def begin_window(*, charge_id: int, now: datetime) -> None:
    """Let the dispute window of a file begin with its key, however late that was given.

    Joins the caller's transaction.
    """
    paid = DataCharge.objects.filter(id=charge_id, state=State.IN_WINDOW)
    window_s = paid.values_list("window_s", flat=True).first()
    if window_s is not None:
        paid.update(window_ends_at=now + timedelta(seconds=window_s))


@transaction.atomic
def release_charge(*, charge_id: int, now: datetime) -> None:
    """Let all of a charge's money go back to the buyer; again this changes nothing.

    Raises
    ------
    ChargeClosed
        If the money is in escrow already.
    """
    charge = _locked(charge_id)
    if charge.state in (State.RELEASING, State.RELEASED, State.REFUSED):
        return
    if charge.state not in (State.OPENING, State.HELD):
        raise ChargeClosed(N_("The money of this charge is in escrow already."))
    submit_release(charge, now=now)


def close_charge(
    charge: DataCharge,
    *,
    refund_micro: int,
    now: datetime,
    money: ContractMoney | None = None,
) -> None:
    """Pay a locked charge out of escrow, less a refund; one of no money is closed at once."""
    charge.refund_micro = refund_micro
    money = money or money_of([charge.contract])[charge.contract_id]
    parts = money.parts(charge)
    if parts:
        command = close_command(charge.id, money.held(charge), parts, refund_micro=refund_micro)
        _submit(charge, command, State.CLOSING, now=now)
    else:
        charge.state, charge.closed_at = State.PAID, now
    charge.save(update_fields=_STEP_FIELDS)


def closed_state(charge: DataCharge) -> State:
    """Return how a charge is closed by what it gave back."""
    if charge.refund_micro == 0:
        return State.PAID
    is_all = charge.refund_micro == charge.due_micro - charge.credit_micro
    return State.REFUNDED if is_all else State.SPLIT


def submit_release(charge: DataCharge, *, now: datetime, refusal: str = "") -> None:
    """Submit the release of a locked charge; one of no money is released at once.

    A hold that the ledger has not answered yet may be released too: it answers in order.
    """
    charge.refusal = refusal
    if charge.held_micro:
        money = money_of([charge.contract])[charge.contract_id]
        _submit(charge, release_command(charge.id, money.held(charge)), State.RELEASING, now=now)
    else:
        charge.state, charge.closed_at = State.RELEASED, now
    charge.save(update_fields=_STEP_FIELDS)


def periods_of(text: ContractText) -> Iterator[Period]:
    """Return the periods of a feed's contract."""
    return periods(text.valid_from, text.valid_until, trial_days=text.price.trial_days)


def _hold(charge: DataCharge, money: ContractMoney, *, now: datetime) -> None:
    command = hold_command(money.held(charge), expires_us=microseconds(charge.expires_at))
    charge.command_key = command.key
    charge.save(update_fields=_STEP_FIELDS)
    submit(commands=[command], submitted_at=now)


def _submit(charge: DataCharge, command: Command, state: State, *, now: datetime) -> None:
    charge.state, charge.command_key = state, command.key
    submit(commands=[command], submitted_at=now)


def _locked(charge_id: int) -> DataCharge:
    """Return a charge with its contract, locked until the transaction ends."""
    charge = (
        DataCharge.objects.select_for_update(no_key=True, of=("self",))
        .select_related("contract")
        .filter(id=charge_id)
        .first()
    )
    if charge is None:
        raise NotFound(N_("There is no such charge."))
    return charge
