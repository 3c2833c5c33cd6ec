"""What the hall's style sheets say of the shapes of a picture, for paper, which knows none.

Only what pictures need: colours by token, strokes, sizes of letters; by day, whatever the reader's
screen does.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import cssselect2
import tinycss2

FOLDER: Final = Path(__file__).resolve().parent.parent / "static" / "heliopolis"
SHEETS: Final = ("tokens.css", "charts.css")
PX_OF_REM: Final = 16.0
INHERITED: Final = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "font-size",
    "text-anchor",
)

Style = Mapping[str, str]


class Sheet:
    """Rules of style sheets in their order, and the tokens they name."""

    def __init__(self, text: str) -> None:
        self._tokens: dict[str, str] = {}
        self._matcher = cssselect2.Matcher()
        rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        for rule in rules:
            if rule.type == "qualified-rule":
                self._read(rule)

    def of(self, element: Any, inherited: Style) -> dict[str, str]:
        """Return the style of an element: attributes, then rules by weight, then its parent's.

        Parameters
        ----------
        element : cssselect2.ElementWrapper
            In its tree, so that selectors see what it is within.
        inherited : mapping
            The parent's style.
        """
        style = {name: inherited[name] for name in INHERITED if name in inherited}
        style.update(
            (name, value)
            for name, value in element.etree_element.items()
            if name in INHERITED or name in ("opacity", "stroke-linecap")
        )
        for *_weight, declarations in sorted(
            self._matcher.match(element), key=lambda match: (match[0], match[1])
        ):
            style.update(declarations)
        return {name: self._resolved(value) for name, value in style.items()}

    def _read(self, rule: Any) -> None:
        declarations: dict[str, str] = {}
        for each in tinycss2.parse_blocks_contents(rule.content):
            if each.type == "declaration":
                value = tinycss2.serialize(each.value).strip()
                if each.name.startswith("--"):
                    # A later rule of the same name speaks for another theme.
                    self._tokens.setdefault(each.name, value)
                elif each.name == "font":
                    declarations["font-size"] = value.partition(" ")[0].partition("/")[0]
                else:
                    declarations[each.name] = value
        try:
            selectors = cssselect2.compile_selector_list(rule.prelude)
        except cssselect2.SelectorError:
            return  # of forms and dialogs: no shape is one
        for selector in selectors:
            if selector.pseudo_element is None:
                self._matcher.add_selector(selector, declarations)

    def _resolved(self, value: str) -> str:
        name = value.removeprefix("var(").removesuffix(")")
        return self._tokens.get(name, value) if value.startswith("var(") else value


@cache
def chart_sheet() -> Sheet:
    """Return the sheet that the pages' pictures have, read once."""
    return Sheet("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SHEETS))


def pixels(size: str, whole: float = 0.0) -> float:
    """Return a length in pixels: a number, ``px``, ``rem``, or a percentage of ``whole``."""
    text = size.strip()
    for unit, factor in (("%", whole / 100), ("rem", PX_OF_REM), ("px", 1.0), ("", 1.0)):
        if unit and text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text or 0)
