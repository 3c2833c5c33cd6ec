"""The readings file: ``meter,start,minutes,import_wh,export_wh``, checked to the last cell.

A file is read in blocks. A block in the plain form is taken column by column; any block that is
not goes line by line through the exact reader, which also knows what to say. The quick way may
therefore give up for any reason, but must never accept what the exact way refuses.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import timedelta
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import IO, Final, Never

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.readings.cells import (
    DIGITS_MAX,
    END_EPOCH_S,
    ENERGY_MAX_WH,
    EPOCH,
    INTERVAL_MINUTES,
    CellInvalid,
    checked_name,
    checked_number,
    checked_start,
    quoted,
)
from marketplace.domain.readings.columns import (
    Int32Array,
    Int64Array,
    ReadingsFile,
    ReadingsInvalid,
)
from marketplace.domain.readings.packed_file import unpacked

__all__ = [
    "COLUMNS",
    "HEADER",
    "LINE_MAX_BYTES",
    "Int32Array",
    "Int64Array",
    "ReadingsFile",
    "ReadingsInvalid",
    "read_opened_readings",
    "read_readings",
]

ByteArray = NDArray[np.uint8]

COLUMNS: Final = ("meter", "start", "minutes", "import_wh", "export_wh")
HEADER: Final = ",".join(COLUMNS)
LINE_MAX_BYTES: Final = 64 * 1024
BLOCK_BYTES: Final = 1024 * 1024
SLOT_S: Final = 300  # every allowed start is a multiple of the shortest interval
SLOT_BITS: Final = (END_EPOCH_S // SLOT_S).bit_length()

COMMA, NEWLINE = ord(","), ord("\n")
ROW_SEPARATORS: Final = np.array([COMMA] * 4 + [NEWLINE], dtype=np.uint8)


def read_readings(path: Path) -> ReadingsFile:
    """Read and check a readings file.

    Parameters
    ----------
    path : Path
        UTF-8 text with the header ``meter,start,minutes,import_wh,export_wh``; ``start`` is ISO
        8601 with offset, energies are whole Wh. A byte order mark, CRLF, blank lines, a missing
        final line end, quoted cells and a file packed with gzip are fine.

    Returns
    -------
    ReadingsFile

    Raises
    ------
    ReadingsInvalid
        Names the first bad line; only when every line is good by itself, two rows that
        contradict each other.

    Notes
    -----
    Rows of one length that start on its grid either coincide or do not touch, so the checks of
    alignment, length and repetition together exclude overlap.
    """
    try:
        with unpacked(path) as file:
            return read_opened_readings(file, str(path))
    except OSError as error:
        raise ReadingsInvalid(
            str(path),
            0,
            f"cannot be read: {error.strerror}",
            "check the name of the file",
        ) from error


def read_opened_readings(file: IO[bytes] | BufferedReader | GzipFile, name: str) -> ReadingsFile:
    """Read and check a readings file that is open already; see `read_readings`."""
    reader = _Reader(name)
    for block, first_line in _blocks(iter(lambda: file.read(BLOCK_BYTES), b""), name):
        reader.take_block(block, first_line)
    return reader.result()


def _blocks(chunks: Iterable[bytes], file: str) -> Iterator[tuple[bytes, int]]:
    """Yield pieces of whole lines, each ended by a newline, with the number of their first line."""
    rest, line = b"", 1
    for chunk in chunks:
        data = rest + chunk
        if line == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")
        cut = data.rfind(b"\n") + 1
        if cut:
            yield data[:cut], line
            line += data.count(b"\n", 0, cut)
        rest = data[cut:]
        if len(rest) > LINE_MAX_BYTES:
            # The rest of such a line is never read, however long it is.
            what, remedy = _line_too_long(rest)
            raise ReadingsInvalid(file, line, what, remedy)
    if rest:
        yield rest + b"\n", line


def _line_too_long(line: bytes) -> tuple[str, str]:
    if b"\x00" in line:
        return (
            "holds a NUL byte, so the file is not text",
            "export the readings as CSV in UTF-8",
        )
    return (
        f"the line is longer than {LINE_MAX_BYTES} bytes",
        "check that the file has line ends and is a readings CSV",
    )


class _Reader:
    """Collects the checked rows of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.minutes = 0
        self.has_header = False
        self.names: dict[bytes, int] = {}
        self.starts: dict[bytes, int] = {}
        self.columns: list[tuple[Int32Array, Int64Array, Int64Array, Int64Array, Int32Array]] = []

    def take_block(self, block: bytes, first_line: int) -> None:
        if not self.has_header:
            header, _, block = block.partition(b"\n")
            self._take_header(header.removesuffix(b"\r"), first_line)
            first_line += 1
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if block and not self._take_columns(block, first_line):
            self._take_lines(block, first_line)

    def result(self) -> ReadingsFile:
        if not self.has_header:
            raise ReadingsInvalid(
                self.file, 1, "the file is empty", f"begin it with the header {HEADER}"
            )
        if not self.columns:
            raise ReadingsInvalid(
                self.file,
                1,
                "the file has no readings",
                "add one row per meter and interval",
            )
        index, start, import_wh, export_wh, lines = (
            np.concatenate(parts) for parts in zip(*self.columns, strict=True)
        )
        names = [name.decode("utf-8") for name in self.names]
        meters = sorted(names)
        rank = {name: position for position, name in enumerate(meters)}
        index = np.array([rank[name] for name in names], dtype=np.int32)[index]
        keep = self._first_of_each(
            meters=meters,
            index=index,
            start=start,
            import_wh=import_wh,
            export_wh=export_wh,
            lines=lines,
        )
        return ReadingsFile(
            meters=tuple(meters),
            meter_index=index[keep],
            start_epoch_s=start[keep],
            minutes=self.minutes,
            import_wh=import_wh[keep],
            export_wh=export_wh[keep],
            lines=lines[keep],
            repeated=len(lines) - len(lines[keep]),
        )

    def _refuse(self, line: int, what: str, remedy: str) -> Never:
        raise ReadingsInvalid(self.file, line, what, remedy)

    def _take_header(self, raw: bytes, line: int) -> None:
        cells = self._cells(raw, line)
        if tuple(cells) != COLUMNS:
            self._refuse(
                line,
                f"the header is {quoted(','.join(cells))}",
                f"make the first line {HEADER}",
            )
        self.has_header = True

    def _take_columns(self, block: bytes, first_line: int) -> bool:
        """Take a block of plain rows at once; False leaves it to the exact reader."""
        if b'"' in block:
            return False
        octets = np.frombuffer(block, dtype=np.uint8)
        separators = np.flatnonzero((octets == COMMA) | (octets == NEWLINE))
        if len(separators) % len(COLUMNS):
            return False
        ends = separators.reshape(-1, len(COLUMNS))
        if (octets[ends] != ROW_SEPARATORS).any():
            return False
        numbers = [_whole_numbers(octets, ends[:, k - 1] + 1, ends[:, k]) for k in (2, 3, 4)]
        minutes, import_wh, export_wh = numbers
        if minutes is None or import_wh is None or export_wh is None:
            return False
        if max(import_wh.max(), export_wh.max()) > ENERGY_MAX_WH:
            return False
        length = self.minutes or int(minutes[0])
        if length not in INTERVAL_MINUTES or (minutes != length).any():
            return False
        cells = block.replace(b"\n", b",").split(b",")
        cells.pop()  # what follows the last newline
        names, starts = cells[0::5], cells[1::5]
        try:
            for name in set(names).difference(self.names):
                self._add_name(name, checked_name(name.decode("utf-8")))
            for start in set(starts).difference(self.starts):
                self.starts[start] = checked_start(start.decode("ascii"), length)
        except (CellInvalid, UnicodeDecodeError):
            return False
        self.minutes = length
        rows = len(ends)
        self.columns.append(
            (
                np.fromiter(map(self.names.__getitem__, names), np.int32, rows),
                np.fromiter(map(self.starts.__getitem__, starts), np.int64, rows),
                import_wh,
                export_wh,
                np.arange(first_line, first_line + rows, dtype=np.int32),
            )
        )
        return True

    def _take_lines(self, block: bytes, first_line: int) -> None:
        """Take a block line by line, and refuse its first bad line."""
        rows = []
        for line, raw in enumerate(block.removesuffix(b"\n").split(b"\n"), start=first_line):
            if not raw:
                continue
            cells = self._cells(raw, line)
            if len(cells) != len(COLUMNS):
                self._refuse(
                    line,
                    f"the row has {len(cells)} cells, not 5",
                    f"write {HEADER} in each row",
                )
            try:
                rows.append((*self._checked_row(cells), line))
            except CellInvalid as problem:
                self._refuse(line, problem.what, problem.remedy)
        if rows:
            index, start, import_wh, export_wh, lines = np.array(rows, dtype=np.int64).T
            self.columns.append(
                (
                    index.astype(np.int32),
                    start,
                    import_wh,
                    export_wh,
                    lines.astype(np.int32),
                )
            )

    def _cells(self, raw: bytes, line: int) -> list[str]:
        if len(raw) > LINE_MAX_BYTES:
            self._refuse(line, *_line_too_long(raw))
        remedy = "export the readings as CSV in UTF-8"
        if b"\x00" in raw:
            self._refuse(line, "holds a NUL byte, so the file is not text", remedy)
        try:
            return next(csv.reader([raw.decode("utf-8")], strict=True), [])
        except UnicodeDecodeError:
            self._refuse(line, "is not UTF-8 text", remedy)
        except csv.Error as error:
            self._refuse(
                line,
                f"is not CSV: {error}",
                "quote cells the usual way, one row a line",
            )

    def _checked_row(self, cells: list[str]) -> tuple[int, int, int, int]:
        name = checked_name(cells[0])
        minutes = checked_number(cells[2], "minutes")
        if minutes not in INTERVAL_MINUTES:
            raise CellInvalid(f"minutes is {minutes}", "use intervals of 5, 15, 30 or 60 minutes")
        if self.minutes and minutes != self.minutes:
            raise CellInvalid(
                f"minutes is {minutes} where the rows before have {self.minutes}",
                "put each interval length in a file of its own",
            )
        key = cells[1].encode("utf-8")
        if key not in self.starts:
            self.starts[key] = checked_start(cells[1], minutes)
        import_wh = checked_number(cells[3], "import_wh")
        export_wh = checked_number(cells[4], "export_wh")
        self.minutes = minutes
        meter = self._add_name(name.encode("utf-8"), name)
        return meter, self.starts[key], import_wh, export_wh

    def _add_name(self, key: bytes, name: str) -> int:
        assert key.decode("utf-8") == name
        return self.names.setdefault(key, len(self.names))

    def _first_of_each(
        self,
        *,
        meters: list[str],
        index: Int32Array,
        start: Int64Array,
        import_wh: Int64Array,
        export_wh: Int64Array,
        lines: Int32Array,
    ) -> NDArray[np.bool_]:
        """Mark the first row of each meter and interval; refuse a later one that contradicts it."""
        keys = (index.astype(np.int64) << SLOT_BITS) | (start // SLOT_S)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        later = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        keep = np.ones(len(lines), dtype=np.bool_)
        keep[order[later]] = False
        rows, before = order[later], order[later - 1]
        differs = (import_wh[rows] != import_wh[before]) | (export_wh[rows] != export_wh[before])
        if differs.any():
            # The earliest contradiction: all rows of its group before it still agree.
            row = int(rows[differs].min())
            first = int(before[differs][rows[differs] == row][0])
            moment = EPOCH + timedelta(seconds=int(start[row]))
            self._refuse(
                int(lines[row]),
                f"meter {quoted(meters[index[row]])} at {moment.isoformat()} has other values "
                f"than on line {lines[first]}",
                "keep the one row that is right",
            )
        return keep


def _whole_numbers(octets: ByteArray, left: Int64Array, right: Int64Array) -> Int64Array | None:
    """Read cells ``octets[left:right]`` of a few digits each; None if one is anything else."""
    length = right - left
    if length.min() < 1 or length.max() > DIGITS_MAX:
        return None
    values = np.zeros(len(left), dtype=np.int64)
    for place in range(int(length.max())):
        position = right - 1 - place
        digits = octets[position] - np.uint8(ord("0"))  # wraps to above 9 for what sorts before "0"
        digits[position < left] = 0
        if (digits > 9).any():
            return None
        values += digits.astype(np.int64) * 10**place
    return values
