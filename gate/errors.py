"""What the gate says when it can't go on: one clear error with its place and a remedy.

GateError
└── Refused       the input can't be taken; nothing was changed
    └── Stopped   the child process that read it was stopped by a limit, or died
"""

from __future__ import annotations

from typing import Any


def gettext_noop(text: str) -> str:
    """Mark a text for the hall's translations; the gate itself speaks English."""
    return text


class GateError(Exception):
    """Anything the gate raises on purpose."""


class Refused(GateError):
    """An input that isn't taken.

    Parameters
    ----------
    code : str
        Stable, in lower case with hyphens; pages and programs go by it.
    text : str
        What is wrong, without the place; may hold ``{names}`` that ``values`` fill.
    place : str
        File, and where it can be known line, row or path inside it.
    remedy : str
        What to do about it; may hold ``{names}`` too.
    values
        What stands in the names; never a cell of data about people.
    """

    def __init__(
        self, code: str, text: str, place: str = "", remedy: str = "", **values: str | int
    ) -> None:
        self.code = code
        self.template = text
        self.remedy_template = remedy
        self.place = place
        self.values = values
        super().__init__(code, text, place, remedy)

    @property
    def text(self) -> str:
        return filled(self.template, self.values)

    @property
    def remedy(self) -> str:
        return filled(self.remedy_template, self.values)

    def __str__(self) -> str:
        said = f"{self.place}: {self.text}" if self.place else self.text
        return f"{said}. {self.remedy}" if self.remedy else said

    def as_json(self) -> dict[str, Any]:
        """Return what a database column or another process can hold."""
        return {
            "code": self.code,
            "text": self.text,
            "place": self.place,
            "remedy": self.remedy,
            "template": self.template,
            "remedy_template": self.remedy_template,
            "values": dict(self.values),
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Refused:
        return cls(
            said["code"],
            said["template"],
            said["place"],
            said["remedy_template"],
            **said["values"],
        )


class Stopped(Refused):
    """A child process that hit a limit or died; the same input would do it again."""


def filled(template: str, values: dict[str, str | int]) -> str:
    """Put the values into a text; words of a validator may hold any brace and stay as they are."""
    try:
        return template.format(**values) if values else template
    except (KeyError, IndexError, ValueError):
        return template
