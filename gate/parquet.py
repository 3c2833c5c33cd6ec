"""A stranger's Parquet, read in pieces. Only for a child process: see `gate.bounded`.

A mutilated footer can abort the process from inside the library, and what the footer says of rows,
sizes and extremes may be a lie: rows are counted, values compared with what was promised, and
statistics never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gate.errors import Refused, gettext_noop
from gate.limits import MIB, Limits

FOOTER_BYTES = 16 * MIB
GROUP_ROWS = 5_000_000
GROUP_BYTES = 512 * MIB
GROUPS = 100_000
BATCH_ROWS = 65_536
# The others can unpack a few bytes to gigabytes, and no common writer uses them by default.
ENCODINGS = {
    "PLAIN",
    "RLE",
    "RLE_DICTIONARY",
    "PLAIN_DICTIONARY",
    "BIT_PACKED",
    "DELTA_BINARY_PACKED",
    "BYTE_STREAM_SPLIT",
}
READING: dict[str, Any] = {
    "pre_buffer": False,
    "buffer_size": MIB,
    "page_checksum_verification": True,
    "thrift_string_size_limit": FOOTER_BYTES,
    "thrift_container_size_limit": 1_000_000,
}
REMEDY = gettext_noop("Write the file again with a current Parquet library; it is damaged.")


def column_names(*, path: str) -> list[str]:
    """Return the names of the columns; for the child process of recognition."""
    _check_ends(Path(path), Path(path).name)
    try:
        return [str(name) for name in pq.read_schema(path).names]
    except (pa.ArrowException, OSError, ValueError) as e:
        raise _damaged(Path(path).name, str(e)) from e


def opened(path: Path, *, name: str, limits: Limits) -> pq.ParquetFile:
    """Open a file whose description of itself can be true.

    Raises
    ------
    Refused
        The footer is damaged, claims what can't be, or asks for too much.
    """
    _check_ends(path, name)
    try:
        described = pq.ParquetFile(path, **READING).metadata
    except (pa.ArrowException, OSError, ValueError) as e:
        raise _damaged(name, str(e)) from e
    if described.num_columns > limits.columns:
        raise Refused(
            "too-many-columns",
            gettext_noop("{columns} columns; at most {limit} are taken"),
            name,
            gettext_noop("Leave out what nobody needs."),
            columns=described.num_columns,
            limit=limits.columns,
        )
    total = 0
    if described.num_row_groups > GROUPS or not 0 <= described.num_rows <= limits.rows:
        raise _claims(name, "rows", described.num_rows)
    for number in range(described.num_row_groups):
        _check_group(described.row_group(number), f"{name}, row group {number}", path)
        total += described.row_group(number).num_rows
    if total != described.num_rows:
        raise Refused(
            "parquet-lies",
            gettext_noop("its footer promises {claimed} rows, its row groups {rows}"),
            name,
            REMEDY,
            claimed=described.num_rows,
            rows=total,
        )
    schema = described.schema
    texts = [
        schema.column(i).path
        for i in range(described.num_columns)
        if schema.column(i).physical_type == "BYTE_ARRAY"
    ]
    # A cell repeated a million times stays one cell in memory when its dictionary is kept.
    return pq.ParquetFile(path, read_dictionary=texts, **READING)


def batches(file: pq.ParquetFile, *, name: str, limits: Limits) -> Iterator[pa.RecordBatch]:
    """Yield pieces, each valid, as many rows as each row group promised."""
    for number in range(file.metadata.num_row_groups):
        place = f"{name}, row group {number}"
        rows = 0
        try:
            for batch in file.iter_batches(
                batch_size=BATCH_ROWS, row_groups=[number], use_threads=False
            ):
                _check_cells(batch, place, limits)
                rows += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError) as e:
            raise _damaged(place, str(e)) from e
        promised = file.metadata.row_group(number).num_rows
        if rows != promised:
            raise Refused(
                "parquet-lies",
                gettext_noop("{rows} rows, {claimed} promised"),
                place,
                REMEDY,
                rows=rows,
                claimed=promised,
            )


def _check_ends(path: Path, name: str) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(4)
        file.seek(max(0, size - 8))
        end = file.read(8)
    if begin != b"PAR1" or size < 12 or end[4:] != b"PAR1":
        raise _damaged(name, "no magic number at both ends")
    if int.from_bytes(end[:4], "little") > min(FOOTER_BYTES, size - 12):
        raise _damaged(name, "the footer is longer than the file or the limit")


def _check_group(group: Any, place: str, path: Path) -> None:
    if not 0 <= group.num_rows <= GROUP_ROWS:
        raise _claims(place, "rows", group.num_rows)
    unpacked = 0
    for number in range(group.num_columns):
        column = group.column(number)
        sizes = (column.num_values, column.total_compressed_size, column.total_uncompressed_size)
        if min(sizes) < 0 or column.total_compressed_size > path.stat().st_size:
            raise _claims(f"{place}, {column.path_in_schema}", "bytes", min(sizes))
        if column.num_values != group.num_rows:
            raise Refused(
                "parquet-nested",
                gettext_noop("{values} values in {rows} rows"),
                f"{place}, {column.path_in_schema}",
                gettext_noop("Write a flat table, one value a row; lists aren't taken."),
                values=column.num_values,
                rows=group.num_rows,
            )
        if foreign := set(column.encodings) - ENCODINGS:
            raise Refused(
                "parquet-encoding",
                gettext_noop("the encoding {encoding} isn't taken"),
                f"{place}, {column.path_in_schema}",
                gettext_noop("Write it with plain or dictionary encoding."),
                encoding=", ".join(sorted(map(str, foreign))),
            )
        unpacked += column.total_uncompressed_size
    if unpacked > GROUP_BYTES:
        raise _claims(place, "bytes", unpacked)


def _check_cells(batch: pa.RecordBatch, place: str, limits: Limits) -> None:
    batch.validate(full=True)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and len(column.dictionary):
            longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
            if longest > limits.cell_bytes:
                raise Refused(
                    "cell-too-long",
                    gettext_noop("a cell has {bytes} bytes; at most {limit} are taken"),
                    place,
                    gettext_noop("Shorten the text, or leave the column out."),
                    bytes=longest,
                    limit=limits.cell_bytes,
                )


def _claims(place: str, what: str, number: int) -> Refused:
    return Refused(
        "parquet-claims",
        gettext_noop("it claims {number} {what}, which can't be or is too much"),
        place,
        gettext_noop("Write smaller row groups, or split the file."),
        number=number,
        what=what,
    )


def _damaged(place: str, detail: str) -> Refused:
    # The library's words may quote cells: only how it begins is safe to show.
    said = detail.split(":", 1)[0].splitlines()[0][:120] if detail else ""
    return Refused(
        "parquet-damaged",
        gettext_noop("the Parquet file can't be read ({detail})"),
        place,
        REMEDY,
        detail=said,
    )
