"""Tables as a stream of record batches: CSV (also gzip) and Parquet, memory flat, nothing believed.

Only for a child process (`gate.bounded`), or for bytes that were written by the gate itself: the
Parquet reader can abort on a hostile file. All cells of a CSV come as text; what a number or a
time is, `gate.formats.values` decides, so that one bad cell is one finding and no crash.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from gate import parquet
from gate.errors import Refused, gettext_noop
from gate.limits import MIB, Limits
from gate.recognise import DELIMITERS
from gate.refusals import BROKEN

# Several blocks are read ahead: memory goes with this, speed hardly.
BLOCK_BYTES = MIB
QUOTE = "csv-quote"


@dataclass
class Table:
    """A table that is read once, piece by piece.

    Attributes
    ----------
    names
        Of the columns, in order, without doubles.
    is_text
        Every cell comes as text (CSV); else columns have the types of the file.
    rows
        Read so far. [1]
    ragged
        Rows with another number of cells than the header: how many, and the first few.
    """

    path: Path
    name: str
    names: list[str]
    is_text: bool
    limits: Limits
    delimiter: str = ""
    is_gzip: bool = False
    rows: int = 0
    ragged_count: int = 0
    ragged: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the pieces.

        Raises
        ------
        Refused
            Rows, bytes or a cell beyond the limits, or bytes that are no such table.
        """
        pieces = self._csv() if self.is_text else self._parquet()
        unpacked = 0
        for batch in pieces:
            unpacked += batch.nbytes
            self.rows += batch.num_rows
            if self.rows > self.limits.rows or unpacked > self.limits.unpacked_bytes:
                raise _too_much(self.name, self.limits)
            yield batch

    def check_rows(self) -> None:
        """Refuse a table that had none, once all of it was read."""
        if self.rows == 0:
            raise Refused(
                "no-rows",
                gettext_noop("the table has a header and no rows"),
                self.name,
                gettext_noop("Choose the right file; the export may have failed."),
            )

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        file = parquet.opened(self.path, name=self.name, limits=self.limits)
        yield from parquet.batches(file, name=self.name, limits=self.limits)

    def _csv(self) -> Iterator[pa.RecordBatch]:
        try:
            with _source(self.path, is_gzip=self.is_gzip) as source:
                reader = pcsv.open_csv(
                    source,
                    read_options=pcsv.ReadOptions(
                        block_size=BLOCK_BYTES,
                        use_threads=False,
                        column_names=self.names,
                        skip_rows=1,
                    ),
                    parse_options=pcsv.ParseOptions(
                        delimiter=self.delimiter, invalid_row_handler=self._note_ragged
                    ),
                    convert_options=pcsv.ConvertOptions(
                        column_types=dict.fromkeys(self.names, pa.string()),
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=True,
                        null_values=[""],
                    ),
                )
                for batch in reader:
                    self._check_text(batch)
                    yield batch
        except (pa.ArrowException, OSError) as e:
            # A header alone is an empty table, not a broken one.
            if "Empty CSV" in str(e) and self.rows == 0 and not self.is_gzip:
                return
            raise self._unreadable(str(e)) from e

    def _note_ragged(self, row: Any) -> str:
        self.ragged_count += 1
        if len(self.ragged) < self.limits.places and row.number is not None:
            self.ragged.append(f"row {row.number + 1}")
        return "skip"

    def _check_text(self, batch: pa.RecordBatch) -> None:
        """Refuse NUL characters and cells that are too long; both pass the reader silently."""
        for name, column in zip(self.names, batch.columns, strict=True):
            offsets, content = column.buffers()[1:]
            if content is None or len(column) == 0:
                continue
            ends = np.frombuffer(offsets, np.int32)[column.offset :][: len(column) + 1]
            cells = np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
            if len(cells) and cells.min() == 0:
                text, remedy = BROKEN["nul"]
                raise Refused("nul", text, f"{self._after()}, column {name}", remedy)
            longest = int(np.diff(ends).max())
            if longest > self.limits.cell_bytes:
                raise Refused(
                    "cell-too-long",
                    gettext_noop("a cell has {bytes} bytes; at most {limit} are taken"),
                    f"{self._after()}, column {name}",
                    gettext_noop("Close every quotation mark, or shorten the text."),
                    bytes=longest,
                    limit=self.limits.cell_bytes,
                )

    def _after(self) -> str:
        # The header is line 1.
        return f"{self.name}, after line {self.rows + 1}"

    def _unreadable(self, said: str) -> Refused:
        """Say what the reader says, in words of ours: its own may quote cells."""
        row = re.search(r"[Rr]ow #(\d+)", said)
        place = f"{self.name}, row {row[1]}" if row else self._after()
        if "UTF8" in said:
            text, remedy = BROKEN["encoding"]
            return Refused("encoding", text, place, remedy)
        if "straddling" in said or "cannot infer" in said or "Empty CSV" in said:
            return Refused(
                "one-line",
                gettext_noop("a line is longer than {limit} bytes, or a quotation mark stays open"),
                place,
                gettext_noop("Write one row a line, and close every quotation mark."),
                limit=BLOCK_BYTES,
            )
        if "sync" in said or "quote" in said:
            text, remedy = BROKEN[QUOTE]
            return Refused(QUOTE, text, place, remedy)
        if self.is_gzip and ("zlib" in said or "ompressed" in said):
            text, remedy = BROKEN["gzip-broken"]
            return Refused("gzip-broken", text, place, remedy)
        return Refused(
            "table-unreadable",
            gettext_noop("the table can't be read from here on"),
            place,
            gettext_noop("Look at this line, and export the table again."),
        )


