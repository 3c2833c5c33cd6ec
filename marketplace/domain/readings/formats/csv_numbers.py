"""Numbers of somebody's own CSV: whether a comma is the decimal sign or parts thousands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted

EMPTY: Final = frozenset({"", "-", "--", "n/a", "na", "null", "none", "nan", "缺失", "#n/v"})
WHOLE: Final = r"-?(?:[0-9]+|[1-9][0-9]{0,2}(?:%s[0-9]{3})+)?"
FORMS: Final[dict[str, re.Pattern[str]]] = {
    "point": re.compile(WHOLE % "," + r"(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"),
    "comma": re.compile(WHOLE % "[.' ]" + r"(?:,[0-9]*)?"),
}


@dataclass(slots=True)
class NumberEvidence:
    """What the numbers of a file say about their decimal sign."""

    forms: set[str] = field(default_factory=lambda: set(FORMS))
    has_sign: bool = False

    def look(self, text: str) -> None:
        """Take one number into account; one without point or comma says nothing.

        Raises
        ------
        CellInvalid
            If it is no number, or contradicts the numbers before.
        """
        if text.isdecimal():
            return
        fits = {form for form, pattern in FORMS.items() if pattern.fullmatch(text)}
        if not fits or not any(map(str.isdigit, text)):
            raise CellInvalid(
                f"{quoted(text)} is not a number", "leave the cell empty where a reading is missing"
            )
        if not self.forms & fits:
            raise CellInvalid(
                f"{quoted(text)} has another decimal sign than the numbers before",
                "write all numbers one way",
            )
        self.forms &= fits
        self.has_sign = self.has_sign or "." in text or "," in text

    @property
    def is_open(self) -> bool:
        """Whether a sign was seen that could be a decimal one or part thousands."""
        return self.has_sign and len(self.forms) > 1


def plain(text: str, form: str) -> str:
    """Return a number with a point as its decimal sign and nothing between thousands."""
    if form == "point":
        return text.replace(",", "")
    return text.replace(".", "").replace("'", "").replace(" ", "").replace(",", ".")
