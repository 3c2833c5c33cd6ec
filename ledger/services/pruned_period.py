"""What is left of a pruned period, and that it is what a snapshot stands for."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import connection

from ledger.domain.documents import Document, read_body
from ledger.domain.judge import Hold
from ledger.domain.leaves import base64_text
from ledger.domain.merkle import Frontier, leaf_hash
from ledger.domain.pruned import Pruned, read_pruned
from ledger.domain.sealing import unpacked_entries
from ledger.domain.snapshot import StateSnapshot, read_snapshot
from ledger.errors import BookBroken, CommandInvalid, LogMalformed
from ledger.models import Account, Block, Head, InboxCommand, Snapshot, Transfer
from ledger.services.log_state import microseconds

# What a command of the period may still be: its key, and a fingerprint of nothing else.
_TELLS_MORE = """
    SELECT key FROM ledger_inboxcommand
    WHERE block_id <= %s
        AND (body <> '' OR fingerprint <> sha256(convert_to(key || E'\\n', 'UTF8')))
    ORDER BY block_id, position LIMIT 1
"""


def load_newest_period(padding: bytes) -> "PrunedPeriod | None":
    """Return the period that the newest snapshot stands for, None when nothing was pruned.

    Raises
    ------
    BookBroken
        If the snapshot is not what the book says.
    """
    row = Snapshot.objects.order_by("-block").first()
    if row is None:
        return None
    try:
        snapshot = read_snapshot(zlib.decompress(bytes(row.content)))
    except (zlib.error, LogMalformed) as error:
        raise BookBroken(f"the snapshot after block {row.block_id}: {error}") from error
    period = PrunedPeriod(snapshot, Pruned(row.block_id, row.last_transfer_id))
    period.check_snapshot(padding, document_key=row.document_key)
    return period


@dataclass(eq=False)
class PrunedPeriod:
    """Blocks of which only leaves and keys are left, checked one after the other."""

    snapshot: StateSnapshot
    pruned: Pruned
    frontier: Frontier = field(default_factory=Frontier.empty)
    epoch: int = 0
    commands: int = 0
    transfers: int = 0

    def check_snapshot(self, padding: bytes, *, document_key: str) -> None:
        """Check what the snapshot says of itself, and its accounts against their rows."""
        snapshot, name = self.snapshot, self._name
        if (snapshot.block, snapshot.next_transfer_id - 1) != (
            self.pruned.block,
            self.pruned.transfer_id,
        ):
            raise BookBroken(f"{name}: its row says another block or transfer")
        if snapshot.padding != padding:
            raise BookBroken(f"{name}: its padding is not the head's")
        if snapshot.state_map().root() != snapshot.state_root:
            raise BookBroken(f"{name}: its accounts do not lead to its state root")
        rows = (
            Account.objects.filter(leaf_index__lt=snapshot.log_size)
            .order_by("leaf_index")
            .values_list("id", "unit", "overdraft_limit", "salt")
        )
        kept = [(id_, unit, limit, bytes(salt)) for id_, unit, limit, salt in rows]
        if kept != [(each.account, each.unit, each.limit, each.salt) for each in snapshot.accounts]:
            raise BookBroken(f"{name}: its accounts are not those that the log has opened")
        if _document(document_key) != self.pruned:
            raise BookBroken(f"{name}: document {document_key} does not tell validators of it")

    def check_block(self, block: Block) -> None:
        """Check that a block's leaves are the log's; the last block's state is the snapshot's."""
        entries = unpacked_entries(bytes(block.entries))
        closing = (
            f'{{"block":"{block.number}","leaves":"{len(entries) - 1}",'
            f'"state":"{base64_text(bytes(block.state_root))}",'
            f'"time":"{microseconds(block.booked_at)}","totals":'
        )
        if block.first_leaf != self.frontier.size or block.leaf_count != len(entries):
            raise BookBroken(f"block {block.number}: its leaves are not where the log has them")
        if not entries[-1].startswith(closing.encode()):
            raise BookBroken(f"block {block.number}: its last leaf does not close it")
        if block.epoch < self.epoch:
            raise BookBroken(f"block {block.number}: its epoch is older than the one before")
        self.frontier = self.frontier.extended([leaf_hash(entry) for entry in entries])
        if (self.frontier.root(), self.frontier.to_bytes()) != (
            bytes(block.root),
            bytes(block.frontier),
        ):
            raise BookBroken(f"block {block.number}: its root does not follow from its leaves")
        self.epoch = block.epoch
        self.commands += block.command_count
        self.transfers += block.transfer_count
        if block.number == self.pruned.block:
            self._check_end(block)

    def _check_end(self, block: Block) -> None:
        snapshot = self.snapshot
        if (snapshot.log_size, snapshot.time, snapshot.state_root) != (
            block.log_size,
            microseconds(block.booked_at),
            bytes(block.state_root),
        ):
            raise BookBroken(f"{self._name}: block {block.number} states another state")
        if self.transfers != self.pruned.transfer_id:
            raise BookBroken(f"{self._name}: its blocks had {self.transfers} transfers")
        if InboxCommand.objects.filter(block__lte=block.number).count() != self.commands:
            raise BookBroken(f"{self._name}: its blocks had {self.commands} commands")
        with connection.cursor() as cursor:
            cursor.execute(_TELLS_MORE, [block.number])
            row = cursor.fetchone()
            if row is not None:
                raise BookBroken(f"command {row[0]} was pruned and still says something")
            cursor.execute(
                "SELECT min(block_id) FROM ledger_blockseed WHERE block_id <= %s", [block.number]
            )
            seed = cursor.fetchone()[0]
        if seed is not None:
            raise BookBroken(f"block {seed} was pruned and still has its seed")

    def check_holds(self, holds: Mapping[str, Hold]) -> None:
        """Check that of its transfers only holds are left, and all that are open now.

        Parameters
        ----------
        holds : mapping of str to Hold
            Every hold that was open after the period, as it is now.
        """
        earlier = {hold.id: hold for hold in self.snapshot.holds.values()}
        left = set()
        for row in Transfer.objects.filter(id__lte=self.pruned.transfer_id).order_by("id"):
            hold = earlier.get(row.id)
            if hold is None or row.kind != Transfer.Kind.HOLD:
                raise BookBroken(f"transfer {row.id} was pruned and is still there")
            fields = (row.debit_account_id, row.credit_account_id, row.amount, row.expires or 0)
            if fields != (hold.debit, hold.credit, hold.amount, hold.expires):
                raise BookBroken(f"transfer {row.id} is not the hold that the snapshot says")
            left.add(row.id)
        for name, hold in holds.items():
            if hold.is_open and hold.id <= self.pruned.transfer_id and hold.id not in left:
                raise BookBroken(f"transfer {hold.id}, the open hold {name}, is missing")

    @property
    def refused(self) -> int:
        """How many commands of the period were refused."""
        refused = InboxCommand.objects.filter(state=InboxCommand.State.REFUSED)
        return refused.filter(block__lte=self.pruned.block).count()

    @property
    def _name(self) -> str:
        return f"the snapshot after block {self.pruned.block}"


def _document(key: str) -> Pruned | None:
    """Return what a logged document prunes."""
    booked = InboxCommand.objects.filter(key=key, state=InboxCommand.State.BOOKED)
    body = booked.values_list("body", flat=True).first()
    last = Head.objects.values_list("last_transfer_id", flat=True).get()
    try:
        said = read_body(bytes(body or b""))
    except CommandInvalid:
        return None
    return read_pruned(said, next_transfer_id=last + 1) if isinstance(said, Document) else None
