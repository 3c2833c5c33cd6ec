"""Files that must be there after a power cut: written aside, synced, given their name."""

import os
import secrets
from pathlib import Path

from client.errors import ClientError


def keep(path: Path, content: bytes, *, is_secret: bool = False) -> None:
    """Write a file that is there whole, on the disk, when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    mode = 0o600 if is_secret else 0o644
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_secret(path: Path, what: str) -> bytes:
    """Return a file that nobody else may read.

    Raises
    ------
    ClientError
        If it cannot be read, or others can read it too.
    """
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ClientError(f"{what} {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ClientError(f"others can read {what}: chmod 600 {path}")
    return content
