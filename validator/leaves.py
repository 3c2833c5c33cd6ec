"""What kind of leaf an entry is, told from its ends, and the leaf that closes a block.

The ends are enough to find the way: every leaf is then compared whole with what it should be.

References
----------
docs/ledger.md, "Leaves".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from validator import canonical
from validator.checks import Objected
from validator.errors import BadNote, NotCanonical
from validator.merkle import HASH_BYTES
from validator.notes import from_base64, read_integer

VERSION = "1"
_ACCOUNT = b'"type":"account"}'
_COMMAND = b'"type":"command"}'
_DOCUMENT = b'"type":"document"}'
_TRANSFER = b'"type":"transfer"}'
_TOTALS = b'{"accounts":'
_BLOCK = b'{"block":'
_TYPES = {"account", "block", "command", "document", "totals", "transfer"}
_BLOCK_FIELDS = {"block", "leaves", "state", "time", "totals", "type", "version"}


@dataclass(frozen=True, slots=True)
class BlockLeaf:
    """The leaf that closes a block; ``time`` in microseconds since 1970."""

    number: int
    leaves: int
    state: bytes
    time: int
    totals: str


def is_command(entry: bytes) -> bool:
    return entry.endswith(_COMMAND)


def is_document(entry: bytes) -> bool:
    return entry.endswith(_DOCUMENT)


def is_transfer(entry: bytes) -> bool:
    return entry.endswith(_TRANSFER)


def closes_block(entry: bytes) -> bool:
    return entry.startswith(_BLOCK)


def end_of_totals(entries: Sequence[bytes]) -> int:
    """Return how many leaves of public totals a block begins with."""
    at = 0
    while entries[at].startswith(_TOTALS):
        at += 1
    return at


def end_of_accounts(entries: Sequence[bytes], at: int) -> int:
    """Return where the leaves of new accounts end that begin at ``at``."""
    while entries[at].endswith(_ACCOUNT):
        at += 1
    return at


def misplaced(entry: bytes, index: int) -> Objected:
    """Return the objection to a leaf that may not stand where it does."""
    try:
        leaf = canonical.read_object(entry)
    except NotCanonical:
        return Objected(index, "not_canonical", "the leaf is not canonical")
    kind = leaf.get("type")
    if kind == "transfer":
        return Objected(index, "transfer_invented", "no booked command has this leg")
    if kind in _TYPES:
        return Objected(index, "leaf_order", f"no leaf of type {kind} may stand here")
    return Objected(index, "leaf_type", "there is no such type of leaf")


def read_block_leaf(entry: bytes, *, index: int) -> BlockLeaf:
    """Read the leaf that closes a block.

    Raises
    ------
    Objected
        If it has another form, or follows another version of the protocol.
    """
    try:
        leaf = canonical.read_object(entry)
        if leaf.keys() != _BLOCK_FIELDS or not all(isinstance(text, str) for text in leaf.values()):
            raise Objected(index, "leaf_type", "the leaf that closes a block has other fields")
        texts = {name: str(text) for name, text in leaf.items()}
        if texts["type"] != "block":
            raise Objected(index, "leaf_type", "a leaf with a block's fields is of another type")
        if texts["version"] != VERSION:
            raise Objected(index, "version", "the version of the protocol is not known here")
        state = from_base64(texts["state"])
        if len(state) != HASH_BYTES:
            raise Objected(index, "state_root", "the state root is not a hash")
        return BlockLeaf(
            read_integer(texts["block"]),
            read_integer(texts["leaves"]),
            state,
            read_integer(texts["time"]),
            texts["totals"],
        )
    except (NotCanonical, BadNote) as error:
        raise Objected(index, "not_canonical", "a block's last leaf is not canonical") from error
