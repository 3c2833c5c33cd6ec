"""A validator without network and disk: blocks in, objection out."""

from collections.abc import Iterable

from tests.validator.ledger_twin import PADDING, Ledger, Sealed
from validator.block import Block, apply_block, open_block
from validator.checks import Objected
from validator.openings import Openings
from validator.state import State


class Memory:
    """An archive that keeps everything in memory."""

    def __init__(self) -> None:
        self.commands: dict[str, tuple[int, int]] = {}
        self.ended: set[str] = set()
        self.documents: dict[str, str] = {}

    def known(self, keys: Iterable[str]) -> set[str]:
        return self.commands.keys() & set(keys)

    def command(self, key: str) -> tuple[int, int] | None:
        return self.commands.get(key)

    def ended_hold(self, reference: str) -> bool:
        return reference in self.ended

    def document(self, key: str) -> bool:
        return key in self.documents


class Follower:
    """Follows a ledger's blocks in memory."""

    def __init__(self) -> None:
        self.archive = Memory()
        self.state = State(self.archive, PADDING)
        self.blocks: list[Block] = []

    def follow(self, ledger: Ledger, *, now: int | None = None) -> None:
        """Re-execute every block that is not followed yet."""
        for sealed in ledger.blocks[len(self.blocks) :]:
            self.take(sealed, now=ledger.time if now is None else now)

    def take(self, sealed: Sealed, *, now: int) -> None:
        openings = Openings.parse(sealed.openings)
        block = open_block(sealed.entries, openings, first=sealed.first)
        apply_block(self.state, block, now=now)
        self.archive.commands |= self.state.fresh.commands
        self.archive.documents |= self.state.fresh.documents
        self.archive.ended |= self.state.fresh.ended
        self.state.fresh = type(self.state.fresh)()
        self.blocks.append(block)


def objection_to(ledger: Ledger, follower: Follower | None = None) -> tuple[int, str] | None:
    """Return leaf and code of the objection that following a ledger raises."""
    try:
        (follower or Follower()).follow(ledger)
    except Objected as objected:
        return objected.leaf, objected.code
    return None
