"""Publish the log: tiles first, then the signature, in the database and only then on disk.

The publisher trusts no root that it has not computed itself: it hashes the entries of every new
block on top of what was signed last, and signs nothing that does not extend it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection

from ledger.domain import notes
from ledger.domain.growing_log import GrowingLog, TileFile, entries_in
from ledger.domain.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from ledger.domain.notes import Note, Signer, sign_note
from ledger.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, bundles_between, tiles_between
from ledger.errors import HeadBroken, LogBroken
from ledger.models import Block, Checkpoint
from ledger.queries import PUBLISHER_TURN
from ledger.services.log_folder import CHECKPOINT, PENDING, LogFolder


@dataclass(frozen=True)
class Signed:
    """A checkpoint that the log has signed."""

    size: int
    root: bytes
    note: str
    block: int
    blocks: int = 0


class LogPublisher:
    """Brings sealed blocks into the log's files and signs checkpoints over them.

    Parameters
    ----------
    folder : LogFolder
        Where the files are served from.
    signer : Signer
        The log's key; its name is the log's origin.
    """

    def __init__(self, *, folder: LogFolder, signer: Signer) -> None:
        self.folder, self.signer = folder, signer
        self._log = GrowingLog.empty()
        self.last = self._empty()
        self._prepared = 0  # the last block that the log in memory has

    @staticmethod
    def take_turn() -> bool:
        """Become the one that publishes, for as long as this database session lives."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [PUBLISHER_TURN])
            return bool(cursor.fetchone()[0])

    @staticmethod
    def give_turn_back() -> None:
        """Let another publish."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PUBLISHER_TURN])

    def open(self, *, rebuild: bool = False) -> list[str]:
        """Go on where the last signed checkpoint ends; mend the files up to there.

        Parameters
        ----------
        rebuild : bool
            Compare every byte of every file with the database, not only what is likely torn.

        Returns
        -------
        list of str
            Paths of the files that were missing or wrong, and are right again.

        Raises
        ------
        HeadBroken
            If database, key or folder are not those of what was signed last.
        """
        row = Checkpoint.objects.select_related("block").order_by("-size").first()
        self.last = self._empty() if row is None else _signed(row)
        self._prepared = self.last.block
        mended = self._check_heads()
        if row is None:
            self._log = GrowingLog.empty()
            return mended
        note = Note.parse(row.note)
        if self.signer.key not in note.verified([self.signer.key]):
            raise HeadBroken(
                f"checkpoint {row.size} was signed with another key than {self.signer.key}:"
                " put the log's own key back"
            )
        frontier = Frontier.from_bytes(size=row.size, data=bytes(row.block.frontier))
        if frontier.root() != self.last.root:
            raise HeadBroken(
                f"block {row.block_id} is not what checkpoint {row.size} was signed for"
            )
        if not rebuild and self._wrong_size() is None:
            try:
                self._log = GrowingLog.read(frontier, self.folder.read_tile)
            except LogBroken:
                pass  # which of them are wrong, and what is right, the database says
            else:
                return mended
        return mended + self._rebuild(frontier)

    def prepare_new(self) -> int:
        """Write the full tiles of all blocks sealed since, and return the last one's number.

        Not yet signed, nobody asks for them; later there is less between a block and its
        signature.

        Raises
        ------
        HeadBroken
            If the blocks do not extend what was signed last.
        """
        newest = Block.objects.order_by("-number").values_list("number", flat=True).first() or 0
        for number in range(self._prepared + 1, newest + 1):
            self._append(number)
            self._prepared = number
        return self._prepared

    def publish_new(self, *, now: datetime) -> Signed | None:
        """Publish all blocks sealed since the last checkpoint under one new checkpoint.

        Raises
        ------
        HeadBroken
            If the blocks do not extend what was signed last. Nothing was signed.
        """
        newest = self.prepare_new()
        if newest <= self.last.block:
            return None
        old_size = self.last.size
        self.folder.write_tiles(self._log.partials())
        signed = self._sign(newest, now=now)
        for tile in (
            *tiles_between(old_size, signed.size),
            *bundles_between(old_size, signed.size),
        ):
            if tile.width == TILE_WIDTH:
                self.folder.remove_partials(tile)
        return signed

    def _append(self, number: int) -> None:
        block = Block.objects.filter(number=number).first()
        if block is None:
            raise HeadBroken(f"block {number} is missing")
        entries = _entries(block)
        if block.first_leaf != self._log.frontier.size:
            raise HeadBroken(
                f"block {number} begins at leaf {block.first_leaf},"
                f" the log has {self._log.frontier.size}"
            )
        self.folder.write_tiles(self._log.append(entries))
        if self._log.frontier.root() != bytes(block.root):
            raise HeadBroken(f"the entries of block {number} do not lead to the root it names")

    def _sign(self, number: int, *, now: datetime) -> Signed:
        frontier = self._log.frontier
        text = notes.Checkpoint(self.signer.name, frontier.size, frontier.root()).text()
        note = str(Note(text, (sign_note(text, self.signer),)))
        try:
            Checkpoint.objects.create(
                size=frontier.size,
                block_id=number,
                root=frontier.root(),
                note=note,
                signed_at=now,
            )
        except IntegrityError as error:
            raise HeadBroken(f"the database refuses the checkpoint: {error}") from error
        blocks = number - self.last.block
        self.last = Signed(frontier.size, frontier.root(), note, number, blocks)
        self.folder.write(PENDING, note.encode())
        return self.last

    def _check_heads(self) -> list[str]:
        """Look whether the folder's signed heads are known here; name those that are torn.

        A folder that knows more than the database means an old copy of the database.
        """
        torn = []
        for path in (PENDING, CHECKPOINT):
            data = self.folder.read(path)
            if data is None:
                continue
            try:
                note = Note.parse(data)
                head = notes.Checkpoint.parse(note.text)
                if not note.verified([self.signer.key]):
                    raise LogBroken("it is not signed by this log")
            except LogBroken:
                torn.append(path)
                (self.folder.root / path).unlink()
                continue
            known = Checkpoint.objects.filter(size=head.size, root=head.root).exists()
            if head.size and not known:
                raise HeadBroken(
                    f"{path} on disk is signed for {head.size} entries, the database has signed"
                    f" {self.last.size} and does not know it: an old copy of the database?"
                )
        return torn

    def _wrong_size(self) -> Tile | None:
        """Return the first full tile or bundle whose file cannot be right by its length alone."""
        size = self.last.size
        for tile in (*tiles_between(0, size), *bundles_between(0, size)):
            found = self.folder.size_of(tile)
            if tile.level == "entries" or tile.width < TILE_WIDTH:
                is_wrong = found == 0 or (found < 0 and tile.width == TILE_WIDTH)
            else:
                is_wrong = found != TILE_WIDTH * HASH_BYTES
            if is_wrong:
                return tile
        return None

    def _rebuild(self, frontier: Frontier) -> list[str]:
        """Compare all files with what the database gives, and write those that differ."""
        mended: list[str] = []
        log = GrowingLog.empty()
        for number in range(1, self.last.block + 1):
            block = Block.objects.filter(number=number).first()
            if block is None:
                raise HeadBroken(f"block {number} is missing")
            mended += self._mend(log.append(_entries(block)))
            if Checkpoint.objects.filter(block=block).exists():
                # Of an older checkpoint are served those partial tiles that no full one replaced.
                kept = (file for file in log.partials() if _is_at_edge(file.tile, frontier.size))
                mended += self._mend(kept)
        if log.frontier != frontier:
            raise HeadBroken(
                f"the entries up to block {self.last.block} do not lead to the root that was signed"
            )
        self._log = log
        return mended

    def _mend(self, files: Iterable[TileFile]) -> list[str]:
        mended = []
        for file in files:
            if self.folder.read(file.tile.path) != file.data:
                self.folder.write(file.tile.path, file.data)
                mended.append(file.tile.path)
        return mended

    def _empty(self) -> Signed:
        """Return the checkpoint of no entries: what cosigners can be asked about at the start."""
        text = notes.Checkpoint(self.signer.name, 0, EMPTY_ROOT).text()
        return Signed(0, EMPTY_ROOT, str(Note(text, (sign_note(text, self.signer),))), 0)


def _is_at_edge(tile: Tile, size: int) -> bool:
    """Tell whether a tile is the last of its level, and not full, in a log of this size."""
    level = 0 if tile.level == "entries" else tile.level
    return tile.index == (size >> level * TILE_HEIGHT) // TILE_WIDTH


def _signed(row: Checkpoint) -> Signed:
    return Signed(row.size, bytes(row.root), row.note, row.block_id)


def _entries(block: Block) -> Sequence[bytes]:
    try:
        entries = entries_in(bytes(block.entries))
    except LogBroken as error:
        raise HeadBroken(f"block {block.number}: {error}") from error
    if len(entries) != block.leaf_count:
        raise HeadBroken(
            f"block {block.number} says {block.leaf_count} leaves and has {len(entries)}"
        )
    return entries
