"""Cumulative registers: what was used is the difference of two stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marketplace.domain.readings.cells import CellInvalid
from marketplace.domain.readings.formats.flows import QUALITY_RANK, Quality

# A register that went through zero stood in its last tenth and stands in its first one.
ROLLOVER_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class RegisterStand:
    """What a register showed at a moment; ``number`` as it was written, with leading zeros."""

    at_s: int
    number: str
    micro_wh: int
    quality: Quality

    def worse_of(self, other: RegisterStand) -> Quality:
        """Return the quality of a difference: that of the worse stand."""
        pair = (self.quality, other.quality)
        return max(pair, key=lambda quality: int(QUALITY_RANK[quality]))


def stand_difference(before: RegisterStand, now: RegisterStand) -> tuple[int, bool]:
    """Return the energy between two stands, and whether the register went through zero. [10^-6 Wh]

    Raises
    ------
    CellInvalid
        If the register fell though it was not at its end: it was changed or reset. Nobody knows
        what was used then.
    """
    if now.at_s <= before.at_s:
        raise CellInvalid(
            "the stand is not later than the one before", "sort the rows of a meter by time"
        )
    if now.micro_wh >= before.micro_wh:
        return now.micro_wh - before.micro_wh, False
    digits = len(before.number.partition(".")[0])
    whole = before.micro_wh
    scale = int(before.number.replace(".", "").lstrip("0") or 1)
    # What one step of the first digit beyond the register would be.
    end = whole * 10 ** (digits + len(before.number.partition(".")[2])) // scale
    if before.micro_wh < end - end // ROLLOVER_PARTS or now.micro_wh > end // ROLLOVER_PARTS:
        raise CellInvalid(
            f"the register fell from {before.number} to {now.number}, so it was changed or reset",
            "split the file at the change of the meter",
        )
    return end - before.micro_wh + now.micro_wh, True
