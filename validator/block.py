"""One block: its leaves against its openings, re-executed, down to the state root.

Every leaf is derived and compared as bytes; only one that differs is read, to say what is wrong.

References
----------
docs/ledger.md, "Leaves", "Openings" and "Rules".
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from validator import canonical
from validator.bodies import KEY_FIELD, KIND_NAMES, DocumentBody, Transfers, document_leaf
from validator.checks import Objected
from validator.commitments import commitment, field_commitment, salt_of
from validator.errors import BadNote, HallAhead, Malformed, NotCanonical
from validator.leaves import (
    BlockLeaf,
    end_of_accounts,
    end_of_totals,
    is_command,
    is_document,
    is_transfer,
    misplaced,
    read_block_leaf,
)
from validator.notes import read_integer
from validator.openings import (
    ANSWER_BOOKED,
    AccountOpening,
    CommandOpening,
    Openings,
    read_account,
    read_command,
)
from validator.rules import NOT_CANONICAL, Booking, book, judge
from validator.state import State

AHEAD_MAX_MICROSECONDS = 600 * 1_000_000
ACCOUNTS_IN_TOTALS_MIN = 10
PRUNED_KIND = "pruned"


# Not frozen, for it is made for every command: see Transfers.
@dataclass(slots=True)
class Item:
    """A command or a document, and where its leaf stands in the block."""

    at: int
    opening: CommandOpening


@dataclass(frozen=True, slots=True)
class Block:
    """A block's leaves and what its openings say of them, before anything is judged."""

    first: int
    entries: Sequence[bytes]
    seed: bytes
    padding: bytes
    closing: BlockLeaf
    totals: int
    accounts: list[AccountOpening] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return the size of the log that ends with this block."""
        return self.first + len(self.entries)

    def documents(self) -> list[tuple[int, str, DocumentBody]]:
        """Return index, key and body of each document."""
        return [
            (self.first + item.at, item.opening.key, item.opening.body)
            for item in self.items
            if isinstance(item.opening.body, DocumentBody) and is_document(self.entries[item.at])
        ]


def open_block(entries: Sequence[bytes], openings: Openings, *, first: int) -> Block:
    """Match a block's leaves with their openings and check every commitment that is opened.

    Parameters
    ----------
    entries : sequence of bytes
        The block's leaves; the last is the one that closes it.
    openings : Openings
        What the hall says of them.
    first : int
        Index of the first leaf in the log.

    Raises
    ------
    Objected
        At the first leaf that is not what its opening says, or that stands in the wrong place.
    """
    closing = read_block_leaf(entries[-1], index=first + len(entries) - 1)
    if (openings.block, openings.first) != (closing.number, first):
        raise Objected(first, "commitment", "the openings are those of another block")
    totals = end_of_totals(entries)
    block = Block(first, entries, openings.seed, openings.padding, closing, totals)
    lines = iter(openings.lines)
    at = end_of_accounts(entries, totals)
    for place in range(totals, at):
        block.accounts.append(_open_account(block, place, next(lines, b"")))
    last = len(entries) - 1
    while at < last:
        entry = entries[at]
        if not is_command(entry) and not is_document(entry):
            raise misplaced(entry, first + at)
        opening = _open_command(block, at, next(lines, b""))
        block.items.append(Item(at, opening))
        at += 1
        if is_command(entry) and opening.answer == ANSWER_BOOKED and opening.body is not None:
            at = _after_transfers(block, at, opening.body)
    if next(lines, None) is not None:
        raise Objected(first + last, "commitment", "more is opened than the block has leaves")
    return block


def _open_account(block: Block, at: int, line: bytes) -> AccountOpening:
    index = block.first + at
    expected = b'{"commitment":"%b","type":"account"}' % commitment(
        salt_of(block.seed, index), line
    )
    _require_same(block.entries[at], expected, index)
    try:
        return read_account(line)
    except NotCanonical as error:
        raise Objected(index, "not_canonical", "an account's opening is not canonical") from error
    except Malformed as error:
        raise Objected(index, "account", str(error)) from error


def _open_command(block: Block, at: int, line: bytes) -> CommandOpening:
    index = block.first + at
    entry = block.entries[at]
    try:
        opening = read_command(line)
    except Malformed as error:
        if not line:
            raise Objected(index, "commitment", "the leaf is not opened") from error
        raise Objected(index, "not_canonical", "an opening is not in canonical form") from error
    salt = salt_of(block.seed, index)
    if is_document(entry):
        _require_document(entry, opening, salt, index)
        return opening
    head = b'{"commitment":"%b"' % commitment(salt, line)
    rules = opening.body.rules if isinstance(opening.body, Transfers) else None
    named = b"" if rules is None else b',"rules":"%b"' % rules.encode()
    expected = head + named + b',"type":"command"}'
    if entry != expected and entry.startswith(head):
        _require_canonical(entry, index)
        raise Objected(index, "rules", "the leaf names other rules than the command's body")
    _require_same(entry, expected, index)
    return opening


def _require_document(entry: bytes, opening: CommandOpening, salt: bytes, index: int) -> None:
    body = opening.body
    if not isinstance(body, DocumentBody) or opening.answer != ANSWER_BOOKED:
        raise Objected(index, "document", "a document's leaf is opened as something else")
    fields = {
        name: field_commitment(salt, name, text).decode()
        for name, text in (*body.private.items(), (KEY_FIELD, opening.key))
    }
    if entry == document_leaf(body, fields):
        return
    leaf = _require_canonical(entry, index)
    if leaf.get("fields") != fields:
        raise Objected(index, "commitment", "a document's fields are not what was committed to")
    raise Objected(index, "document", "the leaf shows another document than was opened")


def _after_transfers(block: Block, at: int, body: Transfers | DocumentBody) -> int:
    """Return where the leaves of a booked command's transfers end."""
    legs = len(body) if isinstance(body, Transfers) else 0
    entries = block.entries
    for place in range(at, at + legs):
        if place >= len(entries) - 1 or not is_transfer(entries[place]):
            index = block.first + min(place, len(entries) - 1)
            raise Objected(index, "transfer_missing", f"a command has {legs} legs")
    return at + legs


