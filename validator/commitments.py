"""Salted commitments: what a leaf says of an opening to those who have its salt, and to no other.

References
----------
docs/ledger.md, "Commitments" and "Rows of a document".
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from hashlib import sha256

from validator.merkle import CompactRange, leaf_hash


def salt_of(seed: bytes, index: int) -> bytes:
    """Return the salt of the leaf (or row) with this index, from a block's (or table's) seed."""
    return sha256(seed + index.to_bytes(8)).digest()


def commitment(salt: bytes, opening: bytes) -> bytes:
    """Return the commitment to an opening as a leaf writes it, in base64."""
    return b2a_base64(sha256(salt + opening).digest(), newline=False)


def field_commitment(salt: bytes, name: str, text: str) -> bytes:
    """Return the commitment to one field of a document as its leaf writes it, in base64."""
    return commitment(sha256(salt + name.encode()).digest(), text.encode())


def rows_root(rows: Iterable[bytes], seed: bytes) -> bytes:
    """Return the root of the tree over a table's salted rows, in base64."""
    hashes = (
        leaf_hash(sha256(salt_of(seed, index) + row).digest()) for index, row in enumerate(rows)
    )
    return b2a_base64(CompactRange().extended(hashes).root(), newline=False)
