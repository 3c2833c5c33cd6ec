"""The rows of a stranger's table as a stream: CSV is read here, Parquet by a child process.

A mutilated Parquet file can abort the process that reads it. The child hands its batches over
through a pipe with a name, so nothing of them touches a disk.
"""

from __future__ import annotations

import os
import select
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from gate.bounded import bounded
from gate.errors import Refused, gettext_noop
from gate.formats.tables import Table, open_table
from gate.limits import Limits

POLL_MS: Final = 50
# The child waits for whoever reads the pipe: its patience is for both.
PATIENCE: Final = 10


@dataclass
class Rows:
    """A table that is read once.

    ``row_width_count`` is, once all was read, how many rows had another number of cells.
    """

    names: list[str]
    batches: Iterator[pa.RecordBatch]
    table: Table | None = None

    @property
    def row_width_count(self) -> int:
        return 0 if self.table is None else self.table.ragged_count


@contextmanager
def open_rows(path: Path, *, name: str, limits: Limits) -> Iterator[Rows]:
    """Open a table of either form.

    Raises
    ------
    Refused
        Here or while reading: as `gate.formats.tables` and `gate.bounded` say.
    """
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if not is_parquet:
        table = open_table(path, name=name, limits=limits)
        yield Rows(table.names, table.batches(), table)
        return
    with tempfile.TemporaryDirectory(prefix="gate-") as folder, ExitStack() as stack:
        pipe = Path(folder) / "rows"
        os.mkfifo(pipe, 0o600)
        child = _Child(path, pipe, name, limits)
        stack.callback(child.join)
        stream = stack.enter_context(child.stream())
        yield Rows(list(stream.schema.names), child.batches(stream))


class _Child:
    """The process that reads, and the end of the pipe that we hold."""

    def __init__(self, path: Path, pipe: Path, name: str, limits: Limits) -> None:
        self._name = name
        self._refused: Refused | None = None
        # Opened before there is a writer, which only works without waiting for one.
        self._end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        said = {"path": str(path.absolute()), "pipe": str(pipe), "name": name}
        self._thread = threading.Thread(
            target=self._run, args=(said, replace(limits, wall_s=limits.wall_s * PATIENCE))
        )
        self._thread.start()

    def _run(self, said: dict[str, str], limits: Limits) -> None:
        arguments = {**said, "limits": limits.as_json()}
        try:
            bounded("gate.rows:pour", arguments, limits=limits, place=self._name)
        except Refused as refused:
            self._refused = refused

    @contextmanager
    def stream(self) -> Iterator[pa.RecordBatchStreamReader]:
        """Open what comes through the pipe; leaving closes our end, on which the child dies."""
        with os.fdopen(self._end, "rb") as file:
            if not self._wait_for_bytes():
                raise self._refusal()
            os.set_blocking(self._end, True)
            try:
                stream = pa.ipc.open_stream(file)
            except (pa.ArrowException, OSError):
                raise self._refusal() from None
            with stream:
                yield stream

    def batches(self, stream: pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
        """Yield the pieces; an end that is none is the child's refusal."""
        try:
            yield from stream
        except (pa.ArrowException, OSError):
            raise self._refusal() from None
        self._thread.join()
        if self._refused is not None:
            raise self._refused

    def join(self) -> None:
        """Wait for the child's end."""
        self._thread.join()

    def _wait_for_bytes(self) -> bool:
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        while True:
            if any(event & select.POLLIN for _, event in poll.poll(POLL_MS)):
                return True
            if not self._thread.is_alive():
                return False

    def _refusal(self) -> Refused:
        self._thread.join()
        return self._refused or Refused(
            "parquet-damaged",
            gettext_noop("the Parquet file can't be read to its end"),
            self._name,
            gettext_noop("Write the file again with a current Parquet library; it is damaged."),
        )


def pour(*, path: str, pipe: str, name: str, limits: dict[str, int]) -> None:
    """Write a Parquet file's batches into a pipe; the child calls it."""
    table = open_table(Path(path), name=name, limits=Limits.from_json(limits))
    with open(pipe, "wb") as file:
        batches = table.batches()
        first = next(batches, None)
        # A table without rows has names all the same.
        empty = pa.schema([(each, pa.string()) for each in table.names])
        with pa.ipc.new_stream(file, empty if first is None else first.schema) as writer:
            if first is not None:
                writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)
