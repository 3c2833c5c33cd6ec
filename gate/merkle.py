"""The Merkle tree of RFC 6962 over a package's chunks: its root, and the proof of one chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry, kept apart from inner nodes by its first byte."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; without leaves the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        # An odd last node goes up as it is: the same tree as RFC 6962's split at powers of two.
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + odd
    return level[0]


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the neighbours of a leaf on its way to the root, lowest first."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} among {len(leaves)}")
    path = []
    level = list(leaves)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + odd
        index >>= 1
    return path


def root_of_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and its path lead to.

    Raises
    ------
    ValueError
        The path is too short or too long for this place in a tree of this size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} among {size}")
    rest = list(reversed(path))
    node, last = leaf, size - 1
    while last:
        if index ^ 1 <= last:
            if not rest:
                raise ValueError("the path is too short")
            other = rest.pop()
            node = node_hash(other, node) if index & 1 else node_hash(node, other)
        index >>= 1
        last >>= 1
    if rest:
        raise ValueError("the path is too long")
    return node
