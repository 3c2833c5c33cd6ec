"""What comes next in a fair exchange: pure decisions over states, money and the clock.

States and money go by the names of their models' choices. docs/data.md has the table.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from marketplace.domain.data.contract import DeliveryTimes

# Of a charge: its money is in escrow, or was there.
IN_ESCROW: Final = frozenset({"IN_WINDOW", "DISPUTED", "CLOSING", "PAID", "REFUNDED", "SPLIT"})
GONE_BACK: Final = frozenset({"REFUSED", "RELEASING", "RELEASED"})
OVER: Final = frozenset({"PAID", "REFUNDED", "SPLIT"})


class Move(StrEnum):
    """What the hall does next with a delivery."""

    WAIT = "wait"
    ASK_SELLER = "ask_seller"
    TAKE_MONEY = "take_money"
    GIVE_KEY = "give_key"
    CANCEL = "cancel"
    LAPSE_SELLER = "lapse_seller"
    LAPSE_BUYER = "lapse_buyer"
    LAPSE_HALL = "lapse_hall"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    END = "end"


@dataclass(frozen=True)
class Deadlines:
    """By when the seller, the buyer and the hall have to do their part."""

    offer_by: datetime
    receive_by: datetime
    key_by: datetime


def deadlines(times: DeliveryTimes, agreed_at: datetime) -> Deadlines:
    """Return the deadlines of a contract that both had signed by then."""
    return Deadlines(
        agreed_at + timedelta(seconds=times.offer_s),
        agreed_at + timedelta(seconds=times.receive_s),
        agreed_at + timedelta(seconds=times.key_s),
    )


def next_move(*, state: str, money: str, is_revoked: bool, by: Deadlines, now: datetime) -> Move:
    """Say what is due.

    Parameters
    ----------
    state, money : str
        Of the delivery and of its charge.
    is_revoked : bool
        Whether a side has revoked the contract.
    """
    if state in {"WAITING", "HELD", "OFFERED"}:
        return _before_reception(state, money, is_revoked, by, now)
    if state == "ACKNOWLEDGED":
        return _before_key(money, is_revoked, by, now)
    if state in {"KEY_OUT", "ACCEPTED", "DISPUTED"}:
        return _after_key(state, money)
    return Move.WAIT


def _before_reception(
    state: str, money: str, is_revoked: bool, by: Deadlines, now: datetime
) -> Move:
    if is_revoked or money in GONE_BACK:
        return Move.CANCEL
    if state == "OFFERED":
        return Move.LAPSE_BUYER if now >= by.receive_by else Move.WAIT
    if state == "HELD":
        return Move.LAPSE_SELLER if now >= by.offer_by else Move.WAIT
    return Move.ASK_SELLER if money == "HELD" else Move.WAIT


def _before_key(money: str, is_revoked: bool, by: Deadlines, now: datetime) -> Move:
    if money in IN_ESCROW:
        return Move.GIVE_KEY
    if money in GONE_BACK:
        return Move.LAPSE_HALL
    if money != "HELD":
        # The command is with the ledger, whose answer decides: a hold that ran out is refused.
        return Move.WAIT
    if is_revoked:
        return Move.CANCEL
    return Move.LAPSE_HALL if now >= by.key_by else Move.TAKE_MONEY


def _after_key(state: str, money: str) -> Move:
    if money in OVER:
        return Move.END
    if money == "DISPUTED":
        return Move.WAIT if state == "DISPUTED" else Move.FREEZE
    if state == "DISPUTED" and money == "IN_WINDOW":
        return Move.UNFREEZE
    return Move.WAIT
