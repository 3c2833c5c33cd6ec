"""The ledger commands of a charge: hold, deliver, close, release. docs/data.md, "Money".

The buyer's money is held for an escrow account when the charge opens. On delivery what is due
moves into escrow, where it is held for each seller at once; nothing lets that hold go but the end
of the dispute window or a verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.domain.commands import Command, TransferKind, Transfers
from marketplace.domain.data.shares import Part, split_refund
from marketplace.domain.transfer_codes import TransferCode


@dataclass(frozen=True)
class Held:
    """A hold of the buyer's money for escrow, and who is on either side of it."""

    key: str
    buyer: int
    escrow: int
    micro: int


@dataclass(frozen=True)
class AccountPart(Part):
    """What of a price goes to an account; the first of several is the seller's. [micro]"""

    account: int


@dataclass(frozen=True)
class _Leg:
    debit: int
    credit: int
    micro: int
    code: TransferCode
    kind: TransferKind
    hold: str = ""
    expires: int = 0


def escrow_path(currency: str) -> str:
    """Return the path of the account in which money of a currency waits for a window to end."""
    return f"data:escrow:{currency}"


def hold_key(charge_id: int, attempt: int) -> str:
    """Return the key of the command that holds a charge's money; a refused one has a next."""
    return f"data-hold:{charge_id}:{attempt}"


def deliver_key(charge_id: int) -> str:
    """Return the key of the command that moves what is due into escrow."""
    return f"data-deliver:{charge_id}"


def close_key(charge_id: int) -> str:
    """Return the key of the command that empties escrow of a charge."""
    return f"data-close:{charge_id}"


def release_key(charge_id: int) -> str:
    """Return the key of the command that lets all of a charge's money go back."""
    return f"data-release:{charge_id}"


def hold_command(held: Held, *, expires_us: int) -> Command:
    """Hold the most that a charge may cost.

    Parameters
    ----------
    expires_us : int
        When the hold can no longer be posted. [microseconds since 1970, UTC]
    """
    leg = _Leg(
        held.buyer,
        held.escrow,
        held.micro,
        TransferCode.DATA_ESCROW,
        TransferKind.HOLD,
        expires=expires_us,
    )
    return _command(held.key, [leg])


def deliver_command(charge_id: int, held: Held, parts: Sequence[AccountPart]) -> Command:
    """Move what the parts come to into escrow, hold it there for each, let the rest go.

    Without parts nothing is due, and all goes back.
    """
    if not parts:
        return _command(deliver_key(charge_id), [_let_go(held)])
    moved = _Leg(
        held.buyer,
        held.escrow,
        sum(part.micro for part in parts),
        TransferCode.DATA_ESCROW,
        TransferKind.POST,
        hold=f"{held.key}/0",
    )
    kept = [
        _Leg(held.escrow, part.account, part.micro, _code(at), TransferKind.HOLD)
        for at, part in enumerate(parts)
    ]
    return _command(deliver_key(charge_id), [moved, *kept])


def close_command(
    charge_id: int, held: Held, parts: Sequence[AccountPart], *, refund_micro: int = 0
) -> Command:
    """Pay each part out of escrow, less what it gives back of a refund to the buyer."""
    whole = sum(part.micro for part in parts)
    back = split_refund(refund_micro, parts)
    legs = []
    for at, (part, returned) in enumerate(zip(parts, back, strict=True)):
        kind = TransferKind.POST if returned < part.micro else TransferKind.RELEASE
        micro = part.micro - returned if kind == TransferKind.POST else part.micro
        hold = f"{deliver_key(charge_id)}/{at + 1}"
        legs.append(_Leg(held.escrow, part.account, micro, _code(at), kind, hold=hold))
    if refund_micro:
        legs.append(
            _Leg(
                held.escrow,
                held.buyer,
                refund_micro,
                TransferCode.DATA_REFUND,
                TransferKind.POSTED,
            )
        )
    assert whole, "a charge without parts is closed without a command"
    return _command(close_key(charge_id), legs)


def release_command(charge_id: int, held: Held) -> Command:
    """Let all of a charge's money go back to the buyer."""
    return _command(release_key(charge_id), [_let_go(held)])


def _let_go(held: Held) -> _Leg:
    return _Leg(
        held.buyer,
        held.escrow,
        held.micro,
        TransferCode.DATA_ESCROW,
        TransferKind.RELEASE,
        hold=f"{held.key}/0",
    )


def _code(at: int) -> TransferCode:
    return TransferCode.DATA_SHARE if at else TransferCode.DATA_SALE


def _command(key: str, legs: Sequence[_Leg]) -> Command:
    def column(name: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.array([int(getattr(leg, name)) for leg in legs], dtype=np.int64)

    transfers = Transfers(
        debit=column("debit"),
        credit=column("credit"),
        amount=column("micro"),
        code=column("code"),
        kind=column("kind"),
        holds=[leg.hold for leg in legs],
        expires=column("expires"),
    )
    return Command.of(key, transfers)
