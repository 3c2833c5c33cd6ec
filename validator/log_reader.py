"""A tiled log as it is served: its entries, the nodes of its tree, and proofs made of them.

Nothing read here is believed: what it is compared with is the root of a signed checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator

from validator.client import Hall
from validator.errors import BadTile, NotServed, ProofFailed
from validator.merkle import node_hash, verify_consistency
from validator.tiles import TILE_WIDTH, Piece, bundles_between, entries_of, hashes_of

_LEVELS_PER_TILE = 8


class LogReader:
    """Reads the log of one size, which the hall must serve once it has signed it."""

    def __init__(self, hall: Hall, size: int) -> None:
        self._hall = hall
        self._size = size
        self._tiles: dict[Piece, list[bytes]] = {}

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the entries from ``start`` to before ``end``.

        Raises
        ------
        BadTile
            If a bundle is torn.
        HallSilent
            If one does not come.
        """
        pieces = [
            Piece(None, piece.index, self._width(0, piece.index))
            for piece in bundles_between(start, end)
        ]
        for piece, data in zip(pieces, self._fetch(pieces), strict=True):
            begins = piece.index * TILE_WIDTH
            yield from self._entries_of(piece, data)[max(0, start - begins) : end - begins]

    def leaf_hashes(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the hashes of leaves as the tiles of the lowest level have them."""
        pieces = [
            Piece(0, index, self._width(0, index))
            for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH))
        ]
        for piece, data in zip(pieces, self._fetch(pieces), strict=True):
            begins = piece.index * TILE_WIDTH
            hashes = hashes_of(data, width=piece.width)
            yield from hashes[max(0, start - begins) : end - begins]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Return RFC 6962's proof that the log extends its first ``old_size`` entries."""
        if old_size in (0, self._size):
            return []
        return self._proof(old_size, 0, self._size, whole=True)

    def extends(self, old_size: int, old_root: bytes, root: bytes) -> bool:
        """Tell whether the log with this root begins with an older log."""
        proof = self.consistency_proof(old_size)
        try:
            verify_consistency(
                old_size=old_size, old_root=old_root, size=self._size, root=root, proof=proof
            )
        except ProofFailed:
            return False
        return True

    def root(self, start: int, end: int) -> bytes:
        """Return the tree head of the entries from ``start`` to before ``end``."""
        count = end - start
        level = (count - 1).bit_length()
        if count == 1 << level and start % count == 0:
            return self._node(level, start >> level)
        half = 1 << (level - 1)
        return node_hash(self.root(start, start + half), self.root(start + half, end))

    def _proof(self, old_size: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old_size == end - start:
            return [] if whole else [self.root(start, end)]
        half = 1 << ((end - start - 1).bit_length() - 1)
        middle = start + half
        if old_size <= half:
            return [*self._proof(old_size, start, middle, whole=whole), self.root(middle, end)]
        rest = self._proof(old_size - half, middle, end, whole=False)
        return [*rest, self.root(start, middle)]

    def _node(self, level: int, index: int) -> bytes:
        """Return the hash over the ``2**level`` leaves from ``index << level``."""
        tile_level, above = divmod(level, _LEVELS_PER_TILE)
        first = index << above
        tile = self._tile(tile_level, first // TILE_WIDTH)
        at = first % TILE_WIDTH
        row = tile[at : at + (1 << above)]
        while len(row) > 1:
            row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=True)]
        if not row:
            raise BadTile(f"no node {index} at level {level}")
        return row[0]

    def _tile(self, level: int, index: int) -> list[bytes]:
        piece = Piece(level, index, self._width(level, index))
        tile = self._tiles.get(piece)
        if tile is None:
            (data,) = self._fetch([piece])
            tile = self._tiles[piece] = hashes_of(data, width=piece.width)
        return tile

    def _width(self, level: int, index: int) -> int:
        there = (self._size >> (_LEVELS_PER_TILE * level)) - index * TILE_WIDTH
        return min(TILE_WIDTH, there)

    def _fetch(self, pieces: list[Piece]) -> Iterator[bytes]:
        answers = self._hall.get_all([piece.path for piece in pieces[:-1]])
        yield from answers
        yield self._last(pieces[-1])

    def _last(self, piece: Piece) -> bytes:
        """Return a piece that may be partial: the whole one may have taken its place."""
        try:
            return self._hall.get(piece.path)
        except NotServed:
            if piece.width == TILE_WIDTH:
                raise
        data = self._hall.get(piece.whole.path)
        if piece.level is not None:
            return b"".join(hashes_of(data, width=TILE_WIDTH)[: piece.width])
        ends = 0
        for _ in range(piece.width):
            ends += 2 + int.from_bytes(data[ends : ends + 2])
        return data[:ends]

    def _entries_of(self, piece: Piece, data: bytes) -> list[bytes]:
        return entries_of(data, width=piece.width)
