"""Where tests let the gate write: a folder, or nowhere."""

import io
from pathlib import Path
from typing import IO, Any


class FolderSink:
    """Writes each part as a file, unencrypted: for those who look at what the gate let through."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add_part(self, name: str, media_type: str) -> IO[bytes]:
        """Return the part's file."""
        return (self._folder / name).open("wb")


class NoSink:
    """Takes everything and keeps nothing: for the figures of a policy that is being tried."""

    def add_part(self, name: str, media_type: str) -> io.RawIOBase:
        """Return what forgets."""
        return _Forgetting()


class _Forgetting(io.RawIOBase):
    def __init__(self) -> None:
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self._position += length
        return length
