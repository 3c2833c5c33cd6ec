"""A command: transfers that stand or fall together, under one key, as canonical bytes.

The body is JSON in the canonical form of RFC 8785 restricted to objects, arrays and strings: keys
sorted, no white space, integers as decimal strings. Transfers are columns, so
that a body of ten thousand transfers is parsed and judged as arrays.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ledger.domain.canonical import canonical_json
from ledger.errors import CommandInvalid

Int64Array = npt.NDArray[np.int64]

PROTOCOL_VERSION = "1"
AMOUNT_MAX = 2**61  # three counters of this size still add up inside int64
CODE_MAX = 2**15 - 1

# What a key is made of: printable ASCII without "/", so that "key/leg" can be taken apart again,
# and without anything that JSON or a text column would have to escape or refuse.
_KEY = re.compile(r"[ !#-.0-\[\]-~]{1,200}")
_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(rf"{_KEY.pattern}/(0|[1-9][0-9]{{0,8}})")


class TransferKind(IntEnum):
    """What a transfer does to the counters of its two accounts."""

    POSTED = 0  # moves the amount at once
    HOLD = 1  # reserves the amount
    POST = 2  # ends a hold: moves the amount, the rest of the hold is free again
    RELEASE = 3  # ends a hold: all of it is free again


@dataclass(frozen=True)
class Transfers:
    """Transfers as columns of equal length; references are ``key/leg``, empty where there is none.

    Parameters
    ----------
    debit, credit : ndarray of int64, shape (n,)
        Account ids. The amount moves from ``debit`` to ``credit``.
    amount : ndarray of int64, shape (n,)
        Positive. [minor units of the accounts' unit]
    code : ndarray of int64, shape (n,)
        The submitting application's reason; opaque here.
    kind : ndarray of int64, shape (n,), optional
        ``TransferKind``; all ``POSTED`` when absent.
    holds : sequence of str, optional
        The hold that a ``POST`` or ``RELEASE`` ends, as ``key/leg``.
    corrects : sequence of str, optional
        The transfer that this one corrects, as ``key/leg``.
    expires : ndarray of int64, shape (n,), optional
        When a ``HOLD`` can no longer be posted, 0 for never. [microseconds since 1970, UTC]
    """

    debit: Int64Array
    credit: Int64Array
    amount: Int64Array
    code: Int64Array
    kind: Int64Array | None = None
    holds: Sequence[str] | None = None
    corrects: Sequence[str] | None = None
    expires: Int64Array | None = None

    def __post_init__(self) -> None:
        columns = [self.debit, self.credit, self.amount, self.code]
        columns += [each for each in (self.kind, self.expires) if each is not None]
        if any(c.dtype != np.int64 or c.shape != (len(self.debit),) for c in columns):
            raise CommandInvalid("transfer columns must be int64 arrays of one length")
        if len(self) == 0:
            raise CommandInvalid("a command needs at least one transfer")
        if self.amount.min() <= 0 or self.amount.max() > AMOUNT_MAX:
            raise CommandInvalid(f"transfer amounts must lie in 1..{AMOUNT_MAX}")
        if min(self.debit.min(), self.credit.min()) <= 0:
            raise CommandInvalid("accounts are numbers above 0")
        if (self.debit == self.credit).any():
            raise CommandInvalid("a transfer must name two different accounts")
        if self.code.min() < 0 or self.code.max() > CODE_MAX:
            raise CommandInvalid(f"transfer codes must lie in 0..{CODE_MAX}")
        for names in (self.holds, self.corrects):
            self._check_references(names)
        self._check_kinds()
        self._check_expiry()

    def _check_references(self, names: Sequence[str] | None) -> None:
        if names is None:
            return
        if not isinstance(names, list | tuple) or len(names) != len(self):
            raise CommandInvalid("transfer references must be as many as the transfers")
        for name in names:
            if name != "" and not (isinstance(name, str) and _REFERENCE.fullmatch(name)):
                raise CommandInvalid(f"transfer reference {name!r} is not of the form key/leg")

    def _check_kinds(self) -> None:
        if self.kind is None and self.holds is None:
            return
        kinds = self.kinds
        if kinds.min() < TransferKind.POSTED or kinds.max() > TransferKind.RELEASE:
            raise CommandInvalid("unknown transfer kind")
        names_hold = [name != "" for name in self.holds or [""] * len(self)]
        if ((kinds >= TransferKind.POST) != names_hold).any():
            raise CommandInvalid("exactly the transfers that end a hold must name one")

    def _check_expiry(self) -> None:
        if self.expires is None:
            return
        if self.expires.min() < 0 or ((self.expires > 0) & (self.kinds != TransferKind.HOLD)).any():
            raise CommandInvalid("only a hold expires, and after 1970")

    def __len__(self) -> int:
        return len(self.debit)

    @property
    def kinds(self) -> Int64Array:
        """The kind of every transfer, written out."""
        return np.zeros_like(self.debit) if self.kind is None else self.kind


@dataclass(frozen=True)
class Command:
    """What business code hands to the inbox: a key chosen by it, and canonical bytes."""

    key: str
    body: bytes
    transfer_count: int

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise CommandInvalid(
                f"command key {self.key!r} must be 1..200 characters of printable ASCII"
                ' without "/", quotation mark or backslash'
            )

    @property
    def fingerprint(self) -> bytes:
        """Return what key and body come to: same fingerprint, same command."""
        return fingerprint(self.key, self.body)

    @classmethod
    def of(
        cls,
        key: str,
        transfers: Transfers,
        *,
        document: str | None = None,
        rules: str | None = None,
    ) -> "Command":
        """Write transfers down in canonical form under ``key``.

        Parameters
        ----------
        key : str
            Chosen by the application, used once in the life of the ledger.
        transfers : Transfers
            What to book, wholly or not at all.
        document : str, optional
            Key of the document that these transfers follow from, submitted before.
        rules : str, optional
            SHA-256 of the rules they stand under, in hex; the one thing the public sees of them.
        """
        return cls(key, encode(Posting(transfers, document, rules)), len(transfers))


@dataclass(frozen=True)
class Posting:
    """What a command books, the document it follows from and the rules it stands under."""

    transfers: Transfers
    document: str | None = None
    rules: str | None = None

    def __post_init__(self) -> None:
        if self.document is not None and not _KEY.fullmatch(self.document):
            raise CommandInvalid(f"{self.document!r} is not the key of a document")
        if self.rules is not None and not _SHA256_HEX.fullmatch(self.rules):
            raise CommandInvalid(f"{self.rules!r} is not a SHA-256 in hex")


def fingerprint(key: str, body: bytes) -> bytes:
    """Return SHA-256 of the key, a line feed (which no key contains) and the body."""
    return hashlib.sha256(key.encode() + b"\n" + body).digest()


def encode(posting: Posting) -> bytes:
    """Return the canonical bytes of a posting; the inverse of ``decode``."""
    transfers = posting.transfers
    columns: dict[str, object] = {
        "amount": _written(transfers.amount),
        "code": _written(transfers.code),
        "credit": _written(transfers.credit),
        "debit": _written(transfers.debit),
    }
    if transfers.corrects is not None and any(transfers.corrects):
        columns["corrects"] = list(transfers.corrects)
    if transfers.expires is not None and transfers.expires.any():
        columns["expires"] = _written(transfers.expires)
    if transfers.kind is not None and transfers.kind.any():
        columns["kind"] = _written(transfers.kind)
    if transfers.holds is not None and any(transfers.holds):
        columns["hold"] = list(transfers.holds)
    document: dict[str, object] = {"transfers": columns, "version": PROTOCOL_VERSION}
    if posting.document is not None:
        document["document"] = posting.document
    if posting.rules is not None:
        document["rules"] = posting.rules
    return canonical_json(document)


def decode(body: bytes) -> Posting:
    """Read a posting back from canonical bytes.

    Raises
    ------
    CommandInvalid
        If the bytes are not exactly what ``encode`` writes for their own content.
    """
    try:
        written = json.loads(body)
        columns = written["transfers"]
        transfers = Transfers(
            debit=_read(columns["debit"]),
            credit=_read(columns["credit"]),
            amount=_read(columns["amount"]),
            code=_read(columns["code"]),
            kind=_read(columns["kind"]) if "kind" in columns else None,
            holds=columns.get("hold"),
            corrects=columns.get("corrects"),
            expires=_read(columns["expires"]) if "expires" in columns else None,
        )
        posting = Posting(transfers, written.get("document"), written.get("rules"))
    except CommandInvalid:
        raise
    # What brackets nested a million deep end in is no bug of ours either.
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CommandInvalid(f"command body cannot be read: {error}") from error
    if encode(posting) != body:
        raise CommandInvalid("command body is not canonical")
    return posting


def _written(column: Int64Array) -> list[str]:
    return list(map(str, column.tolist()))


def _read(column: list[str]) -> Int64Array:
    return np.array(list(map(int, column)), dtype=np.int64)
