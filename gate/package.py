"""Packages: files cut into chunks, each encrypted alone, written and read as streams.

Chunk ``i`` is AES-256-GCM with nonce ``i`` and with the package's id, its number and whether it is
the last one as associated data, so no chunk can be moved, left out at the end or taken from
another package. Buffers are kept: encryption into a buffer that is warm is several times faster.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gate.keys import KEY_BYTES
from gate.manifest import (
    CHUNK_BYTES,
    PACKAGE_ID_BYTES,
    TAG_BYTES,
    Chunk,
    PackageBroken,
    PackageManifest,
    Part,
)

_CONTEXT: Final = b"heliopolis/chunk/1\0"


def chunk_nonce(index: int) -> bytes:
    """Return the nonce of a chunk: 4 zero bytes and its number."""
    return struct.pack(">IQ", 0, index)


def chunk_context(package_id: bytes, index: int, *, is_last: bool) -> bytes:
    """Return the associated data of a chunk."""
    return _CONTEXT + package_id + struct.pack(">QB", index, is_last)


class PartWriter(io.RawIOBase):
    """What one part is written into; closing it ends the part."""

    def __init__(self, packer: Packer) -> None:
        self._packer = packer
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._position

    def write(self, data: Any) -> int:
        """Add bytes to the part."""
        if self.closed:
            raise ValueError("the part is closed")
        with memoryview(data) as view, view.cast("B") as plain:
            self._packer._take(plain)
            self._position += len(plain)
            return len(plain)

    def close(self) -> None:
        """End the part."""
        if not self.closed:
            self._packer._end_part()
        super().close()


class Packer:
    """Writes a package as a stream; memory is two chunks, whatever comes.

    Parameters
    ----------
    sink : binary file
        Where ciphertext goes; written from where it stands. Syncing it is the caller's.
    package_id, key : bytes
        Both fresh: `gate.keys.new_package_id`, `gate.keys.new_key`. Never go on with a key after
        a run that died.
    """

    def __init__(self, sink: IO[bytes], package_id: bytes, key: bytes) -> None:
        if len(package_id) != PACKAGE_ID_BYTES or len(key) != KEY_BYTES:
            raise ValueError("a package's id and key have 32 bytes each")
        self._sink = sink
        self._package_id = package_id
        self._cipher = AESGCM(key)
        self._plain = bytearray(CHUNK_BYTES)
        self._sealed = bytearray(CHUNK_BYTES + TAG_BYTES)
        self._filled = 0
        # A chunk waits here until it is known whether another one follows it.
        self._waits = False
        self._chunks: list[Chunk] = []
        self._parts: list[Part] = []
        self._open: PartWriter | None = None
        self._head = ("", "")
        self._hash = hashlib.sha256()
        self._byte_count = 0
        self._first_chunk = 0

    def add_part(self, name: str, media_type: str) -> PartWriter:
        """Start the next part; the one before must be closed."""
        if self._open is not None:
            raise ValueError("a part is still open")
        if any(part.name == name for part in self._parts):
            raise ValueError(f"the package has a part {name} already")
        if self._waits:
            self._flush(is_last=False)
        self._head = (name, media_type)
        self._hash = hashlib.sha256()
        self._byte_count = 0
        self._first_chunk = len(self._chunks)
        self._open = PartWriter(self)
        return self._open

    def add(self, name: str, media_type: str, data: bytes) -> None:
        """Add a part whose bytes are at hand."""
        with closing(self.add_part(name, media_type)) as part:
            part.write(data)

    def finish(self) -> PackageManifest:
        """Write the last chunk and return what the package holds."""
        if self._open is not None or not self._waits:
            raise ValueError("a package ends after its last part is closed")
        self._flush(is_last=True)
        return PackageManifest(self._package_id, tuple(self._parts), tuple(self._chunks))

    def _take(self, plain: memoryview) -> None:
        self._hash.update(plain)
        self._byte_count += len(plain)
        while len(plain):
            if self._filled == CHUNK_BYTES:
                self._flush(is_last=False)
            taken = min(len(plain), CHUNK_BYTES - self._filled)
            self._plain[self._filled : self._filled + taken] = plain[:taken]
            self._filled += taken
            plain = plain[taken:]

    def _end_part(self) -> None:
        self._waits = True
        self._open = None
        name, media_type = self._head
        self._parts.append(
            Part(
                name=name,
                media_type=media_type,
                byte_count=self._byte_count,
                sha256=self._hash.hexdigest(),
                chunk_count=len(self._chunks) + 1 - self._first_chunk,
            )
        )

    def _flush(self, *, is_last: bool) -> None:
        index = len(self._chunks)
        context = chunk_context(self._package_id, index, is_last=is_last)
        with memoryview(self._plain)[: self._filled] as plain:
            with memoryview(self._sealed)[: self._filled + TAG_BYTES] as sealed:
                self._cipher.encrypt_into(chunk_nonce(index), plain, context, sealed)
                self._sink.write(sealed)
                cipher_sha256 = hashlib.sha256(sealed).hexdigest()
            plain_sha256 = hashlib.sha256(plain).hexdigest()
        self._chunks.append(Chunk(self._filled, cipher_sha256, plain_sha256))
        self._filled = 0
        self._waits = False


def open_chunk(
    sealed: bytes,
    *,
    package: PackageManifest,
    index: int,
    key: bytes,
    into: bytearray | None = None,
) -> memoryview:
    """Decrypt one chunk and check it against the manifest; the result lives in ``into``.

    Raises
    ------
    PackageBroken
        ``chunk_changed``: not the ciphertext of the manifest. ``chunk_not_opened``: the key does
        not open it. ``chunk_other``: it opens to other bytes than the manifest says.
    """
    chunk = package.chunks[index]
    if hashlib.sha256(sealed).hexdigest() != chunk.cipher_sha256:
        raise PackageBroken("chunk_changed", f"chunk {index} is not the one of the manifest")
    into = bytearray(CHUNK_BYTES) if into is None else into
    plain = memoryview(into)[: len(sealed) - TAG_BYTES]
    context = chunk_context(package.package_id, index, is_last=index == len(package.chunks) - 1)
    try:
        AESGCM(key).decrypt_into(chunk_nonce(index), sealed, context, plain)
    except InvalidTag:
        raise PackageBroken("chunk_not_opened", f"the key does not open chunk {index}") from None
    if hashlib.sha256(plain).hexdigest() != chunk.plain_sha256:
        raise PackageBroken("chunk_other", f"chunk {index} holds other bytes than promised")
    return plain


def read_chunks(
    file: IO[bytes], package: PackageManifest, key: bytes, *, indexes: Iterable[int] | None = None
) -> Iterator[memoryview]:
    """Yield the clear bytes of chunks, each valid until the next is asked for."""
    wanted = set(range(len(package.chunks)) if indexes is None else indexes)
    buffer = bytearray(CHUNK_BYTES)
    for index, offset in enumerate(package.offsets()):
        if index in wanted:
            file.seek(offset)
            sealed = file.read(package.chunks[index].byte_count + TAG_BYTES)
            yield open_chunk(sealed, package=package, index=index, key=key, into=buffer)


def check_ciphertext(file: IO[bytes], package: PackageManifest) -> int | None:
    """Return the first chunk whose bytes are not those of the manifest, None when all are.

    What a buyer checks before the proof of reception, without a key; bytes that are missing are
    wrong bytes, and bytes after the last chunk make the last one wrong.
    """
    for index, offset in enumerate(package.offsets()):
        file.seek(offset)
        sealed = file.read(package.chunks[index].byte_count + TAG_BYTES)
        if hashlib.sha256(sealed).hexdigest() != package.chunks[index].cipher_sha256:
            return index
    return len(package.chunks) - 1 if file.read(1) else None


def verify_package(file: IO[bytes], package: PackageManifest, key: bytes) -> None:
    """Decrypt everything and compare every hash: of ciphertext, clear chunks and parts.

    Raises
    ------
    PackageBroken
        The first thing that is not what the manifest says.
    """
    _read_parts(file, package, key, out=None)
    if file.read(1):
        raise PackageBroken("chunk_changed", "bytes stand after the package's last chunk")


def open_package(file: IO[bytes], package: PackageManifest, key: bytes, folder: Path) -> list[Path]:
    """Write the parts into a folder; a part appears whole and verified, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    _read_parts(file, package, key, out=folder)
    return [folder / part.name for part in package.parts]


