"""A command: transfers that stand or fall together, under one key, as canonical bytes.

The body is JSON in the canonical form of RFC 8785 restricted to objects, arrays and ASCII
strings: keys sorted, no white space, integers as decimal strings. Transfers are columns, so
that a body of ten thousand transfers is parsed and judged as arrays.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ledger.errors import CommandInvalid

Int64Array = npt.NDArray[np.int64]

PROTOCOL_VERSION = "1"
AMOUNT_MAX = 2**61  # three counters of this size still add up inside int64
CODE_MAX = 2**15 - 1
KEY_LENGTH_MAX = 200


class TransferKind(IntEnum):
    """What a transfer does to the counters of its two accounts."""

    POSTED = 0  # moves the amount at once
    HOLD = 1  # reserves the amount
    POST = 2  # ends a hold: moves the amount, the rest of the hold is free again
    RELEASE = 3  # ends a hold: all of it is free again


@dataclass(frozen=True)
class Transfers:
    """Transfers as columns of equal length; ``holds`` and ``corrects`` name ``key/leg`` or are empty.

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
    """

    debit: Int64Array
    credit: Int64Array
    amount: Int64Array
    code: Int64Array
    kind: Int64Array | None = None
    holds: Sequence[str] | None = None
    corrects: Sequence[str] | None = None

    def __post_init__(self) -> None:
        columns = [self.debit, self.credit, self.amount, self.code]
        if self.kind is not None:
            columns.append(self.kind)
        if any(
            column.dtype != np.int64 or column.shape != self.debit.shape
            for column in columns
        ):
            raise CommandInvalid("transfer columns must be int64 arrays of one length")
        for names in (self.holds, self.corrects):
            if names is not None and len(names) != len(self.debit):
                raise CommandInvalid(
                    "transfer references must be as many as the transfers"
                )
        if len(self) == 0:
            raise CommandInvalid("a command needs at least one transfer")
        if self.amount.min() <= 0 or self.amount.max() > AMOUNT_MAX:
            raise CommandInvalid(f"transfer amounts must lie in 1..{AMOUNT_MAX}")
        if (self.debit == self.credit).any():
            raise CommandInvalid("a transfer must name two different accounts")
        if self.code.min() < 0 or self.code.max() > CODE_MAX:
            raise CommandInvalid(f"transfer codes must lie in 0..{CODE_MAX}")
        self._check_kinds()

    def _check_kinds(self) -> None:
        kinds = self.kinds
        if kinds.min() < TransferKind.POSTED or kinds.max() > TransferKind.RELEASE:
            raise CommandInvalid("unknown transfer kind")
        ends_hold = kinds >= TransferKind.POST
        names_hold = np.array([bool(name) for name in self.holds or [""] * len(self)])
        if (ends_hold != names_hold).any():
            raise CommandInvalid("exactly the transfers that end a hold must name one")

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

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the body: same key and fingerprint is the same command."""
        return hashlib.sha256(self.body).digest()

    @classmethod
    def of(cls, key: str, transfers: Transfers) -> "Command":
        """Write transfers down in canonical form under ``key``."""
        if not key or len(key) > KEY_LENGTH_MAX or not key.isascii() or "/" in key:
            raise CommandInvalid(
                f"command key {key!r} must be ASCII without '/', 1..200 long"
            )
        return cls(key, encode(transfers), len(transfers))


def encode(transfers: Transfers) -> bytes:
    """Return the canonical bytes of transfers; the inverse of ``decode``."""
    columns: dict[str, object] = {
        "amount": _written(transfers.amount),
        "code": _written(transfers.code),
        "credit": _written(transfers.credit),
        "debit": _written(transfers.debit),
    }
    if transfers.corrects is not None and any(transfers.corrects):
        columns["corrects"] = list(transfers.corrects)
    if transfers.kind is not None and transfers.kind.any():
        columns["kind"] = _written(transfers.kind)
    if transfers.holds is not None and any(transfers.holds):
        columns["hold"] = list(transfers.holds)
    document = {"transfers": columns, "version": PROTOCOL_VERSION}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode(body: bytes) -> Transfers:
    """Read transfers back from canonical bytes.

    Raises
    ------
    CommandInvalid
        If the bytes are not exactly what ``encode`` writes for their own content.
    """
    try:
        document = json.loads(body)
        columns = document["transfers"]
        transfers = Transfers(
            debit=_read(columns["debit"]),
            credit=_read(columns["credit"]),
            amount=_read(columns["amount"]),
            code=_read(columns["code"]),
            kind=_read(columns["kind"]) if "kind" in columns else None,
            holds=columns.get("hold"),
            corrects=columns.get("corrects"),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CommandInvalid(f"command body cannot be read: {error}") from error
    if encode(transfers) != body:
        raise CommandInvalid("command body is not canonical")
    return transfers


def _written(column: Int64Array) -> list[str]:
    return list(map(str, column.tolist()))


def _read(column: list[str]) -> Int64Array:
    return np.array(list(map(int, column)), dtype=np.int64)
