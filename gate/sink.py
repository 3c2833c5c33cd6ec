"""Where the gate's parts go."""

from __future__ import annotations

import io
from typing import IO, Protocol


class Sink(Protocol):
    """Something that takes parts one after the other; `gate.package.Packer` is one."""

    def add_part(self, name: str, media_type: str) -> IO[bytes] | io.RawIOBase:
        """Return what the part's bytes are written into; closing it ends the part."""
        ...
