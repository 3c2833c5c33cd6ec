"""What a validator has said, to whom it still has to say it, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from validator.checks import Objected
from validator.merkle import EMPTY_ROOT
from validator.notes import Checkpoint, Note, SigningKey
from validator.store import Store

TILE = "tile"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The last cosignature: of what, when (POSIX seconds), in which words, and whether it left."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    time: int = 0
    note: bytes = b""
    delivered: bool = True


@dataclass(frozen=True, slots=True)
class Objection:
    """A signed objection, and whether it has been handed in or lifted since."""

    id: int
    leaf: int
    code: str
    explanation: str
    note: bytes
    delivered: bool
    lifted: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """What the validator is doing, since when. [microseconds since 1970]"""

    at: int
    text: str


class Journal:
    """Statements, each on disk before it leaves."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def cosigned(self) -> Cosigned:
        """Return the last cosignature; before the first, that of the empty tree."""
        row = self._store.database.execute(
            "SELECT size, root, time, note, delivered FROM cosigned"
        ).fetchone()
        if row is None:
            return Cosigned()
        size, root, time, note, delivered = row
        return Cosigned(size, root, time, note, bool(delivered))

    def cosign(self, checkpoint: Checkpoint, text: str, key: SigningKey, *, time: int) -> Cosigned:
        """Write a cosignature down; only what is returned may be sent.

        Parameters
        ----------
        checkpoint : Checkpoint
            What is cosigned.
        text : str
            Its text, byte for byte.
        key : SigningKey
            The cosigner's key.
        time : int
            The clock. [s since 1970]

        Raises
        ------
        ValueError
            For a checkpoint that is smaller than the last one, or another one of its size.
        """
        with self._store.transaction() as database:
            last = self.cosigned()
            if checkpoint.size < last.size or (
                checkpoint.size == last.size and checkpoint.root != last.root
            ):
                raise ValueError(
                    f"{last.size} leaves were cosigned, not {checkpoint.size} of these"
                )
            # A clock that was set back must not make the newer statement look like the older one.
            stated = max(time, last.time)
            note = str(Note(text, (key.cosign(text, time=stated),))).encode()
            database.execute(
                "INSERT OR REPLACE INTO cosigned VALUES (1, ?, ?, ?, ?, 0)",
                (checkpoint.size, checkpoint.root, stated, note),
            )
        return Cosigned(checkpoint.size, checkpoint.root, stated, note, delivered=False)

    def note_cosignature_delivered(self, size: int) -> None:
        with self._store.transaction() as database:
            database.execute("UPDATE cosigned SET delivered = 1 WHERE size = ?", (size,))

    def objections(self) -> list[Objection]:
        """Return all objections, the oldest first."""
        rows = self._store.database.execute(
            "SELECT id, leaf, code, explanation, note, delivered, lifted FROM objection ORDER BY id"
        )
        return [
            Objection(number, leaf, code, explanation, note, bool(delivered), bool(lifted))
            for number, leaf, code, explanation, note, delivered, lifted in rows
        ]

    def standing(self) -> list[Objection]:
        """Return the objections that are not lifted."""
        return [objection for objection in self.objections() if not objection.lifted]

    def object_to(self, objected: Objected, note: bytes) -> None:
        """Write a signed objection down, unless the same one stands."""
        with self._store.transaction() as database:
            if any(
                (one.leaf, one.code) == (objected.leaf, objected.code) for one in self.standing()
            ):
                return
            database.execute(
                "INSERT INTO objection (leaf, code, explanation, note) VALUES (?, ?, ?, ?)",
                (objected.leaf, objected.code, objected.explanation, note),
            )

    def note_objection_delivered(self, number: int) -> None:
        with self._store.transaction() as database:
            database.execute("UPDATE objection SET delivered = 1 WHERE id = ?", (number,))

    def lift_tiles(self) -> None:
        """Lift objections to bytes that were served, now that they hash to the checkpoint."""
        if any(objection.code == TILE for objection in self.standing()):
            with self._store.transaction() as database:
                database.execute("UPDATE objection SET lifted = 1 WHERE code = ?", (TILE,))

    def watched(self) -> tuple[int, bytes] | None:
        """Return size and root of the newest checkpoint seen that extends what was followed."""
        row: tuple[int, bytes] | None = self._store.database.execute(
            "SELECT size, root FROM watched"
        ).fetchone()
        return row

    def watch(self, size: int, root: bytes) -> None:
        with self._store.transaction() as database:
            database.execute("INSERT OR REPLACE INTO watched VALUES (1, ?, ?)", (size, root))

    def notice(self) -> Notice:
        row = self._store.database.execute("SELECT at, text FROM notice").fetchone()
        return Notice(0, "nothing yet") if row is None else Notice(*row)

    def note(self, text: str, *, now: int) -> None:
        """Say what the validator is doing, for whoever asks for its status."""
        if text != self.notice().text:
            with self._store.transaction() as database:
                database.execute("INSERT OR REPLACE INTO notice VALUES (1, ?, ?)", (now, text))

    def root_of_size(self, size: int) -> bytes | None:
        """Return the root of the log at the end of a block that was followed."""
        row = self._store.database.execute(
            "SELECT root FROM block WHERE size = ?", (size,)
        ).fetchone()
        return None if row is None else bytes(row[0])