def _require_same(entry: bytes, expected: bytes, index: int) -> None:
    if entry != expected:
        _require_canonical(entry, index)
        raise Objected(index, "commitment", "the opening is not what the leaf commits to")


def _require_canonical(entry: bytes, index: int) -> dict[str, canonical.Json]:
    try:
        return canonical.read_object(entry)
    except NotCanonical as error:
        raise Objected(index, "not_canonical", "the leaf is not canonical") from error


def apply_block(state: State, block: Block, *, now: int) -> None:
    """Re-execute a block; the state is then the one after it.

    Parameters
    ----------
    state : State
        The state before the block. After an objection it is neither, and is to be thrown away.
    block : Block
        What :func:`open_block` returned.
    now : int
        This validator's clock. [microseconds since 1970]

    Raises
    ------
    Objected
        At the first leaf that does not follow from the rules.
    """
    _require_closing(state, block, now)
    expected = expected_totals(state, block.closing.time)
    if list(block.entries[: block.totals]) != expected:
        raise Objected(block.first, "totals", "the month's public totals are others")
    for place, account in enumerate(block.accounts, start=block.totals):
        if account.number in state.places:
            raise Objected(block.first + place, "account", "the account was opened before")
        state.open_account(
            number=account.number, limit=account.limit, salt=account.salt, unit=account.unit
        )
    known = state.archive.known([item.opening.key for item in block.items])
    for item in block.items:
        _apply_item(state, block, item, known)
    last = block.size - 1
    if block.closing.leaves != len(block.entries) - 1:
        raise Objected(last, "leaf_count", f"the block has {len(block.entries) - 1} leaves")
    if state.root() != block.closing.state:
        raise Objected(last, "state_root", "the accounts have other counters than the block says")
    if (
        commitment(salt_of(block.seed, last), state.totals_opening())
        != block.closing.totals.encode()
    ):
        raise Objected(last, "totals", "the sums over all accounts are others")
    state.block, state.time = block.closing.number, block.closing.time


def _require_closing(state: State, block: Block, now: int) -> None:
    closing, last = block.closing, block.size - 1
    if block.padding != state.padding:
        raise Objected(block.first, "state_root", "the padding of the maps has changed")
    if closing.number != state.block + 1:
        raise Objected(last, "block_number", f"block {state.block + 1} should follow")
    if closing.time < state.time:
        raise Objected(last, "time", "the time is before that of the block before")
    if closing.time > now + AHEAD_MAX_MICROSECONDS:
        # No objection, which would stand for ever: whose clock is wrong shows by waiting.
        raise HallAhead(f"the time of block {closing.number} is more than ten minutes ahead")


