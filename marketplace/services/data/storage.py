"""Files of the data market: uploads in quarantine, packages. Nothing here is ever in the clear.

What comes in is encrypted before it is written, in the form of packages (`gate.package`), under a
key that is made for it alone. Whoever opens it works on a copy that has no name and lives in
memory or, where it is not about people, in an unlinked file: the kernel frees it with the process.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from gate.keys import new_key, new_package_id
from gate.manifest import CHUNK_BYTES, TAG_BYTES
from gate.package import Packer, PartWriter, chunk_context, chunk_nonce
from marketplace.errors import N_, FileDamaged, UploadTooLarge

STRAY_AFTER_S: Final = 86_400
# What is about people is opened in memory alone, so there is an end to it.
IN_MEMORY_MAX_BYTES: Final = 512 * 2**20
SMALL_BYTES: Final = 64 * 2**20


@dataclass(frozen=True)
class Quarantined:
    """An upload that has come in whole: the name of its file, and the only key to it."""

    token: str
    byte_count: int
    key: bytes = field(repr=False)


class QuarantineWriter:
    """Takes an upload in, encrypting as it comes; memory is one chunk.

    Leave it by `finish` or `discard`. A process that dies leaves ciphertext whose key is gone.
    """

    def __init__(self) -> None:
        self._id, self._key = new_package_id(), new_key()
        self._path = quarantine_path(self._id.hex())
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: IO[bytes] = _open_new(self._path)
        self._packer = Packer(self._file, self._id, self._key)
        self._part: PartWriter = self._packer.add_part("upload", "application/octet-stream")
        self.byte_count = 0

    def write(self, data: Any) -> None:
        """Add what came; raises `UploadTooLarge` beyond what the hall takes."""
        self.byte_count += len(data)
        check_size(self.byte_count)
        check_room(len(data))
        self._part.write(data)

    def finish(self) -> Quarantined:
        """End the file and make it last."""
        self._part.close()
        self._packer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Quarantined(self._id.hex(), self.byte_count, self._key)

    def discard(self) -> None:
        """Throw file and key away."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def check_size(byte_count: int) -> None:
    """Refuse more bytes than the hall takes in; raises `UploadTooLarge`."""
    if byte_count > settings.DATA_UPLOAD_MAX_BYTES:
        raise UploadTooLarge(
            N_("At most {maximum} bytes are taken in."), maximum=settings.DATA_UPLOAD_MAX_BYTES
        )


def check_room(byte_count: int) -> None:
    """Refuse bytes that would fill the disk, which ledger and log may stand on too."""
    folder = os.statvfs(settings.DATA_FOLDER)
    if folder.f_bavail * folder.f_frsize - byte_count < settings.DATA_RESERVE_BYTES:
        raise UploadTooLarge(N_("The hall's disk is full: try again later, or tell the operator."))


def take_in(pieces: Iterable[bytes]) -> Quarantined:
    """Write a stream into quarantine; whatever goes wrong leaves nothing there."""
    writer = QuarantineWriter()
    try:
        for piece in pieces:
            writer.write(piece)
        return writer.finish()
    except BaseException:
        writer.discard()
        raise


@contextmanager
def working_copy(upload: Quarantined, *, is_about_people: bool) -> Iterator[Path]:
    """Decrypt an upload for the readers of its format, which ask for a path.

    The copy has no name in any folder. What is about people is kept in memory alone.

    Raises
    ------
    FileDamaged
        If the stored bytes are not those that came in.
    """
    # Before it is recognised it may be anything: what is small never touches a disk.
    in_memory = is_about_people or upload.byte_count <= SMALL_BYTES
    with nameless_copy(
        _decrypted(upload), byte_count=upload.byte_count, in_memory=in_memory
    ) as path:
        yield path


@contextmanager
def nameless_copy(
    pieces: Iterable[bytes | memoryview], *, byte_count: int, in_memory: bool = False
) -> Iterator[Path]:
    """Write clear bytes where only this process and its children find them."""
    with _nameless(byte_count, in_memory=in_memory) as (file, path):
        for piece in pieces:
            file.write(piece)
        file.flush()
        yield path


