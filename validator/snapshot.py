"""Starting behind a period that was pruned: from the state after it, which its block commits to.

References
----------
docs/ledger.md, "Pruning and erasure".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from validator import canonical
from validator.bodies import is_key, split_reference
from validator.canonical import Json
from validator.errors import BadNote, Malformed
from validator.leaves import BlockLeaf, closes_block, read_block_leaf
from validator.log_reader import LogReader
from validator.merkle import HASH_BYTES, CompactRange, leaf_hash
from validator.notes import Checkpoint, from_base64, read_integer
from validator.state import COUNTERS, NO_LIMIT, Archive, Hold, State
from validator.store import Position

_HEAD = {"block", "next_transfer", "padding", "pruned", "size", "state", "time"}
_ACCOUNT = {"account", "counters", "limit", "salt", "unit"}
_HOLD = {"amount", "credit", "debit", "expires", "hold", "id"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state, the size of the log it belongs to, and the root that its block should state."""

    state: State
    size: int
    root: bytes


def read_snapshot(data: bytes, archive: Archive) -> Snapshot:
    """Read what ``/log/openings/snapshot`` serves.

    Parameters
    ----------
    data : bytes
        Canonical JSON lines.
    archive : Archive
        What is known of earlier blocks already.

    Raises
    ------
    Malformed
        If it is cut off, or a line is not of its form.
    """
    head, *lines = data.split(b"\n")
    if not lines or lines.pop() != b"":
        raise Malformed("the snapshot is cut off")
    value = canonical.read_object(head)
    if value.keys() != _HEAD:
        raise Malformed("the snapshot begins with another line")
    state = State(archive, _hash(value["padding"]))
    state.block, state.time = _number(value["block"]), _number(value["time"])
    state.next_transfer, state.pruned = _number(value["next_transfer"]), _number(value["pruned"])
    try:
        for line in lines:
            _read_line(state, canonical.read_object(line))
    except (AssertionError, KeyError, OverflowError) as error:
        raise Malformed("a line of the snapshot contradicts another") from error
    return Snapshot(state, _number(value["size"]), _hash(value["state"]))


def _read_line(state: State, value: dict[str, Json]) -> None:
    keys = value.keys()
    if keys == _ACCOUNT:
        counters, unit = value["counters"], value["unit"]
        if not isinstance(counters, list) or len(counters) != COUNTERS or type(unit) is not str:
            raise Malformed("an account of the snapshot has another form")
        state.open_account(
            number=_number(value["account"]),
            limit=NO_LIMIT if value["limit"] is None else _number(value["limit"]),
            salt=_hash(value["salt"]),
            unit=unit,
            counters=[_number(one) for one in counters],
        )
    elif keys == _HOLD:
        reference = _text(value["hold"])
        debit, credit = (state.places[_number(value[name])] for name in ("debit", "credit"))
        numbers = (_number(value[name]) for name in ("amount", "expires"))
        hold = Hold(_number(value["id"]), debit, credit, *numbers)
        if split_reference(reference) is None:
            raise Malformed("a hold of the snapshot has no name")
        state.holds[reference] = state.fresh.holds[reference] = hold
    elif keys == {"document", "kind"} and is_key(value["document"]):
        state.fresh.documents[_text(value["document"])] = _text(value["kind"])
        state.fresh.commands[_text(value["document"])] = (0, 0)
    elif keys == {"command", "first", "legs"} and is_key(value["command"]):
        numbers = (_number(value[name]) for name in ("first", "legs"))
        first, legs = numbers
        state.fresh.commands[_text(value["command"])] = (first, legs)
    elif keys == {"ended"} and split_reference(_text(value["ended"])) is not None:
        state.fresh.ended.add(_text(value["ended"]))
    else:
        raise Malformed("a line of the snapshot is of no known form")


def place_in_log(snapshot: Snapshot, reader: LogReader, checkpoint: Checkpoint) -> Position:
    """Find the block after which a snapshot stands in an attested log.

    Parameters
    ----------
    snapshot : Snapshot
        What the hall serves.
    reader : LogReader
        Reads the log of the checkpoint's size.
    checkpoint : Checkpoint
        A checkpoint that the policy's quorum has cosigned.

    Raises
    ------
    Malformed
        If the log does not hold that state at that place.
    """
    size = snapshot.size
    if not 1 <= size <= checkpoint.size:
        raise Malformed("the snapshot is not of a block that is attested")
    (entry,) = reader.entries(size - 1, size)
    before = CompactRange(size - 1, tuple(_peaks(reader, size - 1)))
    tree = before.extended([leaf_hash(entry)])
    if not reader.extends(size, tree.root(), checkpoint.root):
        raise Malformed("the leaf before the snapshot is not in the attested log")
    if not closes_block(entry):
        raise Malformed("the snapshot does not stand after a block")
    closing: BlockLeaf = read_block_leaf(entry, index=size - 1)
    state = snapshot.state
    if (closing.number, closing.time, closing.state) != (state.block, state.time, snapshot.root):
        raise Malformed("the snapshot is of another block")
    if state.root() != closing.state:
        raise Malformed("the accounts of the snapshot are not those of its block")
    return Position(state.block, tree)


def _peaks(reader: LogReader, size: int) -> Iterator[bytes]:
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield reader.root(start, start + (1 << level))
            start += 1 << level


def _number(value: Json) -> int:
    return read_integer(_text(value))


def _hash(value: Json) -> bytes:
    data = from_base64(_text(value))
    if len(data) != HASH_BYTES:
        raise BadNote("not a hash")
    return data


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise Malformed("a line of the snapshot has another form")
    return value
