"""Wallets: the ledger accounts that pay for data, filled by deposits and never overdrawn."""

from datetime import datetime
from typing import Final

import numpy as np
from django.db import transaction

from ledger.domain.commands import Command, Transfers
from ledger.queries import get_units
from ledger.services import open_accounts, submit
from marketplace.domain.transfer_codes import TransferCode
from marketplace.errors import (
    N_,
    Invalid,
    NotFound,
    WalletCurrencyDiffers,
    WalletMissing,
)
from marketplace.models import Participant
from marketplace.services.places import money_unit

DEPOSIT_MAX_MICRO: Final = 10**15
REFERENCE_MAX: Final = 100


@transaction.atomic
def open_wallet(*, participant_id: int, currency: str) -> int:
    """Open a participant's wallet, or find it; return the id of its ledger account.

    Raises
    ------
    WalletCurrencyDiffers
        If the wallet was opened in another currency.
    """
    path = f"participant:{participant_id}:wallet"
    unit = money_unit(currency)
    account_id = open_accounts(paths=[path], unit=unit, overdraft_limit=0)[path]
    if get_units(account_ids=[account_id])[account_id] != unit:
        raise WalletCurrencyDiffers(N_("This wallet was opened in another currency."))
    if not Participant.objects.filter(id=participant_id).update(wallet_account_id=account_id):
        raise NotFound(N_("There is no such participant."))
    return account_id


@transaction.atomic
def post_deposit(*, participant_id: int, amount_micro: int, reference: str, now: datetime) -> str:
    """Submit a deposit from the bank into a wallet; return the key of its command.

    The reference is the bank's: the same one again, with the same content, changes nothing.

    Parameters
    ----------
    participant_id : int
        Whose wallet; it must be open.
    amount_micro : int
        Positive. [micro]
    reference : str
        ASCII without "/", at most 100 characters, once per deposit.
    now : datetime
        Time of submission.

    Raises
    ------
    Invalid
        If the amount or the reference is not of its form.
    WalletMissing
        If no wallet was opened.
    KeyReused
        If the reference came before with another amount or wallet.
    """
    if not 0 < amount_micro <= DEPOSIT_MAX_MICRO:
        raise Invalid(
            "amount_micro",
            N_("The amount must lie in 1..{maximum} micro-units."),
            maximum=DEPOSIT_MAX_MICRO,
        )
    is_name = 0 < len(reference) <= REFERENCE_MAX and "/" not in reference
    if not (is_name and reference.isascii() and reference.isprintable()):
        raise Invalid(
            "reference",
            N_("The reference must be ASCII without '/', at most {maximum} characters."),
            maximum=REFERENCE_MAX,
        )
    wallet = Participant.objects.values_list("wallet_account_id", flat=True).filter(
        id=participant_id
    )
    account_id = wallet.first()
    if account_id is None:
        raise WalletMissing(N_("This participant has no wallet; open one first."))
    unit = get_units(account_ids=[account_id])[account_id]
    path = f"bank:{unit.partition('/')[0]}"
    bank_id = open_accounts(paths=[path], unit=unit)[path]
    key = f"deposit:{reference}"
    transfers = Transfers(
        debit=np.array([bank_id]),
        credit=np.array([account_id]),
        amount=np.array([amount_micro]),
        code=np.array([TransferCode.DEPOSIT], dtype=np.int64),
    )
    submit(commands=[Command.of(key, transfers)], submitted_at=now)
    return key
