"""Moves of certificates as bytes to keep, as rows of a logged document, as the ledger's transfers.

``docs/certificates.md`` is the specification of rows and transfers.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from ledger.domain.commands import Command, Transfers
from ledger.domain.documents import Document
from ledger.domain.rows import rows_root
from marketplace.domain.certificates.bundles import (
    CANCELLED,
    ISSUER,
    WITHDRAWN,
    Int64Array,
    Move,
    Moves,
)

KIND: Final = "certificates"
CANCELLATION_KIND: Final = "certificate-cancellation"
# The party through which certificates move with their trades; it ends every event with nothing.
TRADED: Final = -3
PARTIES: Final[Mapping[int, str]] = {
    ISSUER: "issued",
    CANCELLED: "cancelled",
    WITHDRAWN: "withdrawn",
    TRADED: "traded",
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS: Final = {int(move): move.name.lower() for move in Move}


@dataclass(frozen=True)
class EventHeader:
    """What the first row of an event says. ``more`` are fields of its kind."""

    event_id: int
    community_id: int
    kind: str
    recorded_at: datetime
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Accounts:
    """The ledger accounts that moves go between, by place of the move.

    Parameters
    ----------
    givers, receivers, traded : ndarray of int64, shape (n,)
        Accounts in the move's own unit; ``traded`` is that of the party in between.
    """

    givers: Int64Array
    receivers: Int64Array
    traded: Int64Array


def unit_of(technology: str, month: str) -> str:
    """Return the ledger's unit of a technology and a civil month such as 2026-06; kWh to the Wh."""
    return f"GC-{technology}-{month}/3"


def document_key(event_id: int) -> str:
    """Return the key of the document that an event logs."""
    return f"certificates:{event_id}"


def transfers_key(event_id: int) -> str:
    """Return the key of the command that moves an event's certificates in the ledger."""
    return f"certificates-moved:{event_id}"


def pack_moves(moves: Moves) -> bytes:
    """Return moves as bytes to keep; the inverse of `unpack_moves`."""
    return zlib.compress(moves.columns.astype("<i8").tobytes(), 1)


def unpack_moves(content: bytes) -> Moves:
    """Return kept moves."""
    numbers = np.frombuffer(zlib.decompress(content), dtype="<i8")
    return Moves.of(numbers.astype(np.int64).reshape(len(Moves.COLUMNS), -1))


def event_rows(header: EventHeader, moves: Moves, accounts: Accounts) -> list[bytes]:
    """Write an event down as rows of canonical JSON: its header, then a row per move."""
    first = {
        "community": str(header.community_id),
        "event": str(header.event_id),
        "kind": header.kind,
        "recorded": str((header.recorded_at - _EPOCH) // timedelta(microseconds=1)),
        **header.more,
    }
    written = json.dumps(first, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    columns = (
        moves.devices.tolist(),
        moves.firsts.tolist(),
        accounts.givers.tolist(),
        moves.intervals.tolist(),
        [_WORDS[kind] for kind in moves.kinds.tolist()],
        moves.lasts.tolist(),
        accounts.receivers.tolist(),
    )
    # By hand: numbers and words need no escapes, and a city's day is a million rows.
    return [
        written.encode(),
        *(
            (
                f'{{"device":"{device}","first":"{first_wh}","from":"{giver}",'
                f'"interval":"{interval}","kind":"{kind}","last":"{last_wh}","to":"{receiver}"}}'
            ).encode()
            for device, first_wh, giver, interval, kind, last_wh, receiver in zip(
                *columns, strict=True
            )
        ),
    ]


def event_document(
    header: EventHeader,
    rows: Sequence[bytes],
    *,
    kind: str,
    private: Mapping[str, str],
    seed: bytes,
) -> Command:
    """Return the command that logs an event; ``seed`` is what its rows' salts come from."""
    return Document(
        kind=kind,
        public={"rows": b64encode(rows_root(rows, seed)).decode()},
        private={**private, "seed": b64encode(seed).decode()},
    ).command(document_key(header.event_id))


def event_transfers(event_id: int, moves: Moves, accounts: Accounts) -> Command:
    """Return the ledger command of an event: per reason and pair of accounts one transfer.

    What goes with a trade, or comes back from one, goes through the account in between: givers
    and receivers each have one transfer, however many they traded with.
    """
    between = (moves.kinds == Move.WITH_TRADE) | (moves.kinds == Move.RETURNED)
    through, direct = np.flatnonzero(between), np.flatnonzero(~between)
    entries = np.concatenate(
        [
            np.stack([moves.kinds[direct], accounts.givers[direct], accounts.receivers[direct]]),
            np.stack([moves.kinds[through], accounts.givers[through], accounts.traded[through]]),
            np.stack([moves.kinds[through], accounts.traded[through], accounts.receivers[through]]),
        ],
        axis=1,
    )
    wh = np.concatenate([moves.wh[direct], moves.wh[through], moves.wh[through]])
    # One number per code and pair of accounts: sorting rows would take ten times as long.
    hands, rank = np.unique(entries[1:], return_inverse=True)
    debit, credit = rank.reshape(2, -1)
    keys = (entries[0] * len(hands) + debit) * len(hands) + credit
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sums = np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, inverse.reshape(-1), wh)
    return Command.of(
        transfers_key(event_id),
        Transfers(
            debit=entries[1, first], credit=entries[2, first], amount=sums,
            code=entries[0, first],
        ),
        document=document_key(event_id),
    )  # fmt: skip
