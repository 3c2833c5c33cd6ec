"""The table that the gate publishes of trips: one row a cell, written as Parquet and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from gate.cascade import Cascade
from gate.policy import Policy
from gate.sink import Sink
from gate.spill import Int64Array
from gate.trip_rows import QUARTER_SECONDS, TripRows, unpacked

CSV_PART: Final = "flows.csv"
PARQUET_PART: Final = "flows.parquet"
OWN_COLUMNS: Final = ("period_start", "period", "area_level", "from_area", "to_area")
COUNT_COLUMN: Final = "trips"
GROUP_ROWS: Final = 131_072


def columns_of(policy: Policy) -> list[str]:
    """Return the names of the columns that a policy publishes, in order."""
    return [*OWN_COLUMNS, *policy.keep_columns, COUNT_COLUMN]


@dataclass(frozen=True)
class Flows:
    """All cells that are told, in the order they are published in.

    Attributes
    ----------
    level : ndarray of int64
        Index into the policy's levels.
    start_quarter, from_area, to_area : ndarray of int64
        Quarter of an hour since 1970 of the wall clock; numbers into ``areas[level]``.
    kept : tuple of list of str
        The values of each kept column.
    trips : ndarray of int64
    """

    policy: Policy
    areas: Sequence[Sequence[str]]
    level: Int64Array
    start_quarter: Int64Array
    from_area: Int64Array
    to_area: Int64Array
    kept: Sequence[Sequence[str]]
    trips: Int64Array

    @classmethod
    def of(
        cls, cascade: Cascade, rows: TripRows, level: Int64Array, key: Int64Array, trips: Int64Array
    ) -> Flows:
        """Unpack what the cascade has told, and put it into the order it is published in.

        By start, level, areas and kept values: nothing of the order of the rows is left.
        """
        quarter, a, b, kept = unpacked(key)
        texts = rows.kept_texts(kept)
        ranks = [np.unique(each, return_inverse=True)[1] for each in reversed(texts)]
        order = np.lexsort((*ranks, b, a, level, quarter))
        return cls(
            policy=rows.policy,
            areas=cascade.area_names,
            level=level[order],
            start_quarter=quarter[order],
            from_area=a[order],
            to_area=b[order],
            kept=[[each[index] for index in order.tolist()] for each in texts],
            trips=trips[order],
        )

    def area_texts(self) -> tuple[list[str], Int64Array, Int64Array]:
        """Return the names of all areas that are shown, and both ends of each cell among them."""
        base = np.cumsum([0, *(len(level) for level in self.areas)])
        a, b = base[self.level] + self.from_area, base[self.level] + self.to_area
        used = np.unique(np.concatenate([a, b]))
        names = [name for level in self.areas for name in level]
        distinct, number = np.unique([names[n] for n in used.tolist()], return_inverse=True)
        # From a name's place in all levels to its place among the distinct ones.
        lookup = np.zeros(int(base[-1]), np.int64)
        lookup[used] = number
        return distinct.tolist(), lookup[a], lookup[b]

    @property
    def columns(self) -> list[str]:
        """The names of the published columns, in order."""
        return columns_of(self.policy)

    def batches(self, *, rows: int = GROUP_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the table in pieces; an empty table is one empty piece."""
        names, a, b = self.area_texts()
        levels = self.policy.levels
        for first in range(0, max(1, len(self.trips)), rows):
            piece = slice(first, first + rows)
            level = self.level[piece]
            arrays = [
                pa.array((self.start_quarter[piece] * QUARTER_SECONDS).view("datetime64[s]")),
                _dictionary(level, [each.period for each in levels]),
                _dictionary(level, [each.area for each in levels]),
                _dictionary(a[piece], names),
                _dictionary(b[piece], names),
                *(pa.array(each[piece], pa.string()) for each in self.kept),
                pa.array(self.trips[piece]),
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=self.columns)

    def write(self, out: Sink) -> None:
        """Write both parts."""
        with closing(out.add_part(PARQUET_PART, "application/vnd.apache.parquet")) as part:
            write_parquet(self.batches(), part)
        with closing(out.add_part(CSV_PART, "text/csv")) as part:
            write_csv(self.batches(), part)

    def sample(self, rows: int = 10) -> dict[str, Any]:
        """Return a header and a few rows from all over the table, as text."""
        step = max(1, len(self.trips) // rows)
        chosen = slice(0, step * rows, step)
        some = Flows(
            self.policy,
            self.areas,
            self.level[chosen],
            self.start_quarter[chosen],
            self.from_area[chosen],
            self.to_area[chosen],
            [list(each[chosen]) for each in self.kept],
            self.trips[chosen],
        )
        [batch] = some.batches()
        texts = as_texts(batch)
        return {
            "columns": self.columns,
            "rows": [list(row) for row in zip(*(c.to_pylist() for c in texts), strict=True)],
        }


def write_parquet(batches: Iterator[pa.RecordBatch], part: Any) -> None:
    """Write pieces as Parquet with checksums, a row group each."""
    with pa.PythonFile(part, mode="w") as file:
        writer: pq.ParquetWriter | None = None
        for batch in batches:
            writer = writer or pq.ParquetWriter(
                file, batch.schema, compression="zstd", write_page_checksum=True
            )
            writer.write_batch(batch)
        assert writer is not None
        writer.close()


def write_csv(batches: Iterator[pa.RecordBatch], part: Any) -> None:
    """Write pieces as CSV: a header, times as in 2014-03-01T08:00:00, quotes only where needed."""
    options = pcsv.WriteOptions(quoting_style="none", quoting_header="none")
    with pa.PythonFile(part, mode="w") as file:
        writer: pcsv.CSVWriter | None = None
        for batch in batches:
            piece = pa.RecordBatch.from_arrays(
                [_quoted(each) for each in as_texts(batch)], names=batch.schema.names
            )
            writer = writer or pcsv.CSVWriter(file, piece.schema, write_options=options)
            writer.write_batch(piece)
        assert writer is not None
        writer.close()


def as_texts(batch: pa.RecordBatch) -> list[pa.Array]:
    """Return every column as text."""
    texts = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            texts.append(_iso(column))
        elif pa.types.is_dictionary(column.type):
            texts.append(column.dictionary_decode().cast(pa.string()))
        else:
            texts.append(column.cast(pa.string()))
    return texts


def _quoted(column: pa.Array) -> pa.Array:
    """Quote the cells that need it; Arrow's own writer would quote every text or none."""
    special = pc.match_substring_regex(column, '[",\r\n]')
    if not pc.any(special).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    wrapped = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(special, wrapped, column)


def _iso(times: pa.Array) -> pa.Array:
    seconds = times.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    distinct, index = np.unique(seconds, return_inverse=True)
    words = pa.array(np.datetime_as_string(distinct.view("datetime64[s]")).tolist(), pa.string())
    return words.take(pa.array(index))


def _dictionary(index: Int64Array, words: Sequence[str]) -> pa.DictionaryArray:
    # Each word once: Parquet's writer gives a dictionary up that names one twice, and what it
    # writes instead has not the same bytes each time.
    distinct, number = np.unique(np.array(words), return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(number[index].astype(np.int32)), pa.array(distinct.tolist(), pa.string())
    )
