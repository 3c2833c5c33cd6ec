"""The ciphertext of a delivery: fetched in ranges, every chunk compared before it is kept."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from client.errors import NotVerified, Unreachable
from client.hall import Hall
from gate.manifest import TAG_BYTES, PackageManifest

# How often a broken line is tried again before the command gives up; what came is kept anyway.
TRIES: Final = 5
_READ_BYTES: Final = 256 * 1024

Tell = Callable[[int, int], None]


def fetch_package(
    hall: Hall, delivery_id: int, package: PackageManifest, path: Path, *, tell: Tell
) -> None:
    """Have all of a package's bytes in a file, whatever of it was there before.

    Raises
    ------
    Unreachable
        If the line broke too often; again goes on from there.
    NotVerified
        If the hall serves other bytes than its manifest says.
    """
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        tries = 0
        while (first := first_missing(file, package)) is not None:
            before = first
            try:
                with _opened(hall, delivery_id, package, first) as response:
                    _take(response, package, file, first, tell)
            except Unreachable:
                tries = 0 if (first_missing(file, package) or 0) > before else tries + 1
                if tries >= TRIES:
                    raise
        file.flush()
        os.fsync(file.fileno())


def first_missing(file: IO[bytes], package: PackageManifest) -> int | None:
    """Return the first chunk that is not in the file as the manifest says; None: all are.

    The chunks are hashed from the disk: after a crash nothing else is known of them.
    """
    file.seek(0)
    for index, chunk in enumerate(package.chunks):
        sealed = file.read(chunk.byte_count + TAG_BYTES)
        if hashlib.sha256(sealed).hexdigest() != chunk.cipher_sha256:
            return index
    file.truncate(package.cipher_byte_count)
    return None


@contextmanager
def _opened(
    hall: Hall, delivery_id: int, package: PackageManifest, first: int
) -> Iterator[IO[bytes]]:
    """Ask for the package from a chunk on."""
    offset = list(package.offsets())[first]
    headers = {"Range": f"bytes={offset}-", "If-Range": f'"{package.root}"'}
    path = f"/api/v1/data/deliveries/{delivery_id}/package"
    with hall.open("GET", path, headers=headers) as response:
        if response.status != 206 or response.headers.get("ETag") != f'"{package.root}"':
            raise NotVerified("the hall serves another package than the contract names")
        yield response


def _take(
    response: IO[bytes], package: PackageManifest, file: IO[bytes], first: int, tell: Tell
) -> None:
    """Write chunk after chunk, each only if it is the one of the manifest."""
    file.seek(list(package.offsets())[first])
    file.truncate()
    for index in range(first, len(package.chunks)):
        chunk = package.chunks[index]
        sealed = _read(response, chunk.byte_count + TAG_BYTES)
        if hashlib.sha256(sealed).hexdigest() != chunk.cipher_sha256:
            raise NotVerified(
                f"chunk {index} is not the one of the manifest: nothing is signed or paid;"
                " tell the hall and try again"
            )
        file.write(sealed)
        file.flush()
        tell(file.tell(), package.cipher_byte_count)


def _read(response: IO[bytes], count: int) -> bytes:
    pieces, left = [], count
    while left:
        piece = response.read(min(_READ_BYTES, left))
        if not piece:
            raise Unreachable("the line broke while the package came")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
