"""A log as files: the tiles and entry bundles of C2SP tlog-tiles, and proofs read from them.

A tile holds up to 256 neighbouring hashes of every eighth level of the tree; a bundle holds the
entries under one tile of level 0. Both are partial at the right edge of the tree.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ledger.domain.merkle import HASH_BYTES, SIZE_MAX, perfect_root
from ledger.errors import LogBroken, LogMalformed

TILE_WIDTH = 256
TILE_HEIGHT = 8
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 65_535

Level = int | Literal["entries"]

_NUMBER = r"0|[1-9][0-9]?"
_PATH = re.compile(
    rf"tile/(?P<level>{_NUMBER}|entries)/(?P<index>(?:x[0-9]{{3}}/)*[0-9]{{3}})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
)


@dataclass(frozen=True)
class Tile:
    """The name of a tile, or of an entry bundle where ``level`` is ``"entries"``.

    Parameters
    ----------
    level : int or "entries"
        ``0`` holds hashes of leaves; each hash of level ``l`` covers ``256**l`` leaves.
    index : int
        Which tile of the level, from the left.
    width : int
        Number of hashes or entries, 1..256; below 256 the tile is partial.
    """

    level: Level
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix."""
        return tile_path(self.level, self.index, self.width)


def tile_path(level: Level, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile or bundle below the log's prefix.

    Parameters
    ----------
    level : int or "entries"
        Level of the tile, 0..63.
    index : int
        Which tile of the level.
    width : int, default 256
        Number of hashes or entries.

    Returns
    -------
    str
        For example ``tile/0/x001/234.p/17``.
    """
    if level != "entries" and not 0 <= level <= LEVEL_MAX:
        raise LogMalformed(f"there is no tile level {level}")
    if not 0 <= index <= SIZE_MAX or not 1 <= width <= TILE_WIDTH:
        raise LogMalformed(f"there is no tile {index} of width {width}")
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{suffix}"


def parse_tile_path(path: str) -> Tile:
    """Return the tile that a path names; each tile has exactly one path.

    Raises
    ------
    LogMalformed
        If the path is not exactly what `tile_path` would have written.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise LogMalformed(f"{path!r} is not the path of a tile")
    level: Level = "entries" if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if match["width"] is None else int(match["width"])
    if tile_path(level, index, width) != path:
        raise LogMalformed(f"{path!r} is not the path of a tile")
    return Tile(level, index, width)


def bundle_of(entries: Sequence[bytes]) -> bytes:
    """Return 1 to 256 entries as one bundle: each behind its length in two bytes."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise LogMalformed(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise LogMalformed(f"an entry has at most {ENTRY_BYTES_MAX} bytes, not {len(entry)}")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def entries_of(bundle: bytes, *, width: int | None = None) -> list[bytes]:
    """Return the entries of a bundle.

    Parameters
    ----------
    bundle : bytes
        What `bundle_of` wrote.
    width : int, optional
        How many entries there must be; any number from 1 to 256 when absent.

    Raises
    ------
    LogMalformed
        If the bundle ends inside an entry, or holds too few or too many.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin = at + 2
        at = begin + int.from_bytes(bundle[at:begin], "big")
        if at > len(bundle):
            raise LogMalformed(f"the bundle ends inside entry {len(entries)}")
        entries.append(bundle[begin:at])
    if width is not None and len(entries) != width:
        raise LogMalformed(f"the bundle holds {len(entries)} entries, not {width}")
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise LogMalformed(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    return entries


def tiles_between(old_size: int, size: int) -> list[Tile]:
    """Return the tiles that a checkpoint of ``size`` needs and one of ``old_size`` did not.

    Parameters
    ----------
    old_size, size : int
        Numbers of leaves, ``0 <= old_size <= size``.

    Returns
    -------
    list of Tile
        Full and partial tiles of all hash levels, level by level from the left.
    """
    if not 0 <= old_size <= size <= SIZE_MAX:
        raise LogBroken(f"a log of {old_size} entries cannot grow to {size}")
    tiles: list[Tile] = []
    level = 0
    while size:
        tiles += _new_at(level, old_size, size)
        old_size, size, level = old_size // TILE_WIDTH, size // TILE_WIDTH, level + 1
    return tiles


def bundles_between(old_size: int, size: int) -> list[Tile]:
    """Return the entry bundles, as `tiles_between` returns tiles."""
    if not 0 <= old_size <= size <= SIZE_MAX:
        raise LogBroken(f"a log of {old_size} entries cannot grow to {size}")
    return _new_at("entries", old_size, size)


def _new_at(level: Level, old_count: int, count: int) -> list[Tile]:
    """Return the tiles of one level that hold any of the hashes [old_count, count)."""
    if old_count == count:
        return []
    full = range(old_count // TILE_WIDTH, count // TILE_WIDTH)
    tiles = [Tile(level, index) for index in full]
    if count % TILE_WIDTH:
        tiles.append(Tile(level, count // TILE_WIDTH, count % TILE_WIDTH))
    return tiles


class TileReader:
    """Reads a tree's hashes from the tiles of a log of one size; see ``merkle.HashReader``.

    What it returns is only as true as the tiles: compare a root, or check a proof, against a
    checkpoint before believing it.

    Parameters
    ----------
    read_tile : callable
        Takes level, index and width and returns the bytes of that tile.
    size : int
        Number of leaves of the checkpoint that the tiles belong to.
    """

    def __init__(self, read_tile: Callable[[int, int, int], bytes], size: int) -> None:
        self._read_tile = read_tile
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree of ``2**level`` leaves at ``index``."""
        if index < 0 or (index + 1) << level > self._size:
            raise LogBroken(f"no subtree {index} of level {level} in {self._size} leaves")
        tile_level, above = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index << above, TILE_WIDTH)
        tile = self._tile(tile_level, tile_index)
        part = tile[offset * HASH_BYTES : (offset + (1 << above)) * HASH_BYTES]
        return perfect_root(hashes_of(part))

    def _tile(self, level: int, index: int) -> bytes:
        tile = self._tiles.get((level, index))
        if tile is None:
            on_level = self._size >> level * TILE_HEIGHT
            width = min(TILE_WIDTH, on_level - index * TILE_WIDTH)
            tile = self._read_tile(level, index, width)
            if len(tile) != width * HASH_BYTES:
                raise LogMalformed(
                    f"{tile_path(level, index, width)} has {len(tile)} bytes,"
                    f" not {width * HASH_BYTES}"
                )
            self._tiles[level, index] = tile
        return tile


def hashes_of(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    if len(tile) % HASH_BYTES:
        raise LogMalformed(f"a tile of {len(tile)} bytes does not consist of whole hashes")
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
