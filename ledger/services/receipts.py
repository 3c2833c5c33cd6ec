"""Receipts out of the book: of transfers, documents, rows and balances, as others attested them.

A receipt is checked here before it is handed out, as its reader will: a torn tile or a changed row
must not leave this house as somebody's proof.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

import numpy as np
from django.db import connection

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import TransferKind
from ledger.domain.documents import Document, read_body
from ledger.domain.growing_log import entries_in
from ledger.domain.merkle import inclusion_proof
from ledger.domain.note_text import from_base64
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from ledger.domain.receipt_text import (
    AccountState,
    Place,
    balance_receipt,
    document_receipt,
    row_receipt,
    transfer_receipt,
    with_quorum_only,
)
from ledger.domain.receipts import verify
from ledger.domain.rows import RowTree, committed_leaf, row_leaves, row_salt
from ledger.domain.state_map import StateMap
from ledger.domain.tiles import TileReader
from ledger.errors import BookBroken
from ledger.models import Account, Block, BlockSeed, Checkpoint, Head, InboxCommand, Transfer
from ledger.services.attestation import cosigned_note
from ledger.services.log_folder import LogFolder
from ledger.services.log_state import microseconds


class ReceiptState(StrEnum):
    """Whether there is a receipt."""

    WAITING = "waiting"  # submitted, not booked yet
    BOOKED = "booked"  # booked, not attested yet
    ATTESTED = "attested"
    PRUNED = "pruned"  # the salts are gone: nobody can open the entry any more
    BROKEN = "broken"  # book or log do not fit together: for the operator to mend


@dataclass(frozen=True)
class Receipt:
    """A receipt, or why there is none yet.

    Parameters
    ----------
    state : ReceiptState
        Only an attested entry has a receipt.
    text : str
        The receipt, empty without one.
    index : int or None
        Place of the entry in the log.
    block : int or None
        Number of the block that it was booked in; of a balance, the block it stands under.
    booked_at : datetime or None
        That block's time.
    """

    state: ReceiptState
    text: str = ""
    index: int | None = None
    block: int | None = None
    booked_at: datetime | None = None


@dataclass(frozen=True)
class PublishedLog:
    """Where receipts take their proofs from.

    Parameters
    ----------
    folder : LogFolder
        The log's tiles.
    policy : Policy
        Whose signatures a receipt carries.
    with_all_signatures : bool
        Carry every cosignature there is, for readers with a policy of their own; otherwise a
        quorum and no more, so that no character of the receipt can change unnoticed.
    """

    folder: LogFolder
    policy: Policy
    with_all_signatures: bool = False


def get_transfer_receipt(*, transfer_id: int, log: PublishedLog) -> Receipt | None:
    """Return the receipt of a transfer; None if there is no such transfer."""
    transfer = (
        Transfer.objects.filter(pk=transfer_id)
        .select_related("command", "command__block")
        .defer("command__body", "command__block__entries")
        .first()
    )
    if transfer is None:
        return None
    block, leaf = transfer.command.block, transfer.command.leaf_index
    assert block is not None and leaf is not None
    found = _found(block, leaf + 1 + transfer.leg, log)
    if found.place is None or found.seed is None:
        return found.receipt
    opening = _opening(transfer, block)
    text = transfer_receipt(found.place, entry=found.entry, opening=opening, seed=found.seed)
    return found.with_text(text, log)


def get_document_receipt(*, key: str, names: Sequence[str], log: PublishedLog) -> Receipt | None:
    """Return the receipt of a document that shows some of its private fields; None if unknown."""
    found = _found_document(key, log)
    if found is None or isinstance(found, Receipt):
        return found
    document, place = found
    if place.place is None or place.seed is None:
        return place.receipt
    text = document_receipt(
        place.place, entry=place.entry, key=key, document=document, names=names, seed=place.seed
    )
    return place.with_text(text, log)


@dataclass(frozen=True)
class Table:
    """The rows that a document stands for, all of them, from whoever keeps them."""

    key: str
    read: Callable[[], Sequence[bytes]] = field(compare=False)


def get_row_receipt(table: Table, *, row: bytes, index: int, log: PublishedLog) -> Receipt | None:
    """Return the receipt of one row of the table that a document stands for; None if unknown.

    Parameters
    ----------
    table : Table
        The document's; read once for all its rows' receipts.
    row : bytes
        The row that is shown.
    index : int
        Which it is.
    log : PublishedLog
        Where proofs come from.

    Raises
    ------
    BookBroken
        If the document was logged for other rows.
    """
    found = _found_document(table.key, log)
    if found is None or isinstance(found, Receipt):
        return found
    document, place = found
    if place.place is None or place.seed is None:
        return place.receipt
    seed = from_base64(document.private["seed"])
    tree = _row_tree(table, seed, from_base64(document.public["rows"]))
    if committed_leaf(row, row_salt(seed, index)) != tree.read(0, index):
        raise _other_rows(table)
    text = row_receipt(
        place.place,
        entry=place.entry,
        key=table.key,
        document=document,
        seed=place.seed,
        row=row,
        tree=tree,
        rows_seed=seed,
        index=index,
    )
    return place.with_text(text, log)


def get_balance_receipt(*, account_id: int, log: PublishedLog) -> Receipt | None:
    """Return the receipt of an account under the newest attested state; None if unknown.

    Every account is read and hashed for the first of a state: about a second for 100,000
    accounts. The state is kept until the next one is attested.
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        return None
    checkpoint = _attested()
    if checkpoint is None or account.leaf_index is None or account.leaf_index >= checkpoint.size:
        return Receipt(ReceiptState.BOOKED)
    found = _found(checkpoint.block, checkpoint.size - 1, log)
    if found.place is None:
        return found.receipt
    block = checkpoint.block
    accounts, counters = _state_at(bytes(block.state_root), block.number, block.log_size)
    path = accounts.path(account_id)
    state = AccountState(
        account=account_id,
        unit=path.unit,
        limit=account.overdraft_limit,
        salt=bytes(account.salt),
        counters=counters[account_id],
        position=path.position,
        siblings=path.siblings,
        unit_roots=accounts.unit_roots(),
    )
    return found.with_text(balance_receipt(found.place, entry=found.entry, state=state), log)


