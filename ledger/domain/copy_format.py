"""PostgreSQL's binary COPY format for fixed-width columns, written from arrays without a loop.

Reference: PostgreSQL documentation, "COPY", section "Binary Format".
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_WIDTHS = {"int2": 2, "int4": 4, "int8": 8}


def copy_rows(columns: Sequence[tuple[str, npt.NDArray[np.int64] | None]], rows: int) -> bytes:
    """Return rows in binary COPY format, without header and trailer.

    Parameters
    ----------
    columns : sequence of (type, values)
        ``type`` is ``int2``, ``int4`` or ``int8``; ``values`` an int64 array of length ``rows``,
        or None for a column that is NULL in every row. A timestamp is an ``int8`` of
        microseconds since 2000-01-01 UTC.
    rows : int
        Number of rows.

    Raises
    ------
    OverflowError
        If a value does not fit its type.
    """
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for index, (kind, values) in enumerate(columns):
        fields.append((f"length{index}", ">i4"))
        if values is not None:
            fields.append((f"value{index}", f">i{_WIDTHS[kind]}"))
    block = np.zeros(rows, dtype=np.dtype(fields))
    block["count"] = len(columns)
    for index, (kind, values) in enumerate(columns):
        block[f"length{index}"] = -1 if values is None else _WIDTHS[kind]
        if values is None or rows == 0:
            continue
        bounds = np.iinfo(f"i{_WIDTHS[kind]}")
        if values.min() < bounds.min or values.max() > bounds.max:
            raise OverflowError(f"column {index} does not fit {kind}")
        block[f"value{index}"] = values
    return block.tobytes()


def packed_columns(pieces: Iterable[bytes | None], count: int) -> npt.NDArray[np.int64]:
    """Read rows that the server has packed, ``count`` times ``int8send`` a row, many to a piece.

    A client spends more on each row that it receives than on the row's numbers; packed by
    ``string_agg`` on the server, a hundred thousand rows come as one.

    Returns
    -------
    ndarray of int64, shape (count, rows)
    """
    packed = b"".join(piece for piece in pieces if piece is not None)
    return np.frombuffer(packed, dtype=">i8").reshape(-1, count).T.astype(np.int64, order="C")
