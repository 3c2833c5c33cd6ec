"""A log as it grows: which tiles and bundles come out of new entries, byte for byte.

Kept in memory is only the right edge: of every level the hashes of the tile that is not full yet,
and the entries of the bundle that is not. What is kept follows from the frontier, and is checked
against it when it is read back from files.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.domain.merkle import HASH_BYTES, Frontier, leaf_hash, perfect_root
from ledger.domain.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, bundle_of, entries_of, hashes_of
from ledger.errors import LogBroken, LogMalformed


@dataclass(frozen=True)
class TileFile:
    """A tile or bundle and its bytes."""

    tile: Tile
    data: bytes


class GrowingLog:
    """The right edge of a log, extended by entries.

    Parameters
    ----------
    frontier : Frontier
        The tree so far.
    edges : list of list of bytes
        For every level of tiles the hashes of its last tile, where that is not full.
    entries : list of bytes
        The entries of the last bundle, where that is not full.
    """

    def __init__(self, frontier: Frontier, edges: list[list[bytes]], entries: list[bytes]) -> None:
        self.frontier = frontier
        self._edges, self._entries = edges, entries

    @classmethod
    def empty(cls) -> "GrowingLog":
        """Return a log without entries."""
        return cls(Frontier.empty(), [], [])

    @classmethod
    def read(cls, frontier: Frontier, read_tile: Callable[[Tile], bytes]) -> "GrowingLog":
        """Read the right edge of a log back from its files.

        Parameters
        ----------
        frontier : Frontier
            The tree that the files must belong to; from a source that is trusted.
        read_tile : callable
            Returns the bytes of a tile or bundle.

        Raises
        ------
        LogBroken
            If a file is not what the frontier says; the message names it.
        """
        edges: list[list[bytes]] = []
        entries: list[bytes] = []
        for tile in _edge_tiles(frontier.size):
            edges.append(_checked_edge(tile, read_tile(tile), frontier) if tile.width else [])
        if frontier.size % TILE_WIDTH:
            index, width = divmod(frontier.size, TILE_WIDTH)
            bundle = Tile("entries", index, width)
            entries = entries_of(read_tile(bundle), width=width)
            if [leaf_hash(entry) for entry in entries] != edges[0]:
                raise LogBroken(f"{bundle.path} holds other entries than its tile says")
        return cls(frontier, edges, entries)

    def append(self, entries: Sequence[bytes]) -> Iterator[TileFile]:
        """Append entries and yield the bundles and tiles that this filled.

        Take all that it yields: the log has grown only then.
        """
        first = self.frontier.size - len(self._entries)
        yield from self._filled_bundles(first // TILE_WIDTH, entries)
        old_size = self.frontier.size
        growth = self.frontier.grown([leaf_hash(entry) for entry in entries])
        self.frontier = growth.frontier
        for level, hashes in enumerate(growth.levels[::TILE_HEIGHT]):
            if level == len(self._edges):
                self._edges.append([])
            edge = self._edges[level]
            index = (old_size >> level * TILE_HEIGHT) // TILE_WIDTH
            edge.extend(hashes)
            while len(edge) >= TILE_WIDTH:
                yield TileFile(Tile(level, index), b"".join(edge[:TILE_WIDTH]))
                del edge[:TILE_WIDTH]
                index += 1

    def partials(self) -> Iterator[TileFile]:
        """Yield the bundle and the tiles at the right edge, as a checkpoint of now needs them."""
        index = self.frontier.size // TILE_WIDTH
        if self._entries:
            tile = Tile("entries", index, len(self._entries))
            yield TileFile(tile, bundle_of(self._entries))
        for tile in _edge_tiles(self.frontier.size):
            if tile.width:
                assert tile.level != "entries"
                yield TileFile(tile, b"".join(self._edges[tile.level]))

    def _filled_bundles(self, index: int, entries: Sequence[bytes]) -> Iterator[TileFile]:
        waiting = [*self._entries, *entries]
        for at in range(0, len(waiting) - TILE_WIDTH + 1, TILE_WIDTH):
            data = bundle_of(waiting[at : at + TILE_WIDTH])
            yield TileFile(Tile("entries", index + at // TILE_WIDTH), data)
        self._entries = waiting[len(waiting) // TILE_WIDTH * TILE_WIDTH :]


def _edge_tiles(size: int) -> Iterator[Tile]:
    """Yield the last tile of each level, of width 0 where the last one is full."""
    level = 0
    while size:
        yield Tile(level, size // TILE_WIDTH, size % TILE_WIDTH)
        size, level = size // TILE_WIDTH, level + 1


def _checked_edge(tile: Tile, data: bytes, frontier: Frontier) -> list[bytes]:
    """Return the hashes of a partial tile; they fold into hashes that the frontier holds."""
    assert tile.level != "entries"
    if len(data) != tile.width * HASH_BYTES:
        raise LogBroken(f"{tile.path} has {len(data)} bytes, not {tile.width * HASH_BYTES}")
    hashes = hashes_of(data)
    perfect = iter(_frontier_part(frontier, tile.level))
    at = 0
    for bit in reversed(range(TILE_HEIGHT)):
        if tile.width >> bit & 1:
            if perfect_root(hashes[at : at + (1 << bit)]) != next(perfect):
                raise LogBroken(f"{tile.path} holds other hashes than those that were signed")
            at += 1 << bit
    return hashes


def _frontier_part(frontier: Frontier, level: int) -> tuple[bytes, ...]:
    """Return the frontier's hashes that the last tile of a level folds into, largest first."""
    above = (frontier.size >> (level + 1) * TILE_HEIGHT).bit_count()
    below = (frontier.size >> level * TILE_HEIGHT).bit_count()
    return frontier.hashes[above:below]


def entries_in(data: bytes) -> list[bytes]:
    """Return entries that stand one behind the other as in a bundle, however many.

    Raises
    ------
    LogMalformed
        If the bytes end inside an entry.
    """
    entries = []
    at, end = 0, len(data)
    while at < end:
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        entries.append(data[begin:at])
    if at != end:
        raise LogMalformed(f"the bytes end inside entry {len(entries) - 1}")
    return entries
