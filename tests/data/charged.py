"""What is true of the ledger whatever happened to charges: nothing is lost, nothing is made."""

from datetime import datetime, timedelta

from django.db.models import Sum

from ledger.models import Account
from ledger.queries import get_answers, get_balances
from marketplace.domain.data.charges import close_key, deliver_key, hold_key, release_key
from marketplace.models import DataCharge, DataContract, DataDelivery, Participant
from marketplace.services.data import charges
from marketplace.services.data.charge_scans import advance_charges, note_answers
from tests.data.trading import NOW, book

WINDOW = timedelta(days=7)
DAY = timedelta(days=1)
FUNDS = 50_000_000


def charge_of(contract: DataContract) -> DataCharge:
    """Return the first charge of a contract."""
    return DataCharge.objects.get(contract=contract, number=0)


def deliver(charge: DataCharge, *, due: int, credit: int = 0, now: datetime = NOW) -> None:
    """Ask for what is due, as deliveries and feeds do."""
    charges.deliver_charge(
        charge_id=charge.pk, due_micro=due, credit_micro=credit, window=WINDOW, now=now
    )


def settle(now: datetime) -> None:
    """Let answers and scans go on until nothing moves any more."""
    while True:
        book()
        moved = note_answers(now=now)
        give_keys()
        if not advance_charges(now=now).any and not moved:
            return


def give_keys() -> None:
    """Let whoever paid for a file have its key; what was signed for it is not at issue here."""
    text = b"signed"
    paid = DataCharge.State.IN_WINDOW
    DataDelivery.objects.filter(wrap__isnull=True, charge__state=paid).update(
        state=DataDelivery.State.KEY_OUT,
        origin_body=text,
        origin_signature=text,
        receipt_body=text,
        receipt_signature=text,
        wrap=text,
    )


def wallet(participant_id: int) -> tuple[int, int]:
    """Return what somebody has, and what of it is held. [micro]"""
    account = Participant.objects.values_list("wallet_account_id", flat=True).get(id=participant_id)
    assert account is not None
    balance = get_balances(account_ids=[account])[account]
    return balance.posted, balance.pending_out


def escrow() -> tuple[int, int]:
    """Return what stands in escrow, and what of it is held for sellers. [micro]"""
    account = Account.objects.filter(path="data:escrow:EUR").first()
    return (0, 0) if account is None else (account.balance, account.debits_pending)


def check_conserved(buyer_id: int) -> None:
    """Compare the ledger with the charges, whatever their commands are waiting for."""
    sums = Account.objects.filter(unit="EUR/6").aggregate(
        debits=Sum("debits_posted"),
        credits=Sum("credits_posted"),
        held=Sum("debits_pending"),
        kept=Sum("credits_pending"),
    )
    assert sums["debits"] == sums["credits"]
    assert sums["held"] == sums["kept"]
    in_escrow = held = 0
    for charge in DataCharge.objects.all():
        keys = [
            hold_key(charge.pk, charge.attempt),
            deliver_key(charge.pk),
            close_key(charge.pk),
            release_key(charge.pk),
        ]
        answers = get_answers(keys=keys)
        holds, delivers, closes, releases = (
            key in answers and answers[key].state == "booked" for key in keys
        )
        if delivers and not closes:
            in_escrow += charge.due_micro - charge.credit_micro
        if holds and not delivers and not releases:
            held += charge.held_micro
    assert escrow() == (in_escrow, in_escrow)
    assert wallet(buyer_id)[1] == held