def _apply_item(state: State, block: Block, item: Item, known: set[str]) -> None:
    opening, index = item.opening, block.first + item.at
    fresh = state.fresh
    if opening.key in known or opening.key in fresh.commands:
        raise Objected(index, "key_reused", "a command before has the same key")
    body = opening.body
    if isinstance(body, DocumentBody):
        if not is_document(block.entries[item.at]):
            raise Objected(index, "answer", "a document cannot be refused")
        fresh.documents[opening.key] = body.kind
        _forget(state, body)
        fresh.commands[opening.key] = (0, 0)
        return
    outcome = NOT_CANONICAL if body is None else judge(state, body)
    answer = outcome if isinstance(outcome, str) else ANSWER_BOOKED
    if answer != opening.answer:
        raise Objected(index, "answer", f"by the rules the answer is {answer}")
    if isinstance(outcome, str) or body is None:
        fresh.commands[opening.key] = (0, 0)
        return
    if body.document is not None and not state.is_document(body.document):
        raise Objected(index, "document", "the command rests on a document that is not logged")
    first = book(state, opening.key, body, outcome)
    _require_transfers(block, item.at + 1, body, outcome, first)


def _forget(state: State, body: DocumentBody) -> None:
    """Forget the origin of pruned transfers, when a document says that they are."""
    if body.kind != PRUNED_KIND or body.public.keys() != {"block", "transfer"}:
        return
    try:
        block, transfer = (read_integer(body.public[name]) for name in ("block", "transfer"))
    except BadNote:
        return
    if block >= 1 and transfer < state.next_transfer:
        state.pruned = max(state.pruned, transfer)


def _require_transfers(
    block: Block, at: int, body: Transfers, booking: Booking, first: int
) -> None:
    """Compare the leaves of a command's transfers with what it books."""
    entries, seed, index = block.entries, block.seed, block.first + at
    openings = transfer_openings(body, booking, first=first, time=block.closing.time)
    for place, opening in enumerate(openings):
        salt = sha256(seed + (index + place).to_bytes(8)).digest()
        digest = b2a_base64(sha256(salt + opening.encode()).digest(), newline=False)
        if entries[at + place] != b'{"commitment":"%b","type":"transfer"}' % digest:
            _require_canonical(entries[at + place], index + place)
            raise Objected(index + place, "transfer", "the leaf is of another transfer")


def transfer_openings(body: Transfers, booking: Booking, *, first: int, time: int) -> list[str]:
    """Return what the leaves of a booked command's transfers commit to.

    Parameters
    ----------
    body : Transfers
        The command's legs.
    booking : Booking
        What they book.
    first : int
        Id of the first transfer.
    time : int
        The block's time. [microseconds since 1970]
    """
    legs = zip(body.amount, body.code, body.credit, body.debit, strict=True)
    if body.kind is None and booking.corrects is None:
        return [
            f'{{"amount":"{amount}","code":"{code}","credit":"{credit}","debit":"{debit}"'
            f',"id":"{number}","kind":"posted","time":"{time}"}}'
            for number, (amount, code, credit, debit) in enumerate(legs, start=first)
        ]
    lines = []
    nothing = [0] * len(body)
    kinds, expires = body.kind or nothing, body.expires or nothing
    corrects, holds = booking.corrects or nothing, booking.holds or [None] * len(body)
    for leg, (amount, code, credit, debit) in enumerate(legs):
        hold = holds[leg]
        corrected = f',"corrects":"{corrects[leg]}"' if corrects[leg] else ""
        until = f',"expires":"{expires[leg]}"' if expires[leg] else ""
        held = f',"hold":"{hold.id}"' if hold is not None else ""
        lines.append(
            f'{{"amount":"{amount}","code":"{code}"{corrected},"credit":"{credit}"'
            f',"debit":"{debit}"{until}{held},"id":"{first + leg}"'
            f',"kind":"{KIND_NAMES[kinds[leg]]}","time":"{time}"}}'
        )
    return lines


def expected_totals(state: State, time: int) -> list[bytes]:
    """Return the leaves of public totals that a block with this time begins with."""
    if state.block == 0 or _month(time) <= _month(state.time):
        return []
    month = _month(state.time)
    leaves = []
    for unit in sorted(state.units, key=lambda unit: unit.name.encode()):
        accounts = state.accounts_used(unit)
        if accounts >= ACCOUNTS_IN_TOTALS_MIN:
            leaves.append(
                canonical.write(
                    {
                        "accounts": str(accounts),
                        "month": month,
                        "pending": str(unit.pending),
                        "posted": str(unit.posted),
                        "type": "totals",
                        "unit": unit.name,
                    }
                )
            )
    return leaves


def _month(time: int) -> str:
    return datetime.fromtimestamp(time // 1_000_000, UTC).strftime("%Y-%m")
