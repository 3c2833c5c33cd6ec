"""Rows of a large file, sorted into buckets on disk: encrypted under a key that is only in memory.

What is spilled is as fine as the raw data. The file has no name from its first byte on, and its
key dies with the process, so nothing that can be read survives, whatever kills it.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Int64Array = npt.NDArray[np.int64]
# Values that wait in memory over all buckets before the fullest are written. [8 bytes each]
WAITING_MAX: Final = 1 << 18


class Spill:
    """Rows of ``width`` int64 values each, by bucket.

    Parameters
    ----------
    bucket_count : int
        How many parts the rows are read back in; a power of two, at most 2**15.
    width : int
        Values in a row.
    """

    def __init__(self, *, bucket_count: int, width: int) -> None:
        self.bucket_count = bucket_count
        self._width = width
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by __exit__
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._written = 0
        self._offset = 0
        self._blocks: list[list[tuple[int, int, int]]] = [[] for _ in range(bucket_count)]
        self._waiting: list[list[Int64Array]] = [[] for _ in range(bucket_count)]
        self._waiting_values = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, bucket: npt.NDArray[np.int16], rows: Int64Array) -> None:
        """Put rows into their buckets.

        Parameters
        ----------
        bucket : ndarray of int16, shape (n,)
        rows : ndarray of int64, shape (n, width)
        """
        order = np.argsort(bucket, kind="stable")  # of 16 bits: a radix sort
        rows = rows[order]
        cuts = np.searchsorted(bucket[order], np.arange(self.bucket_count + 1)).tolist()
        for number in range(self.bucket_count):
            if cuts[number] < cuts[number + 1]:
                # A copy, so that one small piece does not keep the whole batch in memory.
                self._waiting[number].append(rows[cuts[number] : cuts[number + 1]].copy())
        self._waiting_values += rows.size
        if self._waiting_values >= WAITING_MAX:
            self._flush()

    def buckets(self) -> Iterator[Int64Array]:
        """Yield the rows of each bucket, in an order that says nothing of where they came from."""
        for number in range(self.bucket_count):
            parts = []
            for counter, offset, length in self._blocks[number]:
                self._file.seek(offset)
                plain = self._cipher.decrypt(
                    struct.pack(">IQ", 0, counter), self._file.read(length), None
                )
                parts.append(np.frombuffer(plain, np.int64).reshape(-1, self._width))
            parts += self._waiting[number]
            yield np.concatenate(parts) if parts else np.empty((0, self._width), np.int64)

    def _flush(self) -> None:
        for number, waiting in enumerate(self._waiting):
            if waiting:
                plain = np.concatenate(waiting).tobytes()
                sealed = self._cipher.encrypt(struct.pack(">IQ", 0, self._written), plain, None)
                self._file.write(sealed)
                self._blocks[number].append((self._written, self._offset, len(sealed)))
                self._written += 1
                self._offset += len(sealed)
                waiting.clear()
        self._waiting_values = 0


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit values (splitmix64's finaliser), so that any of their bits can choose."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def buckets_of(mixed_values: npt.NDArray[np.uint64], bucket_count: int) -> npt.NDArray[np.int16]:
    """Return a bucket by the topmost bits."""
    bits = bucket_count.bit_length() - 1
    if bits == 0:
        return np.zeros(len(mixed_values), np.int16)
    return (mixed_values >> np.uint64(64 - bits)).astype(np.int16)
