"""The Merkle tree of RFC 6962 over SHA-256: roots, growth, and proofs made and checked.

A perfect subtree is named by ``(level, index)``: it covers the leaves from ``index * 2**level``
up to, without, ``(index + 1) * 2**level``. A tree of any size is a row of perfect subtrees, one
for each bit of the size; that row is all one needs to keep in order to go on growing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import LogBroken, LogMalformed

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
PROOF_HASHES_MAX = 63
EMPTY_ROOT = hashlib.sha256(b"").digest()


class HashReader(Protocol):
    """Something that knows the hashes of a tree's perfect subtrees."""

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree of ``2**level`` leaves at ``index``."""
        ...


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry, kept apart from inner nodes by its first byte."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def pair_hashes(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the level above: one hash for each two neighbours; an odd last one is left out."""
    sha256 = hashlib.sha256  # a local name: this is the hot loop of a block
    return [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(hashes[::2], hashes[1::2], strict=False)
    ]


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over ``2**k`` neighbouring hashes of one level."""
    while len(hashes) > 1:
        hashes = pair_hashes(hashes)
    return hashes[0]


@dataclass(frozen=True)
class Growth:
    """What appending leaves brought into being.

    Parameters
    ----------
    frontier : Frontier
        The tree afterwards.
    levels : tuple of tuple of bytes
        ``levels[k]`` are the hashes of the perfect subtrees of ``2**k`` leaves that became
        complete, in order; the first has index ``old_size >> k``. Every eighth level is what
        tiles are made of.
    """

    frontier: "Frontier"
    levels: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True)
class Frontier:
    """A tree as the hashes of its perfect subtrees, largest first: 32 bytes per bit of its size.

    Parameters
    ----------
    size : int
        Number of leaves.
    hashes : tuple of bytes
        One hash per set bit of ``size``.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise LogMalformed(f"a tree cannot have {self.size} leaves")
        if len(self.hashes) != self.size.bit_count():
            raise LogMalformed(
                f"a tree of {self.size} leaves has {self.size.bit_count()} perfect subtrees,"
                f" not {len(self.hashes)}"
            )
        if any(len(h) != HASH_BYTES for h in self.hashes):
            raise LogMalformed(f"a tree's hashes are {HASH_BYTES} bytes long")

    @classmethod
    def empty(cls) -> "Frontier":
        """Return the tree without leaves."""
        return cls(0, ())

    @classmethod
    def from_bytes(cls, *, size: int, data: bytes) -> "Frontier":
        """Read back what ``to_bytes`` wrote for a tree of this size."""
        if len(data) % HASH_BYTES:
            raise LogMalformed(f"a tree's hashes are {HASH_BYTES} bytes long")
        return cls(size, tuple(data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """Return the hashes one after the other; the size is kept beside them."""
        return b"".join(self.hashes)

    def root(self) -> bytes:
        """Return the Merkle tree hash."""
        return _fold(self.hashes)

    def extended(self, leaf_hashes: Sequence[bytes]) -> "Frontier":
        """Return the tree with these leaves appended."""
        return self.grown(leaf_hashes).frontier

    def grown(self, leaf_hashes: Sequence[bytes]) -> Growth:
        """Append leaves and tell every perfect subtree that this completed.

        Parameters
        ----------
        leaf_hashes : sequence of bytes
            Hashes of the new leaves, see `leaf_hash`.

        Returns
        -------
        Growth
            The new tree and the new hashes level by level.

        Notes
        -----
        One hash per appended leaf, amortised. A subtree of the old tree that stands alone on
        its level is the left neighbour of the first new one there.
        """
        if any(len(h) != HASH_BYTES for h in leaf_hashes):
            raise LogMalformed(f"a leaf's hash is {HASH_BYTES} bytes long")
        alone = list(self.hashes)  # smallest last: popped as its level is reached
        new: Sequence[bytes] = tuple(leaf_hashes)
        kept: list[bytes] = []
        levels: list[tuple[bytes, ...]] = []
        level = 0
        while new or alone:
            if new:
                levels.append(tuple(new))
            row = [alone.pop(), *new] if self.size >> level & 1 else new
            if len(row) % 2:
                kept.append(row[-1])
            new = pair_hashes(row)
            level += 1
        return Growth(Frontier(self.size + len(leaf_hashes), tuple(reversed(kept))), tuple(levels))


def verify_inclusion(
    *, leaf_hash: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a leaf stands at ``index`` in the tree with this size and root.

    Parameters
    ----------
    leaf_hash : bytes
        Hash of the entry.
    index, size : int
        Place of the leaf, and number of leaves of the tree.
    root : bytes
        Root of the tree, from a checkpoint one trusts.
    proof : sequence of bytes
        Neighbours from the leaf up (RFC 6962, section 2.1.1).

    Raises
    ------
    LogBroken
        If the proof does not lead from the leaf to the root, or has another length than it must.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise LogBroken(f"a tree of {size} leaves has no leaf {index}")
    _check_hashes((leaf_hash, root, *proof))
    inner, border = _path_lengths(0, index, size)
    if len(proof) != inner + border:
        raise LogBroken(
            f"the proof of leaf {index} of {size} has {inner + border} hashes, not {len(proof)}"
        )
    if _climb(leaf_hash, index, inner, proof) != root:
        raise LogBroken(f"leaf {index} does not lead to the root of the tree of {size} leaves")


def inclusion_proof(index: int, size: int, reader: HashReader) -> list[bytes]:
    """Return the neighbours that lead from leaf ``index`` to the root of a tree of ``size``.

    Parameters
    ----------
    index, size : int
        Place of the leaf, and number of leaves, ``0 <= index < size``.
    reader : HashReader
        Knows the perfect subtrees of the tree of ``size`` leaves.

    Returns
    -------
    list of bytes
        At most 63 hashes, from the leaf up.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise LogBroken(f"a tree of {size} leaves has no leaf {index}")
    return _path(0, index, size, reader)


def consistency_proof(old_size: int, size: int, reader: HashReader) -> list[bytes]:
    """Return the hashes that show the tree of ``size`` to extend that of ``old_size``.

    Parameters
    ----------
    old_size, size : int
        Numbers of leaves, ``0 <= old_size <= size``.
    reader : HashReader
        Knows the perfect subtrees of the tree of ``size`` leaves.

    Returns
    -------
    list of bytes
        Empty when the old tree is empty or the same tree.
    """
    if not 0 <= old_size <= size <= SIZE_MAX:
        raise LogBroken(f"a tree of {size} leaves cannot extend one of {old_size}")
    if old_size in (0, size):
        return []
    level = _trailing_zeros(old_size)
    index = (old_size - 1) >> level
    first = [] if old_size == 1 << level else [reader.read(level, index)]
    return first + _path(level, index, size, reader)


def root_of(size: int, reader: HashReader) -> bytes:
    """Return the root of the first ``size`` leaves of what the reader knows."""
    return frontier_of(size, reader).root()


def frontier_of(size: int, reader: HashReader) -> Frontier:
    """Return the tree of the first ``size`` leaves of what the reader knows."""
    return Frontier(size, tuple(_row(0, size, reader)))


def _row(begin: int, end: int, reader: HashReader) -> list[bytes]:
    """Return the perfect subtrees of [begin, end), largest first; ``begin`` must be aligned."""
    row = []
    for level in range((end - begin).bit_length() - 1, -1, -1):
        if (end - begin) >> level & 1:
            row.append(reader.read(level, begin >> level))
            begin += 1 << level
    return row


def _path(level: int, index: int, size: int, reader: HashReader) -> list[bytes]:
    """Return the neighbours from subtree (level, index) up to the root of ``size`` leaves."""
    inner, _ = _path_lengths(level, index, size)
    path = []
    for step in range(inner):
        at, neighbour = level + step, (index >> step) ^ 1
        begin, end = neighbour << at, (neighbour + 1) << at
        if end <= size:
            path.append(reader.read(at, neighbour))
        else:  # the right edge of the tree, where a neighbour need not be perfect
            path.append(_fold(_row(begin, size, reader)))
    for step in range(inner, index.bit_length()):
        if index >> step & 1:
            path.append(reader.read(level + step, (index >> step) - 1))
    return path


def _path_lengths(level: int, index: int, size: int) -> tuple[int, int]:
    """Return how many steps go up inside, and how many along the right edge of the tree.

    Up to where the path meets that of the last leaf, each step has a neighbour on one side;
    from there on the subtree is the last one of its level and only left neighbours count.
    """
    inner = (index ^ ((size - 1) >> level)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(start: bytes, index: int, inner: int, path: Sequence[bytes]) -> bytes:
    at = start
    for step, neighbour in enumerate(path):
        is_right = step >= inner or index >> step & 1
        at = node_hash(neighbour, at) if is_right else node_hash(at, neighbour)
    return at


def _fold(row: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees, largest first."""
    if not row:
        return EMPTY_ROOT
    root = row[-1]
    for left in reversed(row[:-1]):
        root = node_hash(left, root)
    return root


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(h) != HASH_BYTES for h in hashes):
        raise LogMalformed(f"a hash of a log is {HASH_BYTES} bytes long")
