"""Rows of a document: a salted Merkle tree of which each party may see its own leaf.

Format: docs/ledger.md, "Rows of a document".
"""

from collections.abc import Sequence
from hashlib import sha256

from ledger.domain.merkle import Frontier, leaf_hash


def row_salt(seed: bytes, index: int) -> bytes:
    """Return the 32-byte salt of a row."""
    return sha256(seed + index.to_bytes(8, "big")).digest()


def row_leaves(rows: Sequence[bytes], seed: bytes) -> list[bytes]:
    """Return the leaf hashes of the tree: of each row's salted commitment."""
    return [
        sha256(
            b"\0" + sha256(sha256(seed + index.to_bytes(8, "big")).digest() + row).digest()
        ).digest()
        for index, row in enumerate(rows)
    ]


def rows_root(rows: Sequence[bytes], seed: bytes) -> bytes:
    """Return the root of the rows' salted tree.

    Parameters
    ----------
    rows : sequence of bytes
        Canonical JSON, in order.
    seed : bytes
        32 random bytes of this document alone.
    """
    return Frontier.empty().extended(row_leaves(rows, seed)).root()


def committed_leaf(row: bytes, salt: bytes) -> bytes:
    """Return the leaf hash of one row, for who knows its salt."""
    return leaf_hash(sha256(salt + row).digest())
