"""What the hall tells a validator of a block: seed, padding and the openings of its leaves.

References
----------
docs/ledger.md, "Openings" and "Openings of a block".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from validator import canonical
from validator.bodies import (
    AMOUNT_MAX,
    CODE_MAX,
    INTEGER_MAX,
    DocumentBody,
    Transfers,
    body_of,
    is_key,
)
from validator.canonical import Json
from validator.errors import BadNote, Malformed, NotCanonical
from validator.merkle import HASH_BYTES
from validator.notes import from_base64, read_integer
from validator.state import NO_LIMIT

ANSWER_BOOKED: Final = "booked"
LIMIT_MAX = 2**61
# The command there is most of, one posted leg, read in one step. What this pattern takes is
# canonical, for each part has one way to be written; what it leaves goes the long way.
_PLAIN = re.compile(
    rb'\{"answer":"([a-z_]{1,40})","body":\{"transfers":\{'
    rb'"amount":\["([1-9][0-9]{0,18})"\],"code":\["(0|[1-9][0-9]{0,4})"\],'
    rb'"credit":\["([1-9][0-9]{0,18})"\],"debit":\["([1-9][0-9]{0,18})"\]\},"version":"1"\},'
    rb'"key":"([!#-.0-\[\]-~ ]{1,200})"\}'
)


@dataclass(frozen=True, slots=True)
class Openings:
    """The openings of one block."""

    block: int
    first: int
    padding: bytes
    seed: bytes
    lines: list[bytes]

    @classmethod
    def parse(cls, data: bytes) -> Openings:
        """Read what ``/log/openings/<block>`` serves; its lines are read one by one later.

        Raises
        ------
        Malformed
            If the first line is not as it should be, or the last is cut off.
        """
        head, *lines = data.split(b"\n")
        if not lines or lines.pop() != b"":
            raise Malformed("the openings of a block are cut off")
        header = canonical.read_object(head)
        if header.keys() != {"block", "first", "padding", "seed"}:
            raise Malformed("the openings of a block begin with another line")
        padding, seed = from_base64(_text(header, "padding")), from_base64(_text(header, "seed"))
        if len(padding) != HASH_BYTES or len(seed) != HASH_BYTES:
            raise Malformed("padding and seed have 32 bytes each")
        number, first = (read_integer(_text(header, name)) for name in ("block", "first"))
        return cls(number, first, padding, seed, lines)


@dataclass(frozen=True, slots=True)
class AccountOpening:
    """An account that becomes known."""

    number: int
    limit: int
    salt: bytes
    unit: str


# Not frozen, for it is made for every command: see Transfers.
@dataclass(slots=True)
class CommandOpening:
    """A command and how it was answered; ``body`` is None where it has no form."""

    line: bytes
    key: str
    answer: str
    body: Transfers | DocumentBody | None


def read_account(line: bytes) -> AccountOpening:
    """Read the opening of an account's leaf.

    Raises
    ------
    Malformed
        If a value cannot be: no number above 0, no limit, no salt of 32 bytes, no unit.
    """
    value = canonical.read_object(line)
    if value.keys() != {"account", "limit", "salt", "unit"}:
        raise Malformed("an account has other fields")
    number = read_integer(_text(value, "account"))
    limit = NO_LIMIT if value["limit"] is None else read_integer(_text(value, "limit"))
    salt, unit = from_base64(_text(value, "salt")), _text(value, "unit")
    if number < 1 or limit > LIMIT_MAX or len(salt) != HASH_BYTES:
        raise Malformed("an account's number, limit or salt cannot be")
    if not unit or not unit.isascii() or not unit.isprintable():
        raise Malformed("a unit is not named in printable ASCII")
    return AccountOpening(number, limit, salt, unit)


def read_command(line: bytes) -> CommandOpening:
    """Read the opening of a command's or a document's leaf.

    Raises
    ------
    NotCanonical
        If the line is not canonical, or holds the body in the wrong one of its two ways.
    Malformed
        If it is not an answer, a body and a key.
    """
    plain = _PLAIN.fullmatch(line)
    if plain is not None:
        answer, *numbers, key = plain.groups()
        amount, code, credit, debit = map(int, numbers)
        if (
            amount <= AMOUNT_MAX
            and code <= CODE_MAX
            and max(credit, debit) <= INTEGER_MAX
            and credit != debit
        ):
            body = Transfers([amount], [code], [credit], [debit])
            return CommandOpening(line, key.decode(), answer.decode(), body)
    value = canonical.read_object(line, bytes_max=None)
    if value.keys() != {"answer", "body", "key"}:
        raise Malformed("a command has other fields")
    text = _text(value, "key")
    if not is_key(text):
        raise Malformed("a command's key cannot be")
    return CommandOpening(line, text, _text(value, "answer"), _body_in(value["body"]))


def _body_in(value: Json) -> Transfers | DocumentBody | None:
    """Read a body from its place in an opening: an object, or base64 of what is none."""
    if isinstance(value, dict):
        return body_of(value)
    if not isinstance(value, str):
        raise Malformed("a body is neither an object nor base64")
    try:
        hidden = canonical.read(from_base64(value), bytes_max=None)
    except BadNote as error:
        raise Malformed("a body is neither an object nor base64") from error
    except NotCanonical:
        return None
    if isinstance(hidden, dict):
        raise NotCanonical("a body that is canonical stands as base64")
    return None


def _text(value: dict[str, Json], name: str) -> str:
    text = value[name]
    if not isinstance(text, str):
        raise Malformed(f"{name} is not a string")
    return text
