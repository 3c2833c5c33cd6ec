"""The files of the clear command: read with faults told by line, written whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from marketplace.domain.book_file import BookInvalid
from marketplace.domain.zones.network import NetworkInvalid


class ClearFailed(Exception):
    """A book that cannot be cleared or a file that cannot be used, told in one line."""


@contextmanager
def reading(path: str, invalid: type[BookInvalid] | type[NetworkInvalid]) -> Iterator[BinaryIO]:
    """Open a file to read; what is wrong with it or in it comes out as ``ClearFailed``."""
    try:
        with open(path, "rb") as file:
            yield file
    except invalid as error:
        raise ClearFailed(f"{path}:{error.line}: {error}") from error
    except OSError as error:
        raise ClearFailed(f"{path}: {error.strerror}; name a file that can be read") from error


def check_is_not(out: str, path: str, name: str) -> None:
    """Refuse to write over a file that is read."""
    if os.path.exists(out) and os.path.samefile(path, out):
        raise ClearFailed(f"{out}: is {name} itself; name another file for the trades")


@contextmanager
def replacing(path: str) -> Iterator[TextIO]:
    """Open a file that takes the place of ``path`` once it is complete, and not before."""
    try:
        with _replacing(path) as file:
            yield file
    except OSError as error:
        raise ClearFailed(f"{path}: {error.strerror}; name a file that can be written") from error


@contextmanager
def _replacing(path: str) -> Iterator[TextIO]:
    if os.path.exists(path) and not os.path.isfile(path):
        # A pipe or a device is written to; renaming over it would remove it.
        with open(path, "w", encoding="utf-8") as file:
            yield file
        return
    target = os.path.realpath(path)
    partial = f"{target}.{os.getpid()}.partial"
    try:
        with open(partial, "x", encoding="utf-8") as file:
            yield file
        if os.path.exists(target):
            os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def micro_text(nano: int) -> str:
    """Write nano-units as micro-units, all decimals that are not zero and no others."""
    sign = "-" if nano < 0 else ""
    micro, thousandths = divmod(abs(nano), 1_000)
    return f"{sign}{micro}.{thousandths:03d}".rstrip("0").rstrip(".")
