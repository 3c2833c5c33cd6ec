"""What a member may come to owe, and where that leaves them."""

from dataclasses import dataclass
from typing import Final

# A billion of the currency: as much as who has no limit at all may hold for orders.
LIMIT_MAX_MICRO: Final = 10**15
REASON_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Credit:
    """A member's limit and what of it is in use.

    Attributes
    ----------
    own_micro : int or None
        The member's own limit; None: that of the rule set. [micro]
    usual_micro : int or None
        The rule set's limit for everybody; None: there is none. [micro]
    owed_micro : int
        What the member owes, by what is booked; negative: is owed. [micro]
    held_micro : int
        What open orders before delivery hold. [micro]
    """

    own_micro: int | None
    usual_micro: int | None
    owed_micro: int
    held_micro: int

    @property
    def limit_micro(self) -> int | None:
        """The limit that counts; None: there is none. [micro]"""
        return self.usual_micro if self.own_micro is None else self.own_micro

    @property
    def room_micro(self) -> int | None:
        """What the member may still come to owe; negative: they owe too much. [micro]"""
        return None if self.limit_micro is None else self.limit_micro - max(self.owed_micro, 0)

    @property
    def is_over(self) -> bool:
        """Whether the member is left out of the next auction."""
        return self.room_micro is not None and self.room_micro < 0

    @property
    def holds_more(self) -> bool:
        """Whether open orders hold more than the limit: they stay, others are refused."""
        return self.limit_micro is not None and self.held_micro > self.limit_micro