@dataclass(frozen=True)
class _Found:
    """An entry; with its place and its block's seed as far as there are."""

    receipt: Receipt
    entry: bytes = b""
    place: Place | None = None
    seed: bytes | None = None

    def with_text(self, text: str, log: PublishedLog) -> Receipt:
        """Return the receipt with its text, after checking it as its reader will."""
        verify(text, log.policy)
        shown = self.receipt
        return Receipt(ReceiptState.ATTESTED, text, shown.index, shown.block, shown.booked_at)


def _found(block: Block, index: int, log: PublishedLog) -> _Found:
    booked = Receipt(ReceiptState.BOOKED, "", index, block.number, block.booked_at)
    checkpoint = _attested()
    if checkpoint is None or index >= checkpoint.size:
        return _Found(booked)
    note = cosigned_note(checkpoint, log.policy)
    # The policy may have changed since: then the next checkpoint will be signed for it.
    if not log.policy.verify(note).satisfied:
        return _Found(booked)
    seed = BlockSeed.objects.filter(pk=block.number).values_list("seed", flat=True).first()
    if seed is None:
        pruned = Receipt(ReceiptState.PRUNED, "", index, block.number, block.booked_at)
        return _Found(pruned)
    return _Found(
        booked,
        entries_in(bytes(block.entries))[index - block.first_leaf],
        _place(index, checkpoint, note, log),
        bytes(seed),
    )


def _place(index: int, checkpoint: Checkpoint, note: Note, log: PublishedLog) -> Place:
    reader = TileReader(log.folder.read_hashes, checkpoint.size)
    hashes = tuple(inclusion_proof(index, checkpoint.size, reader))
    kept = note if log.with_all_signatures else with_quorum_only(note, log.policy)
    return Place(index, hashes, kept)


def _attested() -> Checkpoint | None:
    """Return the newest attested checkpoint: its cosigners are those of today's policy."""
    attested = Checkpoint.objects.filter(attested_at__isnull=False).select_related("block")
    return attested.defer("block__entries").order_by("-size").first()