def _decrypted(upload: Quarantined) -> Iterator[memoryview]:
    identity, cipher = bytes.fromhex(upload.token), AESGCM(upload.key)
    chunks = max(1, -(-upload.byte_count // CHUNK_BYTES))
    buffer, left = bytearray(CHUNK_BYTES), upload.byte_count
    with quarantine_path(upload.token).open("rb") as source:
        for index in range(chunks):
            size = min(left, CHUNK_BYTES)
            sealed = source.read(size + TAG_BYTES)
            context = chunk_context(identity, index, is_last=index == chunks - 1)
            try:
                cipher.decrypt_into(chunk_nonce(index), sealed, context, memoryview(buffer)[:size])
            except (InvalidTag, ValueError) as error:
                raise FileDamaged(
                    N_("The upload was damaged in the hall: send it again.")
                ) from error
            yield memoryview(buffer)[:size]
            left -= size


@contextmanager
def _nameless(byte_count: int, *, in_memory: bool) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a file that no folder knows, with a path that `gate.bounded` hands on to its child."""
    if in_memory and byte_count > IN_MEMORY_MAX_BYTES:
        raise UploadTooLarge(
            N_("Trips of more than {maximum} bytes: send them compressed, or gate them at home."),
            maximum=IN_MEMORY_MAX_BYTES,
        )
    if in_memory and hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("heliopolis", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "w+b") as file:
            yield file, Path(f"/proc/self/fd/{descriptor}")
        return
    folder: Path = settings.DATA_FOLDER / "work"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if Path("/proc/self/fd").is_dir():
        with tempfile.TemporaryFile(dir=folder) as unnamed:
            yield unnamed, Path(f"/proc/self/fd/{unnamed.fileno()}")
        return
    # macOS can open nothing by its descriptor alone: here the copy has a name while it is in use.
    with tempfile.NamedTemporaryFile(dir=folder) as named:
        yield named, Path(named.name)


@contextmanager
def held_bytes(body: bytes) -> Iterator[Path]:
    """Hold bytes for the readers of their format, which ask for a path, in memory alone."""
    with _nameless(len(body), in_memory=True) as (file, path):
        file.write(body)
        file.flush()
        file.seek(0)
        yield path


def quarantine_path(token: str) -> Path:
    """Return where an upload stands."""
    folder: Path = settings.DATA_FOLDER
    return folder / "quarantine" / token


def package_path(package: str) -> Path:
    """Return where the ciphertext of a package stands, by the package's id in hex."""
    folder: Path = settings.DATA_FOLDER
    return folder / "packages" / package / "package"


@contextmanager
def new_package(package: str) -> Iterator[IO[bytes]]:
    """Write a package's file aside; it gets its name, to last, once all of it is there."""
    target = package_path(package)
    aside = target.parent.with_name(f"{package}.part")
    aside.mkdir(parents=True, mode=0o700)
    with _open_new(aside / target.name) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    _sync(aside)
    aside.rename(target.parent)
    _sync(target.parent.parent)


def rows_path(package: str) -> Path:
    """Return where the rows that questions are answered from stand, beside their package."""
    return package_path(package).with_name("rows")


def new_rows(package: str) -> IO[bytes]:
    """Open the rows' file beside a package that is being written, by `new_package`."""
    folder = package_path(package).parent
    return _open_new(folder.with_name(f"{package}.part") / rows_path(package).name)


def keep_home_package(token: str, package: str) -> None:
    """Move a package that came gated at home to its place; twice is once."""
    target, source = package_path(package), quarantine_path(token)
    if not source.exists() and target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source.rename(target)
    _sync(target.parent)
    _sync(target.parent.parent)


def discard_package(package: str) -> None:
    """Throw a package away that never became a version's."""
    if package:
        folder = package_path(package).parent
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.with_name(f"{package}.part"), ignore_errors=True)


def destroy_upload(token: str) -> None:
    """Remove an upload's file; its key is destroyed with the row that has it."""
    quarantine_path(token).unlink(missing_ok=True)


def sweep_strays(*, known: frozenset[str]) -> int:
    """Remove uploads of which no row tells, left by processes that died; return how many."""
    folder: Path = settings.DATA_FOLDER / "quarantine"
    removed = 0
    before = time.time() - STRAY_AFTER_S
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in known and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _open_new(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_token() -> str:
    """Return the name of an upload that comes in pieces."""
    return secrets.token_hex(32)
