"""The state root: per unit a salted 16-ary Merkle map of its accounts, kept up to date by blocks.

Format: docs/ledger.md, "State root". Sixteen children a node, because a block touches so many
accounts that with two most nodes would be hashed anyway, and there would be four times as many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from ledger.domain.commands import Int64Array
from ledger.domain.leaves import UnitTotals

ByteArray = npt.NDArray[np.uint8]

DEPTH_MIN = 4
_LEAF_BYTES = 81  # 0x00, salt, account, limit, four counters


@dataclass(frozen=True)
class MapPath:
    """Where an account stands: its position and per level the other fifteen children."""

    unit: str
    position: int
    siblings: list[list[bytes]]


class StateMap:
    """The maps of all units, with the sums over their accounts.

    Parameters
    ----------
    padding : bytes
        The ledger's 32-byte secret that nodes without accounts are made of.
    """

    def __init__(self, padding: bytes) -> None:
        self._padding = padding
        self._units: dict[str, _UnitMap] = {}
        self._ids = np.empty(0, dtype=np.int64)
        self._unit_numbers = np.empty(0, dtype=np.int64)
        self._positions = np.empty(0, dtype=np.int64)
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(
        self,
        *,
        ids: Int64Array,
        units: Sequence[str],
        limits: Int64Array,
        salts: Sequence[bytes],
        counters: Int64Array | None = None,
    ) -> None:
        """Add accounts in the order of their leaves.

        Parameters
        ----------
        ids : ndarray of int64, shape (n,)
            Their numbers, new ones.
        units : sequence of str, length n
            Their units.
        limits : ndarray of int64, shape (n,)
            How far debits may pass posted credits, -1 for no limit. [minor units]
        salts : sequence of bytes, length n
            32 bytes each.
        counters : ndarray of int64, shape (4, n), optional
            Debits pending, debits posted, credits pending, credits posted; zero when absent.
        """
        if not len(ids):
            return
        counters = np.zeros((4, len(ids)), dtype=np.int64) if counters is None else counters
        packed_salts = np.frombuffer(b"".join(salts), dtype=np.uint8).reshape(-1, 32)
        names = np.array(units)
        positions = np.empty(len(ids), dtype=np.int64)
        numbers = np.empty(len(ids), dtype=np.int64)
        for unit in dict.fromkeys(units):
            if unit not in self._units:
                self._units[unit] = _UnitMap(unit, self._padding)
                self._names.append(unit)
            rows = np.flatnonzero(names == unit)
            first = self._units[unit].append(
                ids[rows], limits[rows], packed_salts[rows], counters[:, rows]
            )
            positions[rows] = first + np.arange(len(rows))
            numbers[rows] = self._names.index(unit)
        joined = np.concatenate([self._ids, ids])
        order = np.argsort(joined, kind="stable")
        self._ids = joined[order]
        self._positions = np.concatenate([self._positions, positions])[order]
        self._unit_numbers = np.concatenate([self._unit_numbers, numbers])[order]

    def update(self, ids: Int64Array, counters: Int64Array) -> None:
        """Set the counters of accounts that are in the map. Shapes (n,) and (4, n)."""
        at = np.searchsorted(self._ids, ids)
        numbers, positions = self._unit_numbers[at], self._positions[at]
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            self._units[self._names[number]].set(positions[rows], counters[:, rows])

    def rows(self, ids: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
        """Return what the map knows of some accounts, those that it does not have left out.

        Returns
        -------
        ids, units, limits : ndarray of int64, shape (n,)
            Numbers of the accounts, a number per unit, and limits, -1 for none. [minor units]
        counters : ndarray of int64, shape (4, n)
            Debits pending, debits posted, credits pending, credits posted. [minor units]
        """
        at = np.searchsorted(self._ids, ids)
        known = at < len(self._ids)
        known[known] = self._ids[at[known]] == ids[known]
        at = at[known]
        numbers, positions = self._unit_numbers[at], self._positions[at]
        limits = np.empty(len(at), dtype=np.int64)
        counters = np.empty((4, len(at)), dtype=np.int64)
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            unit = self._units[self._names[number]]
            limits[rows], counters[:, rows] = unit.rows(positions[rows])
        return self._ids[at], numbers, limits, counters

    def unit_roots(self) -> list[tuple[str, bytes]]:
        """Return the root of each unit's map, in order of the units' bytes."""
        return [
            (name, self._units[name].root())
            for name in sorted(self._units, key=lambda name: name.encode())
        ]

    def root(self) -> bytes:
        """Return the state root."""
        return state_root(self.unit_roots())

    def totals(self) -> list[UnitTotals]:
        """Return the sums over each unit's accounts."""
        return [
            UnitTotals(name, len(unit), *unit.sums) for name, unit in sorted(self._units.items())
        ]

    def moved_accounts(self, unit: str) -> int:
        """Return how many of a unit's accounts have posted counters above zero."""
        return self._units[unit].moved

    def path(self, account: int) -> MapPath:
        """Return the siblings that lead from an account's leaf to its unit's root."""
        at = int(np.searchsorted(self._ids, account))
        if at == len(self._ids) or self._ids[at] != account:
            raise KeyError(account)
        unit = self._units[self._names[int(self._unit_numbers[at])]]
        position = int(self._positions[at])
        return MapPath(unit.name, position, unit.siblings(position))


