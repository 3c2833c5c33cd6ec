"""Files that may be packed with gzip: told by their first bytes, whatever their name."""

import errno
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

GZIP_MAGIC: Final = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path) -> Iterator[BufferedReader | gzip.GzipFile]:
    """Open a file as it is, or what it holds where it is packed; read in pieces either way.

    Raises
    ------
    OSError
        The file cannot be opened, or its packing is damaged.
    """
    with path.open("rb") as stored:
        if stored.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] != GZIP_MAGIC:
            yield stored
            return
        try:
            yield gzip.GzipFile(fileobj=stored, mode="rb")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OSError(errno.EIO, "its gzip packing is damaged, send it again") from error
