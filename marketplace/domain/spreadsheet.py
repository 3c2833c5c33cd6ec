"""Texts of people in CSV files that a spreadsheet will open."""

from typing import Final

# What begins a formula, in the wide forms of Chinese keyboards too.
_FORMULA: Final = (
    *("=", "+", "-", "@"),
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
_CONTROLS: Final = ("\t", "\r", "\n")


def plain_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: a quote is put before one."""
    is_formula = text.lstrip().startswith(_FORMULA) or text.startswith(_CONTROLS)
    return f"'{text}" if is_formula else text