class _UnitMap:
    """The map of one unit: its hashes level by level, padding left out."""

    def __init__(self, name: str, padding: bytes) -> None:
        self.name, self._padding = name, padding
        self.sums = [0, 0, 0, 0]
        self.moved = 0
        self._heads = np.empty((0, 49), dtype=np.uint8)  # 0x00, salt, account, limit
        self._counters = np.empty((4, 0), dtype=np.int64)
        self._levels: list[ByteArray] = [
            np.empty((0, 32), dtype=np.uint8) for _ in range(DEPTH_MIN + 1)
        ]

    def __len__(self) -> int:
        return len(self._heads)

    @property
    def depth(self) -> int:
        return len(self._levels) - 1

    def append(
        self, ids: Int64Array, limits: Int64Array, salts: ByteArray, counters: Int64Array
    ) -> int:
        """Add accounts behind the others and return the position of the first."""
        first, count = len(self), len(self) + len(ids)
        heads = np.zeros((len(ids), 49), dtype=np.uint8)
        heads[:, 1:33] = salts
        heads[:, 33:41] = _big_endian(ids)
        heads[:, 41:49] = _big_endian(limits)
        self._heads = np.concatenate([self._heads, heads])
        self._counters = np.concatenate(
            [self._counters, np.zeros((4, len(ids)), dtype=np.int64)], axis=1
        )
        while 16**self.depth < count:
            self._levels.append(np.empty((0, 32), dtype=np.uint8))
        for level in range(len(self._levels)):
            self._levels[level] = _grown(self._levels[level], -(-count // 16**level))
        self.set(np.arange(first, count), counters)
        return first

    def rows(self, positions: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return limits and counters of accounts. Shapes (n,) and (4, n)."""
        limits = np.ascontiguousarray(self._heads[positions, 41:49]).view(">i8")
        return limits.ravel().astype(np.int64), self._counters[:, positions]

    def set(self, positions: Int64Array, counters: Int64Array) -> None:
        """Set counters of accounts and hash what follows from them."""
        before = self._counters[:, positions]
        for index, row in enumerate(counters - before):
            self.sums[index] += sum(row.tolist())
        self.moved += int(_has_moved(counters).sum()) - int(_has_moved(before).sum())
        self._counters[:, positions] = counters
        leaves = np.concatenate(
            [self._heads[positions], _big_endian(counters.T).reshape(-1, 32)], axis=1
        ).tobytes()
        self._levels[0][positions] = _hashed(leaves, _LEAF_BYTES)
        touched = positions
        for level in range(1, len(self._levels)):
            touched = np.unique(touched >> 4)
            self._levels[level][touched] = self._nodes(level, touched)

    def _nodes(self, level: int, indices: Int64Array) -> ByteArray:
        """Hash nodes from their children; the last one may have padding among them."""
        children = self._levels[level - 1]
        whole = indices[(indices + 1) * 16 <= len(children)]
        digests = [
            sha256(b"\1" + part).digest() for part in _cut(_blocks(children)[whole].tobytes(), 512)
        ]
        if len(whole) < len(indices):
            digests.append(
                sha256(b"\1" + b"".join(self._children(level, int(indices[-1])))).digest()
            )
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)

    def _children(self, level: int, index: int) -> list[bytes]:
        hashes = self._levels[level - 1]
        return [
            hashes[child].tobytes() if child < len(hashes) else self._pad(level - 1, child)
            for child in range(index * 16, index * 16 + 16)
        ]

    def _pad(self, level: int, index: int) -> bytes:
        place = bytes([level]) + index.to_bytes(8, "big")
        return sha256(b"\2" + self._padding + place + self.name.encode()).digest()

    def root(self) -> bytes:
        top: bytes = self._levels[-1][0].tobytes()
        return top

    def siblings(self, position: int) -> list[list[bytes]]:
        path = []
        for level in range(1, len(self._levels)):
            children = self._children(level, position >> 4)
            del children[position & 15]
            path.append(children)
            position >>= 4
        return path


def state_root(unit_roots: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the state root over the map roots of all units, in order of the units' bytes."""
    parts = [
        len(name.encode()).to_bytes(2, "big") + name.encode() + root for name, root in unit_roots
    ]
    return sha256(b"\3" + b"".join(parts)).digest()


def account_hash(*, account: int, limit: int | None, salt: bytes, counters: Sequence[int]) -> bytes:
    """Return the map's leaf for one account. [minor units]"""
    written = account.to_bytes(8, "big")
    written += (-1 if limit is None else limit).to_bytes(8, "big", signed=True)
    written += b"".join(counter.to_bytes(8, "big") for counter in counters)
    return sha256(b"\0" + salt + written).digest()


def map_root(leaf: bytes, position: int, siblings: Sequence[Sequence[bytes]]) -> bytes:
    """Return the root of the map that an account's leaf and its siblings lead to."""
    node = leaf
    for children in siblings:
        at = position & 15
        node = sha256(b"\1" + b"".join([*children[:at], node, *children[at:]])).digest()
        position >>= 4
    return node


def _big_endian(values: Int64Array) -> ByteArray:
    """Return int64 as eight bytes each, most significant first, along a new last axis."""
    packed = np.ascontiguousarray(values).astype(">i8")
    return packed.view(np.uint8).reshape(*values.shape[:1], -1)


def _hashed(data: bytes, width: int) -> ByteArray:
    digests = b"".join([sha256(part).digest() for part in _cut(data, width)])
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)


def _cut(data: bytes, width: int) -> list[bytes]:
    return [data[at : at + width] for at in range(0, len(data), width)]


def _blocks(hashes: ByteArray) -> ByteArray:
    """Return whole groups of sixteen hashes as one row each."""
    whole = len(hashes) // 16
    return hashes[: whole * 16].reshape(whole, 512)


def _grown(hashes: ByteArray, count: int) -> ByteArray:
    return np.concatenate([hashes, np.zeros((count - len(hashes), 32), dtype=np.uint8)])


def _has_moved(counters: Int64Array) -> npt.NDArray[np.bool_]:
    moved: npt.NDArray[np.bool_] = (counters[1] > 0) | (counters[3] > 0)
    return moved
