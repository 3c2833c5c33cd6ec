"""The Merkle tree of RFC 6962: hashes, roots that grow, and checks of proofs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from validator.errors import ProofFailed

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds ``entry``."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The least of a tree that lets it grow: the roots of its perfect subtrees.

    Parameters
    ----------
    size : int
        Number of leaves.
    peaks : tuple of bytes
        One root for each set bit of ``size``, the largest subtree (the leftmost) first.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"{self.size} leaves do not have {len(self.peaks)} peaks")
        if any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise ValueError("a peak is not a hash")

    def extended(self, leaf_hashes: Iterable[bytes]) -> CompactRange:
        """Return the range with more leaves to its right.

        Parameters
        ----------
        leaf_hashes : iterable of bytes
            Hashes of the new leaves, in order.

        Notes
        -----
        Works level by level: O(n) hashes and O(log size) steps of bookkeeping.
        """
        row = list(leaf_hashes)
        grown = self.size + len(row)
        left, right = list(self.peaks), []
        rest = self.size
        while row:
            if rest & 1:  # the old tree ends in the middle of a pair of this level
                row.insert(0, left.pop())
            if len(row) & 1:
                right.append(row.pop())
            pairs = iter(row)
            row = [
                sha256(b"\x01" + one + two).digest() for one, two in zip(pairs, pairs, strict=True)
            ]
            rest >>= 1
        return CompactRange(grown, (*left, *reversed(right)))

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def verify_consistency(
    *, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a tree holds an older tree as its beginning.

    Parameters
    ----------
    old_size, size : int
        Numbers of leaves, ``old_size <= size``.
    old_root, root : bytes
        Roots of the two trees.
    proof : sequence of bytes
        The consistency proof of RFC 6962, section 2.1.2; empty for equal sizes, and from zero.

    Raises
    ------
    ProofFailed
        If the proof does not lead to both roots.
    """
    if not 0 <= old_size <= size:
        raise ProofFailed(f"a tree of {size} cannot extend one of {old_size}")
    _require_hashes(proof)
    if old_size in (0, size):
        if proof:
            raise ProofFailed(f"from {old_size} to {size} nothing needs a proof, and one was given")
        if old_root != (EMPTY_ROOT if old_size == 0 else root):
            raise ProofFailed(f"the roots of {old_size} leaves differ")
        return
    # The largest perfect subtree that ends where the old tree ends: the proof starts at its root,
    # which is left out when it is the whole old tree, for then it is the old root. (An empty
    # proof fails below, at its length.)
    level = (old_size & -old_size).bit_length() - 1
    index = (old_size - 1) >> level
    start, *path = [old_root, *proof] if old_size == 1 << level else (proof or [b""])
    inner = (index ^ ((size - 1) >> level)).bit_length()
    border = (index >> inner).bit_count()
    if len(path) != inner + border:
        raise ProofFailed(f"the proof has {len(proof)} hashes, not those of {old_size} in {size}")
    old_computed = start
    for height, sibling in enumerate(path[:inner]):
        if (index >> height) & 1:
            old_computed = node_hash(sibling, old_computed)
    computed = _climb(start, index, path[:inner])
    for sibling in path[inner:]:
        old_computed = node_hash(sibling, old_computed)
        computed = node_hash(sibling, computed)
    if old_computed != old_root:
        raise ProofFailed(f"the proof leads to another root of the {old_size} old leaves")
    if computed != root:
        raise ProofFailed(f"the proof leads to another root of the {size} leaves")


def _climb(start: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Hash upwards from a node; the bits of ``index`` say on which side each sibling stands."""
    computed = start
    for height, sibling in enumerate(siblings):
        if (index >> height) & 1:
            computed = node_hash(sibling, computed)
        else:
            computed = node_hash(computed, sibling)
    return computed


def _require_hashes(proof: Sequence[bytes]) -> None:
    if any(len(piece) != HASH_BYTES for piece in proof):
        raise ProofFailed("a piece of the proof is not a hash")
