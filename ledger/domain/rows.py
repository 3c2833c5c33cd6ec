"""Rows of a document: a salted Merkle tree of which each party may see its own leaf.

Format: docs/ledger.md, "Rows of a document".
"""

from collections.abc import Sequence
from hashlib import sha256

from ledger.domain.merkle import Frontier, inclusion_proof, leaf_hash, pair_hashes, root_of


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


class RowTree:
    """The salted tree of a document's rows, with the hashes of all its perfect subtrees.

    Parameters
    ----------
    leaves : list of bytes
        As from `row_leaves`; at least one.
    """

    def __init__(self, leaves: list[bytes]) -> None:
        self._levels = [leaves]
        while len(below := self._levels[-1]) > 1:
            self._levels.append(pair_hashes(below))

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """The root that the document names."""
        return root_of(self.size, self)

    def path(self, index: int) -> list[bytes]:
        """Return the way from a row's leaf up to the root."""
        return inclusion_proof(index, self.size, self)

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree. See `merkle.HashReader`."""
        return self._levels[level][index]


def committed_leaf(row: bytes, salt: bytes) -> bytes:
    """Return the leaf hash of one row, for who knows its salt."""
    return leaf_hash(sha256(salt + row).digest())
