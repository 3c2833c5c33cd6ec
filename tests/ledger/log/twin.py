"""The tree of RFC 6962 as its text defines it: recursive, slow, and nothing like our code."""

import hashlib
from collections.abc import Sequence


def root(entries: Sequence[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = _split(len(entries))
    return hashlib.sha256(b"\x01" + root(entries[:k]) + root(entries[k:])).digest()


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = _split(len(entries))
    if index < k:
        return [*path(index, entries[:k]), root(entries[k:])]
    return [*path(index - k, entries[k:]), root(entries[:k])]


def consistency(old_size: int, entries: Sequence[bytes]) -> list[bytes]:
    return [] if old_size == 0 else _subproof(old_size, entries, True)


def _subproof(m: int, entries: Sequence[bytes], is_whole: bool) -> list[bytes]:
    if m == len(entries):
        return [] if is_whole else [root(entries)]
    k = _split(len(entries))
    if m <= k:
        return [*_subproof(m, entries[:k], is_whole), root(entries[k:])]
    return [*_subproof(m - k, entries[k:], False), root(entries[:k])]


def _split(n: int) -> int:
    """Return the largest power of two smaller than ``n``."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
