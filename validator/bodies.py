"""What a command asks for: transfers in columns, or a document; and what has no such form.

References
----------
docs/ledger.md, "Command bodies".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from validator import canonical
from validator.canonical import Json

AMOUNT_MAX = 2**61
CODE_MAX = 32767
INTEGER_MAX = 2**63 - 1
POSTED, HOLD, POST, RELEASE = range(4)
KIND_NAMES = ("posted", "hold", "post", "release")
VERSION = "1"
# The field under which a document's leaf commits to its key.
KEY_FIELD = "key"

_KEY = re.compile(r"[!#-.0-\[\]-~ ]{1,200}")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z0-9-]{1,40}")
_NAME = re.compile(r"[a-z0-9_]{1,40}")
_ALWAYS = ("amount", "code", "credit", "debit")
_COLUMNS = ("amount", "code", "corrects", "credit", "debit", "expires", "hold", "kind")


# Not frozen: thousands are made for a block, and a frozen one takes three times as long.
@dataclass(slots=True)
class Transfers:
    """The legs of a command, as columns of one length; None where a column says nothing."""

    amount: list[int]
    code: list[int]
    credit: list[int]
    debit: list[int]
    corrects: list[str] | None = None
    expires: list[int] | None = None
    hold: list[str] | None = None
    kind: list[int] | None = None
    document: str | None = None
    rules: str | None = None

    def __len__(self) -> int:
        return len(self.amount)


@dataclass(frozen=True, slots=True)
class DocumentBody:
    """A document: fields that its leaf commits to, and fields that it shows."""

    kind: str
    private: dict[str, str]
    public: dict[str, str]


def is_key(text: object) -> bool:
    """Tell whether a text can be a command's key."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def body_of(value: Json) -> Transfers | DocumentBody | None:
    """Read a canonical body; None when it has neither of the two forms.

    Parameters
    ----------
    value : object
        What canonical JSON held.
    """
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    if isinstance(value.get("transfers"), dict):
        return _transfers_of(value)
    return _document_of(value)


def _transfers_of(value: Mapping[str, Json]) -> Transfers | None:
    if not value.keys() <= {"document", "rules", "transfers", "version"}:
        return None
    document, rules = value.get("document"), value.get("rules")
    if "document" in value and not is_key(document):
        return None
    if "rules" in value and not (isinstance(rules, str) and _HEX.fullmatch(rules)):
        return None
    columns = value["transfers"]
    assert isinstance(columns, dict)
    if not {*_ALWAYS} <= columns.keys() <= {*_COLUMNS}:
        return None
    lists: dict[str, list[str]] = {}
    for name, column in columns.items():
        if not isinstance(column, list) or not all(type(item) is str for item in column):
            return None
        lists[name] = column  # type: ignore[assignment]  # every item was seen to be a string
    if not lists["amount"] or len({len(column) for column in lists.values()}) != 1:
        return None
    numbers = _numbers_of(lists)
    if numbers is None or not _fits(numbers, lists):
        return None
    return Transfers(
        amount=numbers["amount"],
        code=numbers["code"],
        credit=numbers["credit"],
        debit=numbers["debit"],
        corrects=lists.get("corrects"),
        expires=numbers.get("expires"),
        hold=lists.get("hold"),
        kind=numbers.get("kind"),
        document=document if isinstance(document, str) else None,
        rules=rules if isinstance(rules, str) else None,
    )


def _numbers_of(lists: Mapping[str, list[str]]) -> dict[str, list[int]] | None:
    """Read the columns of integers; None unless each is written in the one way there is."""
    numbers = {}
    for name in ("amount", "code", "credit", "debit", "expires", "kind"):
        texts = lists.get(name)
        if texts is None:
            continue
        # The longest first: int() of a text of a million digits takes its time.
        if max(map(len, texts)) > len(str(INTEGER_MAX)):
            return None
        try:
            column = list(map(int, texts))
        except ValueError:
            return None
        if list(map(str, column)) != texts:
            return None
        numbers[name] = column
    return numbers


def _fits(numbers: Mapping[str, list[int]], lists: Mapping[str, list[str]]) -> bool:
    """Tell whether every value is in its bounds and no column is there for nothing."""
    amount, code, debit, credit = (numbers[n] for n in ("amount", "code", "debit", "credit"))
    if min(amount) < 1 or max(amount) > AMOUNT_MAX or min(code) < 0 or max(code) > CODE_MAX:
        return False
    accounts = debit + credit
    if min(accounts) < 1 or max(accounts) > INTEGER_MAX:
        return False
    if any(one == other for one, other in zip(debit, credit, strict=True)):
        return False
    kind = numbers.get("kind")
    if kind is not None and (not any(kind) or min(kind) < POSTED or max(kind) > RELEASE):
        return False
    kinds = kind if kind is not None else [POSTED] * len(amount)
    expires = numbers.get("expires")
    if expires is not None and not (
        any(expires)
        and min(expires) >= 0
        and max(expires) <= INTEGER_MAX
        and all(one == HOLD for one, time in zip(kinds, expires, strict=True) if time)
    ):
        return False
    holds, corrects = lists.get("hold"), lists.get("corrects")
    if holds is None:
        if any(one >= POST for one in kinds):
            return False
    elif not any(holds) or not all(
        (one >= POST) == bool(reference) for one, reference in zip(kinds, holds, strict=True)
    ):
        return False
    if corrects is not None and not any(corrects):
        return False
    return all(
        split_reference(reference) is not None
        for reference in (*(holds or ()), *(corrects or ()))
        if reference
    )


def split_reference(reference: str) -> tuple[str, int] | None:
    """Return the key and the leg of a reference ``KEY/LEG``; None when it is none."""
    key, slash, leg = reference.rpartition("/")
    if not slash or not is_key(key) or not _INTEGER.fullmatch(leg):
        return None
    return key, int(leg)


def _document_of(value: Mapping[str, Json]) -> DocumentBody | None:
    document = value.get("document")
    if value.keys() != {"document", "version"} or not isinstance(document, dict):
        return None
    if document.keys() != {"kind", "private", "public"}:
        return None
    kind, private, public = document["kind"], document["private"], document["public"]
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return None
    if not isinstance(private, dict) or not isinstance(public, dict) or KEY_FIELD in private:
        return None
    for name, text in (*private.items(), *public.items()):
        if not _NAME.fullmatch(name) or not isinstance(text, str):
            return None
    body = DocumentBody(
        kind,
        {name: str(text) for name, text in private.items()},
        {name: str(text) for name, text in public.items()},
    )
    fits = (
        len(document_leaf(body, dict.fromkeys([*private, KEY_FIELD], "A" * 44)))
        <= canonical.LEAF_BYTES_MAX
    )
    return body if fits else None


def document_leaf(body: DocumentBody, fields: Mapping[str, str]) -> bytes:
    """Return the leaf of a document with these commitments to its key and private fields."""
    return canonical.write(
        {
            "fields": dict(fields),
            "kind": body.kind,
            "public": dict(body.public),
            "type": "document",
        }
    )
