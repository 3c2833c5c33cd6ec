"""The log as static files: tiles, bundles, ``pending`` and ``checkpoint`` below one folder.

Everything here is derived from the database and may be deleted. A file appears whole or not at
all; what a power failure tears is found at the next start and written again.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ledger.domain.growing_log import TileFile
from ledger.domain.merkle import HASH_BYTES
from ledger.domain.tiles import TILE_WIDTH, Tile, bundle_of, entries_of, tile_path
from ledger.errors import LogMalformed

PENDING = "pending"
CHECKPOINT = "checkpoint"


class LogFolder:
    """Reads and writes the files of one log.

    Parameters
    ----------
    root : Path
        Made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, data: bytes) -> None:
        """Put a file in its place, over an older one."""
        target = self.root / path
        part = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            try:
                part.write_bytes(data)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(data)
            part.replace(target)
        except OSError:
            # On a full disk half a file would only take room.
            part.unlink(missing_ok=True)
            raise

    def write_tiles(self, files: Iterable[TileFile]) -> None:
        """Write tiles and bundles."""
        for file in files:
            self.write(file.tile.path, file.data)

    def read(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_tile(self, tile: Tile) -> bytes:
        """Return a tile or bundle; a partial one may have been cut from the full one.

        Raises
        ------
        LogMalformed
            If there is neither.
        """
        data = self.read(tile.path)
        if data is None and tile.width < TILE_WIDTH:
            data = _first(tile, self.read(tile_path(tile.level, tile.index)))
        if data is None:
            raise LogMalformed(f"{tile.path} is missing")
        return data

    def read_hashes(self, level: int, index: int, width: int) -> bytes:
        """Return a tile in the way that ``TileReader`` asks for it."""
        return self.read_tile(Tile(level, index, width))

    def size_of(self, tile: Tile) -> int:
        """Return how many bytes a tile's file has, -1 where there is none."""
        try:
            return (self.root / tile.path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return -1

    def remove_partials(self, tile: Tile) -> None:
        """Remove what a full tile has made useless."""
        shutil.rmtree((self.root / tile.path).with_name(f"{tile.index % 1000:03d}.p"), True)


def _first(tile: Tile, full: bytes | None) -> bytes | None:
    if full is None:
        return None
    if tile.level == "entries":
        return bundle_of(entries_of(full, width=TILE_WIDTH)[: tile.width])
    return full[: tile.width * HASH_BYTES]
