"""Identity keys: what joins a person to their accounts, kept beside the database and destroyable.

A subject (somebody who signs in, or a participant) has a key of 32 random bytes in a slot of one
file. The database names the slot, and holds what joins subjects only sealed under the key or as a
keyed tag. Destroying a key overwrites its slot in place: from then on neither the database nor any
older copy of it can be joined again. There is no cache, so that every process notices at once.
"""

import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from marketplace.errors import IdentityKeysDamaged, SealBroken

KEY_BYTES: Final = 32
# A slot is a key and its checksum: 64 bytes at a multiple of 64 lie in one sector of a disk.
SLOT_BYTES: Final = 64
HEADER: Final = b"heliopolis identity keys 1\n".ljust(SLOT_BYTES, b"\0")
NONCE_BYTES: Final = 12
# Texts are padded to a multiple of this, so that a sealed name does not tell its length.
PADDING: Final = 64
_EMPTY: Final = bytes(SLOT_BYTES)


@dataclass(frozen=True)
class IdentityKey:
    """One subject's key. Everything is bound to a purpose, and no two purposes open each other."""

    secret: bytes = field(repr=False)

    def tag(self, purpose: str, value: str = "") -> bytes:
        """Return 32 bytes that only this key makes of a value, the same ones every time."""
        return hmac.digest(self._derived(b"tag"), f"{purpose}\0{value}".encode(), "sha256")

    def seal(self, content: bytes, *, purpose: str) -> bytes:
        """Return the content under AES-256-GCM, with its nonce before it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._derived(b"seal")).encrypt(nonce, content, purpose.encode())

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return what was sealed.

        Raises
        ------
        SealBroken
            If it was sealed under another key or for another purpose, or was changed since.
        """
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(self._derived(b"seal")).decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("what was sealed for {purpose} does not open", purpose=purpose) from (
                error
            )

    def seal_text(self, text: str, *, purpose: str) -> bytes:
        """Return a text without NUL characters sealed; its length shows only roughly."""
        content = text.encode()
        padded = content.ljust(-(-max(len(content), 1) // PADDING) * PADDING, b"\0")
        return self.seal(padded, purpose=purpose)

    def unseal_text(self, sealed: bytes, *, purpose: str) -> str:
        """Return a sealed text; see `unseal`."""
        return self.unseal(sealed, purpose=purpose).rstrip(b"\0").decode()

    def _derived(self, use: bytes) -> bytes:
        return hmac.digest(self.secret, b"heliopolis identity " + use, "sha256")


class IdentityKeys:
    """The file of identity keys in a folder that only its owner can enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "keys"

    def create(self, count: int, *, beyond: int) -> list[int]:
        """Make keys in new slots, on disk before this returns; return the slots' numbers.

        Parameters
        ----------
        count : int
            How many.
        beyond : int
            The highest slot that is known to be in use; 0 if none is. A file that lost its end
            thus never gives a slot to a second subject.
        """
        if not count:
            return []
        with self._open_locked() as file:
            whole = os.fstat(file).st_size // SLOT_BYTES
            # What a crash left of a slot at the end was never handed out.
            os.ftruncate(file, whole * SLOT_BYTES)
            first = max(whole, beyond + 1)
            slots = list(range(first, first + count))
            records = b"".join(_record(slot, os.urandom(KEY_BYTES)) for slot in slots)
            _write(file, records, first * SLOT_BYTES)
            os.fsync(file)
        return slots

    def destroy(self, slots: Iterable[int]) -> None:
        """Overwrite keys where they lie; on disk before this returns. Safe to repeat."""
        with self._open_locked() as file:
            end = os.fstat(file).st_size // SLOT_BYTES
            for slot in slots:
                if 0 < slot < end:
                    _write(file, _EMPTY, slot * SLOT_BYTES)
            os.fsync(file)

    def get(self, slots: Iterable[int]) -> dict[int, IdentityKey]:
        """Return the keys by slot; a destroyed one is not among them.

        Raises
        ------
        IdentityKeysDamaged
            If a slot is neither a key nor destroyed, or the file does not reach that far: then it
            is not the file that belongs to this database.
        """
        wanted = sorted(set(slots))
        if not wanted:
            return {}
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._damaged(wanted[0]) from None
        found = {}
        try:
            for slot in wanted:
                record = os.pread(file, SLOT_BYTES, slot * SLOT_BYTES)
                if record == _EMPTY:
                    continue
                key = record[:KEY_BYTES]
                if slot < 1 or record != _record(slot, key):
                    raise self._damaged(slot)
                found[slot] = IdentityKey(key)
        finally:
            os.close(file)
        return found

    def _damaged(self, slot: int) -> IdentityKeysDamaged:
        return IdentityKeysDamaged(
            "{path} holds no identity key {slot}; use the folder that belongs to this database",
            path=self._path,
            slot=slot,
        )

    @contextmanager
    def _open_locked(self) -> Iterator[int]:
        """Open the file for writing, alone; it is made when it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_size < SLOT_BYTES:
                _write(file, HEADER, 0)
                os.fsync(file)
                _sync_folder(self.folder)
                _sync_folder(self.folder.parent)
            yield file
        finally:
            os.close(file)


def _record(slot: int, key: bytes) -> bytes:
    return key + hashlib.sha256(b"heliopolis identity key %d\0" % slot + key).digest()


def _write(file: int, content: bytes, offset: int) -> None:
    while content:
        done = os.pwrite(file, content, offset)
        content, offset = content[done:], offset + done


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
