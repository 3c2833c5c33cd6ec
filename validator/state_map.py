"""The Merkle map of one unit's accounts: sixteen children a node, padded, hashed where touched.

References
----------
docs/ledger.md, "State root".
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

WIDTH = 16
DEPTH_MIN = 4
HASH_BYTES = 32
_NODE = b"\x01"
_PADDING = b"\x02"
_STATE = b"\x03"


class UnitMap:
    """Hashes of a unit's accounts by position, and of the nodes above them.

    Parameters
    ----------
    unit : str
        Name of the unit.
    padding : bytes
        The ledger's secret that hides how many accounts there are.
    """

    def __init__(self, unit: str, padding: bytes) -> None:
        self.unit = unit
        self._padding = padding
        self._levels = [bytearray()]
        self._touched: set[int] = set()

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def put(self, position: int, leaf: bytes) -> None:
        """Set the hash of the account at a position, which may be the next new one."""
        leaves = self._levels[0]
        at = position * HASH_BYTES
        assert at <= len(leaves), (position, len(self))
        leaves[at : at + HASH_BYTES] = leaf
        self._touched.add(position)

    def root(self) -> bytes:
        """Return the map's root; only nodes above what was touched are hashed again."""
        depth = depth_of(len(self))
        touched: Iterable[int] = self._touched
        for level in range(1, depth + 1):
            touched = {index >> 4 for index in touched}
            self._hash_level(level, touched)
        self._touched = set()
        return bytes(self._levels[depth][:HASH_BYTES])

    def _hash_level(self, level: int, indices: Iterable[int]) -> None:
        if level == len(self._levels):
            # The tree has grown by a level: everything below it is new to it.
            self._levels.append(bytearray())
            below = len(self._levels[level - 1]) // HASH_BYTES
            indices = range(-(-below // WIDTH))
        children, nodes = self._levels[level - 1], self._levels[level]
        span = WIDTH * HASH_BYTES
        full = len(children) // span
        for index in sorted(indices):
            below_it = bytes(children[index * span : (index + 1) * span])
            if index >= full:
                below_it += self._padding_after(level - 1, len(children) // HASH_BYTES, index)
            nodes[index * HASH_BYTES : (index + 1) * HASH_BYTES] = sha256(_NODE + below_it).digest()

    def _padding_after(self, level: int, count: int, parent: int) -> bytes:
        """Return the hashes of a node's children from the first that spans no account."""
        unit = self.unit.encode()
        return b"".join(
            sha256(_PADDING + self._padding + level.to_bytes(1) + index.to_bytes(8) + unit).digest()
            for index in range(max(count, parent * WIDTH), (parent + 1) * WIDTH)
        )


def depth_of(accounts: int) -> int:
    """Return the least depth, and four at least, of a map with room for so many accounts."""
    depth = DEPTH_MIN
    while WIDTH**depth < accounts:
        depth += 1
    return depth


def state_root(roots: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the root over the maps of all units, from pairs of a unit and its map's root."""
    named = sorted((unit.encode(), root) for unit, root in roots)
    return sha256(
        _STATE + b"".join(len(unit).to_bytes(2) + unit + root for unit, root in named)
    ).digest()
