"""Several people act for one participant: what each role among them may do, and up to how much."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

INVITATION_LASTS: Final = timedelta(days=7)
# People of one organisation, invitations included: a list that a page shows whole.
PEOPLE_MAX: Final = 50
ALIAS_MAX_LENGTH: Final = 60
# A billion: far above any market, and far below what a column holds.
LIMIT_MAX_MICRO: Final = 10**15


class OrgRole(StrEnum):
    """What somebody is among those who act for a participant."""

    OWNER = "owner"
    TRADER = "trader"
    ACCOUNTANT = "accountant"
    VIEWER = "viewer"


class Right(StrEnum):
    """What an act needs; everybody who acts for a participant may look."""

    LOOK = "look"
    TRADE = "trade"
    PAY = "pay"
    MANAGE = "manage"


RIGHTS: Final[Mapping[OrgRole, frozenset[Right]]] = {
    OrgRole.OWNER: frozenset(Right),
    OrgRole.TRADER: frozenset({Right.LOOK, Right.TRADE}),
    OrgRole.ACCOUNTANT: frozenset({Right.LOOK, Right.PAY}),
    OrgRole.VIEWER: frozenset({Right.LOOK}),
}


def allows(role: str, right: Right) -> bool:
    """Return whether a role has a right; a role nobody knows has none."""
    return role in RIGHTS and right in RIGHTS[OrgRole(role)]


def is_within(
    *, amount_micro: int, limit_micro: int | None, spent_micro: int, monthly_limit_micro: int | None
) -> bool:
    """Return whether somebody may commit an amount, by their limits. [micro]

    Parameters
    ----------
    amount_micro : int
        What this one act comes to at most.
    limit_micro, monthly_limit_micro : int or None
        Most for one act, and for all acts of a month; None: no limit.
    spent_micro : int
        What they have committed in this month before.
    """
    if limit_micro is not None and amount_micro > limit_micro:
        return False
    return monthly_limit_micro is None or spent_micro + amount_micro <= monthly_limit_micro


def month_start(now: datetime) -> datetime:
    """Return the beginning of the month that limits are counted in, UTC."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