def _found_document(key: str, log: PublishedLog) -> tuple[Document, _Found] | Receipt | None:
    # A block's entries are megabytes: they come once, and only for what has a place in the log.
    found = InboxCommand.objects.filter(key=key).select_related("block")
    command = found.defer("block__entries").first()
    if command is None:
        return None
    if command.state == InboxCommand.State.PENDING:
        return Receipt(ReceiptState.WAITING)
    if not command.body and command.block is not None:
        block = command.block
        return Receipt(ReceiptState.PRUNED, "", command.leaf_index, block.number, block.booked_at)
    document = read_body(bytes(command.body))
    if not isinstance(document, Document) or command.block is None or command.leaf_index is None:
        return None
    return document, _found(command.block, command.leaf_index, log)


def _opening(transfer: Transfer, block: Block) -> bytes:
    """Return what a transfer's leaf commits to, from its row."""
    opening: Mapping[str, int | None] = {
        "amount": transfer.amount,
        "code": transfer.code,
        "corrects": transfer.corrects_id,
        "credit": transfer.credit_account_id,
        "debit": transfer.debit_account_id,
        "expires": transfer.expires,
        "hold": transfer.hold_id,
        "id": transfer.pk,
        "time": microseconds(block.booked_at),
    }
    texts = {name: str(number) for name, number in opening.items() if number is not None}
    return canonical_json(texts | {"kind": TransferKind(transfer.kind).name.lower()})


_STATE_AFTER_BLOCK = """
WITH later AS (
    SELECT t.debit_account_id AS debit, t.credit_account_id AS credit,
        CASE t.kind WHEN 0 THEN 0 WHEN 1 THEN t.amount ELSE -h.amount END AS pending,
        CASE WHEN t.kind IN (0, 2) THEN t.amount ELSE 0 END AS posted
    FROM ledger_inboxcommand c
    JOIN ledger_transfer t ON t.command_id = c.id
    LEFT JOIN ledger_transfer h ON h.id = t.hold_id
    WHERE c.block_id > %s
), moved AS (
    SELECT account, sum(dp)::bigint AS dp, sum(d)::bigint AS d,
        sum(cp)::bigint AS cp, sum(c)::bigint AS c
    FROM (
        SELECT debit AS account, pending AS dp, posted AS d, 0 AS cp, 0 AS c FROM later
        UNION ALL
        SELECT credit, 0, 0, pending, posted FROM later
    ) sides GROUP BY account
)
SELECT a.id, a.unit, coalesce(a.overdraft_limit, -1), a.salt,
    a.debits_pending - coalesce(m.dp, 0), a.debits_posted - coalesce(m.d, 0),
    a.credits_pending - coalesce(m.cp, 0), a.credits_posted - coalesce(m.c, 0)
FROM ledger_account a LEFT JOIN moved m ON m.account = a.id
WHERE a.leaf_index < %s ORDER BY a.leaf_index
"""


@lru_cache(maxsize=8)  # members of a community look at the same few books; a tree is megabytes
def _row_tree(table: Table, seed: bytes, root: bytes) -> RowTree:
    tree = RowTree(row_leaves(table.read(), seed))
    if tree.root != root:
        raise _other_rows(table)
    return tree


def _other_rows(table: Table) -> BookBroken:
    return BookBroken(f"document {table.key} was logged for other rows than are kept of it")


@lru_cache(maxsize=1)  # the root names the state: a few requests must not keep a server busy
def _state_at(
    root: bytes, number: int, log_size: int
) -> tuple[StateMap, Mapping[int, Sequence[int]]]:
    """Return the state after a block: today's counters without what was booked since.

    One statement sees one state of the database, whatever is booked meanwhile.
    """
    accounts = StateMap(bytes(Head.objects.values_list("padding", flat=True).get()))
    with connection.cursor() as cursor:
        cursor.execute(_STATE_AFTER_BLOCK, [number, log_size])
        rows = cursor.fetchall()
    columns = list(zip(*rows, strict=True))
    accounts.add(
        ids=np.array(columns[0], dtype=np.int64),
        units=columns[1],
        limits=np.array(columns[2], dtype=np.int64),
        salts=[bytes(salt) for salt in columns[3]],
        counters=np.array(columns[4:], dtype=np.int64),
    )
    if accounts.root() != root:
        raise BookBroken(f"the accounts do not lead back to the state root of block {number}")
    return accounts, {row[0]: row[4:] for row in rows}