def read_part(file: IO[bytes], package: PackageManifest, key: bytes, name: str) -> bytes:
    """Return a small part whole, for dictionaries and reports."""
    chunks = read_chunks(file, package, key, indexes=package.chunk_range(name))
    return b"".join(bytes(plain) for plain in chunks)


def _read_parts(file: IO[bytes], package: PackageManifest, key: bytes, *, out: Path | None) -> None:
    plain_chunks = read_chunks(file, package, key)
    for part in package.parts:
        digest = hashlib.sha256()
        with _PartFile(out, part.name) as target:
            for plain in islice(plain_chunks, part.chunk_count):
                digest.update(plain)
                target.write(plain)
            if digest.hexdigest() != part.sha256:
                raise PackageBroken("part_other", f"part {part.name} is not what was promised")
            target.keep()


class _PartFile:
    """A file that gets its name only once it is complete; writes nothing without a folder."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._target = None if folder is None else folder / name
        self._file: Any = None

    def __enter__(self) -> _PartFile:
        if self._target is not None:
            self._file = tempfile.NamedTemporaryFile(dir=self._target.parent, delete=False)
        return self

    def write(self, plain: memoryview) -> None:
        if self._file is not None:
            self._file.write(plain)

    def keep(self) -> None:
        if self._file is not None and self._target is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._file.name, self._target)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            with suppress(FileNotFoundError):  # kept under its own name
                os.unlink(self._file.name)
