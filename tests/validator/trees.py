"""RFC 6962, section 2.1, read aloud: slow, recursive, and the same words as the standard."""

from collections.abc import Sequence
from hashlib import sha256


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def consistency(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    if old_size in (0, len(leaves)):
        return []
    return _sub_proof(old_size, leaves, whole=True)


def _sub_proof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*_sub_proof(m, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*_sub_proof(m - k, leaves[k:], whole=False), tree_hash(leaves[:k])]


def split(size: int) -> int:
    """Return the largest power of two smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1
