"""A file of readings as a stream of bytes: plain, gzip or a ZIP of one file; never all of it."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from marketplace.domain.readings.columns import ReadingsInvalid

GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
EMPTY_ZIP_MAGIC: Final = b"PK\x05\x06"
SIZE_MAX_BYTES: Final = 2 * 1024**3
LINE_MAX_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read from its beginning as often as needed; ``name`` is for errors."""

    path: Path
    name: str

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file for reading, unpacked where it is packed.

        Raises
        ------
        ReadingsInvalid
            If it cannot be read or unpacked, also while it is being read.
        """
        try:
            with self.path.open("rb") as file:
                magic = file.read(4)
                file.seek(0)
                if magic.startswith(GZIP_MAGIC):
                    with gzip.GzipFile(fileobj=file) as unpacked:
                        yield _bounded(unpacked, self.name)
                elif magic in (ZIP_MAGIC, EMPTY_ZIP_MAGIC):
                    with zipfile.ZipFile(file) as archive, archive.open(self._only(archive)) as one:
                        yield _bounded(one, self.name)
                else:
                    yield file
        except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ReadingsInvalid(
                self.name, 0, f"cannot be unpacked: {error}", "send the file again"
            ) from error
        except RuntimeError as error:  # what zipfile says of passwords and of unknown packing
            raise ReadingsInvalid(
                self.name, 0, f"cannot be unpacked: {error}", "send it without a password"
            ) from error
        except OSError as error:
            raise ReadingsInvalid(
                self.name, 0, f"cannot be read: {error.strerror}", "check the name of the file"
            ) from error

    def head(self) -> bytes:
        """Return the first bytes, enough to recognise a format by."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that hold anything, with their numbers from 1.

        Raises
        ------
        ReadingsInvalid
            If a line is far too long for one, or holds a NUL byte.
        """
        with self.open() as file:
            number = 0
            while raw := file.readline(LINE_MAX_BYTES + 1):
                number += 1
                if len(raw) > LINE_MAX_BYTES:
                    raise ReadingsInvalid(
                        self.name,
                        number,
                        f"the line is longer than {LINE_MAX_BYTES} bytes",
                        "check that the file has line ends",
                    )
                if b"\x00" in raw:
                    raise ReadingsInvalid(
                        self.name,
                        number,
                        "holds a NUL byte, so the file is not text",
                        "export the readings as text",
                    )
                raw = raw.rstrip(b"\r\n")
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                if raw.strip():
                    yield number, raw

    def _only(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        files = [each for each in archive.infolist() if not each.is_dir()]
        if len(files) != 1:
            raise ReadingsInvalid(
                self.name,
                0,
                f"the ZIP holds {len(files)} files, not one",
                "unpack it and send each file by itself",
            )
        return files[0]


def _bounded(unpacked: gzip.GzipFile | IO[bytes], name: str) -> io.BufferedReader:
    return io.BufferedReader(_Bounded(unpacked, name))


class _Bounded(io.RawIOBase):
    """Stops a small file from unpacking into an endless one."""

    def __init__(self, unpacked: gzip.GzipFile | IO[bytes], name: str) -> None:
        self._unpacked = unpacked
        self._name = name
        self._left = SIZE_MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # typeshed has no name for a buffer
        piece = self._unpacked.read(len(view))
        self._left -= len(piece)
        if self._left < 0:
            raise ReadingsInvalid(
                self._name,
                0,
                f"unpacks into more than {SIZE_MAX_BYTES} bytes",
                "split it by meter or by month",
            )
        view[: len(piece)] = piece
        return len(piece)
