"""Where a tiled log keeps its hashes and entries (C2SP tlog-tiles), and how both are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from validator.errors import BadTile
from validator.merkle import HASH_BYTES

TILE_WIDTH = 256
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Piece:
    """One tile or, where ``level`` is None, one bundle of entries, with its width."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if self.level is not None and not 0 <= self.level <= LEVEL_MAX:
            raise BadTile(f"there is no level {self.level}")
        if self.index < 0 or not 1 <= self.width <= TILE_WIDTH:
            raise BadTile(f"there is no tile {self.index} of width {self.width}")

    @property
    def path(self) -> str:
        """Return the path below the log's prefix, such as ``tile/0/x001/234.p/17``."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{number}{partial}"

    @property
    def whole(self) -> Piece:
        """Return the full tile that takes this one's place once the log has grown past it."""
        return Piece(self.level, self.index)


def bundles_between(old_size: int, size: int) -> Iterator[Piece]:
    """Yield the bundles that hold entries ``old_size`` to ``size - 1``, in order."""
    if not 0 <= old_size <= size:
        raise BadTile(f"a log does not go from {old_size} back to {size} entries")
    for index in range(old_size // TILE_WIDTH, -(-size // TILE_WIDTH)):
        yield Piece(None, index, min(TILE_WIDTH, size - index * TILE_WIDTH))


def hashes_of(tile: bytes, *, width: int) -> list[bytes]:
    """Return the hashes in a tile of known width."""
    if len(tile) != width * HASH_BYTES:
        raise BadTile(f"a tile of width {width} has {len(tile)} bytes")
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def entries_of(bundle: bytes, *, width: int) -> list[bytes]:
    """Return the entries in a bundle of known width."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2])
        entry = bundle[at + 2 : at + 2 + length]
        if at + 2 > len(bundle) or len(entry) != length:
            raise BadTile(f"entry {len(entries)} of a bundle is torn")
        entries.append(entry)
        at += 2 + length
    if len(entries) != width:
        raise BadTile(f"a bundle of width {width} has {len(entries)} entries")
    return entries
