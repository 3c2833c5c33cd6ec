"""Following a log: read what the hall has signed, re-execute it, then cosign it or object.

Nothing is believed before it hashes to a signed checkpoint, and nothing is cosigned before the
block that ends there was re-executed and is on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom

from validator.block import apply_block, open_block
from validator.checks import Objected
from validator.client import Hall
from validator.errors import (
    BadTile,
    HallSilent,
    Malformed,
    NotServed,
    Pruned,
    SignatureFailed,
)
from validator.interval_checks import check_intervals, documents_needed
from validator.interval_store import IntervalStore
from validator.journal import TILE, Journal
from validator.leaves import closes_block
from validator.log_reader import LogReader
from validator.merkle import CompactRange, leaf_hash
from validator.notes import Checkpoint, Note, SigningKey
from validator.objections import signed_objection
from validator.openings import Openings
from validator.policy import Policy
from validator.snapshot import place_in_log, read_snapshot
from validator.state import State
from validator.store import Position, Store
from validator.tiles import TILE_WIDTH

# So many leaves are read before they are judged; a larger block is read to its end.
LEAVES_AT_ONCE = 65_536
# Of the tiles over them so many are looked at: proofs are made of them, and nothing here.
TILES_LOOKED_AT = 4
_LOT = SystemRandom()
NOT_EXTENDED = "the log does not extend what it signed before"


def microseconds() -> int:
    """Return the time since 1970. [µs]"""
    return time.time_ns() // 1_000


class Follower:
    """One validator: one log, one key, one state.

    Parameters
    ----------
    hall : Hall
        Where the log is read.
    store : Store
        What was followed before.
    key : SigningKey
        The validator's cosigning key.
    policy : Policy
        Whose checkpoints are followed.
    clock : callable
        Returns the time. [microseconds since 1970]
    """

    def __init__(
        self,
        *,
        hall: Hall,
        store: Store,
        key: SigningKey,
        policy: Policy,
        clock: Callable[[], int] = microseconds,
    ) -> None:
        self._hall = hall
        self._store = store
        self._key = key
        self._policy = policy
        self._clock = clock
        self._state: State | None = None
        self._unheard = ""
        self._intervals = IntervalStore(store)
        self.journal = Journal(store)

    def step(self) -> bool:
        """Do what there is to do now; tell whether to look again at once.

        Raises
        ------
        HallSilent
            If the hall does not answer: nothing is lost, and a later step goes on.
        """
        self._hand_in()
        try:
            note = Note.parse(self._hall.get("pending"))
        except NotServed:
            self._say("the log has no checkpoint yet")
            return False
        checkpoint = self._policy.checkpoint_of(note)
        before = self._store.position().size
        try:
            self._take_twice(checkpoint)
        except (BadTile, Objected) as error:
            self._object_to(error, checkpoint)
            return False
        if self.journal.standing():
            self._say("an objection stands; nothing that contains its leaf is cosigned")
            return False
        position = self._store.position()
        if position.size == checkpoint.size and checkpoint.size > self.journal.cosigned().size:
            seconds = self._clock() // 1_000_000
            self.journal.cosign(checkpoint, note.text, self._key, time=seconds)
        self._hand_in()
        self._say("following")
        return position.size > before

    def _take_twice(self, checkpoint: Checkpoint) -> None:
        """Follow the log to a checkpoint; bytes that do not hash are asked for once again."""
        try:
            self._take(checkpoint)
        except (BadTile, Objected) as error:
            if isinstance(error, Objected) and error.code != TILE:
                raise
            self._take(checkpoint)

    def _take(self, checkpoint: Checkpoint) -> None:
        """Follow the log to a checkpoint, or see that it tells nothing new."""
        position = self._store.position()
        if self._is_stopped():
            self._watch(checkpoint, position)
            return
        if checkpoint.size == position.size:
            if checkpoint.root != position.range.root():
                raise Objected(checkpoint.size, "fork", "two roots are signed for one size")
        elif checkpoint.size < position.size:
            known = self.journal.root_of_size(checkpoint.size)
            if known is not None and known != checkpoint.root:
                raise Objected(checkpoint.size, "fork", "two roots are signed for one size")
        else:
            try:
                self._catch_up(checkpoint, position)
            except Pruned:
                position = self._start_behind_pruned(position)
                self._catch_up(checkpoint, position)
            self.journal.lift_tiles()

    def _is_stopped(self) -> bool:
        """Tell whether an objection stands that no other bytes can lift."""
        return any(objection.code != TILE for objection in self.journal.standing())

    def _watch(self, checkpoint: Checkpoint, position: Position) -> None:
        """After an objection: see at least whether the log goes on as one log."""
        size, root = self.journal.watched() or (position.size, position.range.root())
        if checkpoint.size <= size:
            if checkpoint.size == size and checkpoint.root != root:
                raise Objected(size, "fork", "two roots are signed for one size")
            return
        if not LogReader(self._hall, checkpoint.size).extends(size, root, checkpoint.root):
            raise Objected(size, "fork", NOT_EXTENDED)
        self.journal.watch(checkpoint.size, checkpoint.root)

    def _catch_up(self, checkpoint: Checkpoint, position: Position) -> None:
        """Re-execute every block up to a checkpoint, each on disk before the next."""
        held: list[bytes] = []
        hashes: list[bytes] = []
        while position.size + len(held) < checkpoint.size:
            start = position.size + len(held)
            end = min(start + LEAVES_AT_ONCE, checkpoint.size)
            read = list(LogReader(self._hall, checkpoint.size).entries(start, end))
            held += read
            hashes += map(leaf_hash, read)
            blocks = [at + 1 for at, entry in enumerate(held) if closes_block(entry)]
            begins, tree, trees = 0, position.range, []
            for ends in blocks:
                tree = tree.extended(hashes[begins:ends])
                trees.append(tree)
                begins = ends
            self._require_in_log(checkpoint, position, tree.extended(hashes[begins:]), hashes)
            begins = 0
            for ends, tree in zip(blocks, trees, strict=True):
                after = Position(position.block + 1, tree)
                self._follow_block(held[begins:ends], after, position.size)
                position, begins = after, ends
            del held[:begins], hashes[:begins]
        if held:
            raise Objected(checkpoint.size - 1, "leaf_order", "the log does not end with a block")

    def _start_behind_pruned(self, position: Position) -> Position:
        """Start from the state behind a period that nobody can re-execute any more.

        Raises
        ------
        Malformed, SignatureFailed
            If no quorum has cosigned a log that holds that state.
        """
        note = Note.parse(self._hall.get("checkpoint"))
        checkpoint = self._policy.checkpoint_of(note)
        if not self._policy.is_attested(note):
            raise SignatureFailed(
                "a period was pruned, and no quorum vouches for the state after it"
            )
        reader = LogReader(self._hall, checkpoint.size)
        snapshot = read_snapshot(self._hall.get_opening("snapshot"), self._store)
        if snapshot.state.block <= position.block:
            raise Malformed("the snapshot is older than what was followed")
        after = place_in_log(snapshot, reader, checkpoint)
        if not reader.extends(position.size, position.range.root(), checkpoint.root):
            raise Objected(position.size, "fork", NOT_EXTENDED)
        with self._store.transaction():
            self._store.start_from(snapshot.state, after)
            self._intervals.terms.start_anew()
            self._intervals.market.start_anew()
        self._state = snapshot.state
        return after

    def _require_in_log(
        self, checkpoint: Checkpoint, position: Position, tree: CompactRange, hashes: list[bytes]
    ) -> None:
        """Check that leaves just read are the next ones of the log that was signed."""
        reader = LogReader(self._hall, checkpoint.size)
        if tree.size == checkpoint.size:
            is_next = tree.root() == checkpoint.root
        else:
            is_next = reader.extends(tree.size, tree.root(), checkpoint.root)
        if not is_next:
            raise self._why_another_root(checkpoint, position, hashes)
        self._require_tiles(reader, checkpoint, position.size, hashes)

    def _require_tiles(
        self, reader: LogReader, checkpoint: Checkpoint, start: int, hashes: list[bytes]
    ) -> None:
        """Look at the tiles over leaves just read: everybody's proofs are made of them.

        Of many only some, by lot, so that the hall cannot know which.
        """
        end = start + len(hashes)
        tiles = range(start // TILE_WIDTH, -(-end // TILE_WIDTH))
        for index in _LOT.sample(tiles, min(TILES_LOOKED_AT, len(tiles))):
            first = max(start, index * TILE_WIDTH)
            last = min(end, (index + 1) * TILE_WIDTH)
            for at, served in enumerate(reader.leaf_hashes(first, last), start=first):
                if served != hashes[at - start]:
                    raise Objected(at, TILE, "an entry does not hash to its place in its tile")
        if reader.root(0, checkpoint.size) != checkpoint.root:
            raise Objected(start, TILE, "the tiles do not hash to the checkpoint")

    def _why_another_root(
        self, checkpoint: Checkpoint, position: Position, hashes: list[bytes]
    ) -> Objected:
        """Tell bytes that were served wrongly from a log that was forked."""
        reader = LogReader(self._hall, checkpoint.size)
        start = position.size
        for index, (one, other) in enumerate(
            zip(hashes, reader.leaf_hashes(start, start + len(hashes)), strict=True), start=start
        ):
            if one != other:
                return Objected(index, TILE, "an entry does not hash to its place in its tile")
        if reader.root(0, checkpoint.size) == checkpoint.root:
            if start and reader.root(0, start) != position.range.root():
                return Objected(start, "fork", NOT_EXTENDED)
            return Objected(start, TILE, "tiles of one level are not the tree over those below")
        return Objected(start, TILE, "the tiles do not hash to the checkpoint")

    def _follow_block(self, entries: list[bytes], after: Position, first: int) -> None:
        """Re-execute one block and write down what it changed."""
        data = self._hall.get_opening(str(after.block))
        try:
            openings = Openings.parse(data)
        except Malformed as error:
            raise Objected(first, "commitment", "the openings have another form") from error
        block = open_block(entries, openings, first=first)
        # Read before anything is changed: a hall that is silent now is asked again later.
        documents = {
            key: self._hall.get_opening(f"documents/{key}")
            for key in documents_needed(block, self._intervals)
        }
        state = self._take_state(openings)
        apply_block(state, block, now=self._clock())
        intervals = check_intervals(block, documents, self._intervals)
        with self._store.transaction():
            self._store.save_block(state, after)
            self._intervals.save(intervals)
        # Only now: what failed on the way here is not the state that the next block begins with.
        self._state = state

    def _take_state(self, openings: Openings) -> State:
        state, self._state = self._state, None
        return state or self._store.load_state() or State(self._store, openings.padding)

    def _object_to(self, error: BadTile | Objected, checkpoint: Checkpoint) -> None:
        size = self._store.position().size
        objected = (
            error
            if isinstance(error, Objected)
            else Objected(size, TILE, "a tile or an entry bundle is torn")
        )
        self.journal.object_to(objected, signed_objection(objected, checkpoint, self._key))
        self._say(f"objected: {objected}")
        self._hand_in()

    def _hand_in(self) -> None:
        """Send what was said and has not arrived; that it does not is no reason to stop looking."""
        try:
            self._hand_in_all()
            self._unheard = ""
        except HallSilent as error:
            self._unheard = f"; not handed in yet: {error}"

    def _hand_in_all(self) -> None:
        for objection in self.journal.objections():
            if not objection.delivered:
                self._hall.post("objections", objection.note)
                self.journal.note_objection_delivered(objection.id)
        cosigned = self.journal.cosigned()
        if not cosigned.delivered:
            self._hall.post("cosignatures", cosigned.note)
            self.journal.note_cosignature_delivered(cosigned.size)

    def _say(self, text: str) -> None:
        self.journal.note(text + self._unheard, now=self._clock())


def follow(
    follower: Follower, *, poll_seconds: float, pause: Callable[[float], None] = time.sleep
) -> None:
    """Follow a log for ever; a hall that is silent is asked less and less often, up to a minute."""
    failed = 0
    while True:
        try:
            again = follower.step()
            failed = 0
        except (HallSilent, Malformed, SignatureFailed) as error:
            failed += 1
            again = False
            follower.journal.note(f"waiting: {error}", now=microseconds())
        if not again:
            pause(min(poll_seconds * 2 ** min(failed, 10), max(poll_seconds, 60)))