def open_table(path: Path, *, name: str, limits: Limits) -> Table:
    """Open a table by its content; only the header is read.

    Raises
    ------
    Refused
        No table, or a header that no program could use: doubled or empty names, too many.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        file_ = parquet.opened(path, name=name, limits=limits)
        names = [str(one) for one in file_.schema_arrow.names]
        _check_names(names, name, limits)
        return Table(path, name, names, False, limits)
    is_gzip = magic[:2] == b"\x1f\x8b"
    header = _first_line(path, name, limits, is_gzip=is_gzip)
    delimiter = max(DELIMITERS, key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as e:
        text, remedy = BROKEN[QUOTE]
        raise Refused(QUOTE, text, f"{name}, line 1", remedy) from e
    names = [cell.strip() for cell in cells]
    _check_names(names, name, limits)
    return Table(path, name, names, True, limits, delimiter, is_gzip)


def _first_line(path: Path, name: str, limits: Limits, *, is_gzip: bool) -> str:
    with path.open("rb") as file:
        head = file.read(limits.line_bytes)
    if is_gzip:
        try:
            head = zlib.decompressobj(31).decompress(head, limits.line_bytes)
        except zlib.error as e:
            text, remedy = BROKEN["gzip-broken"]
            raise Refused("gzip-broken", text, name, remedy) from e
    problem = "empty" if not head else "utf16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    line, _, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if not problem and b"\0" in line:
        problem = "nul"
    if not problem and len(line) >= limits.line_bytes - 3:
        problem = "one-line"
    if problem:
        text, remedy = BROKEN[problem]
        raise Refused(problem, text, f"{name}, line 1", remedy)
    try:
        return line.rstrip(b"\r").decode("utf-8")
    except UnicodeDecodeError as e:
        text, remedy = BROKEN["encoding"]
        raise Refused("encoding", text, f"{name}, line 1", remedy) from e


def _check_names(names: list[str], name: str, limits: Limits) -> None:
    if len(names) > limits.columns:
        raise Refused(
            "too-many-columns",
            gettext_noop("{columns} columns; at most {limit} are taken"),
            f"{name}, line 1",
            gettext_noop("Leave out what nobody needs."),
            columns=len(names),
            limit=limits.columns,
        )
    doubled = sorted({one for one in names if names.count(one) > 1})
    if doubled and doubled != [""]:
        raise Refused(
            "column-twice",
            gettext_noop("the column {column} stands there twice"),
            f"{name}, line 1",
            gettext_noop("Give every column a name of its own."),
            column=next(one for one in doubled if one)[:80],
        )
    if not all(names):
        raise Refused(
            "column-nameless",
            gettext_noop("column {number} has no name"),
            f"{name}, line 1",
            gettext_noop("Give every column a name of its own."),
            number=names.index("") + 1,
        )


def _source(path: Path, *, is_gzip: bool) -> Any:
    # A file of Python's would be read by another thread after an error, and abort at exit.
    return pa.input_stream(str(path), compression="gzip" if is_gzip else None)


def _too_much(name: str, limits: Limits) -> Refused:
    return Refused(
        "too-large",
        gettext_noop("more than {rows} rows or {mib} MiB unpacked"),
        name,
        gettext_noop("Split it into smaller files, or ask the hall for a higher limit."),
        rows=limits.rows,
        mib=limits.unpacked_bytes // MIB,
    )


def text_rows(batch: pa.RecordBatch, count: int) -> tuple[tuple[str, ...], ...]:
    """Return the first rows as text, for the sample of data that isn't about people."""
    columns = [column.slice(0, count).to_pylist() for column in batch.columns]
    return tuple(
        tuple("" if cell is None else str(cell)[:200] for cell in row)
        for row in zip(*columns, strict=True)
    )
