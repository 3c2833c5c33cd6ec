"""A report's tables as files: CSV and Parquet, one for each card, with what they were made from."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from io import BytesIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from config.report.contents import Report
from config.web.city.cards import CityCard

README: Final = "README.txt"


def csv_files(report: Report) -> Mapping[str, bytes]:
    """Return each card's table as CSV by file name, and what the report was made from.

    The SHA-256 of ``NAME.csv``, a line break and the file, one card after the other in the order of
    the file ``README.txt``, is the report's data version.
    """
    files = {f"{name}.csv": card.as_csv().encode() for name, card in report.tables.items()}
    return {**files, README: _about(report, "csv")}


def parquet_files(report: Report) -> Mapping[str, bytes]:
    """Return each card's table as Parquet by file name: integers and moments as they are."""
    files = {}
    for name, card in report.tables.items():
        table = _table(card)
        if table is not None:
            stream = BytesIO()
            pq.write_table(table.replace_schema_metadata(_metadata(report, card)), stream)
            files[f"{name}.parquet"] = stream.getvalue()
    return {**files, README: _about(report, "parquet")}


def _table(card: CityCard) -> pa.Table | None:
    """Return a card's values; None for a card without any row, whose types nobody knows."""
    if not card.values:
        return None
    columns = list(zip(*card.values, strict=True))
    names = [column.name for column in card.columns]
    return pa.table({name: _array(values) for name, values in zip(names, columns, strict=True)})


def _array(values: tuple[object, ...]) -> pa.Array:
    plain: list[Any] = list(values)
    known = next((each for each in plain if each is not None), None)
    if isinstance(known, datetime):
        return pa.array(plain, type=pa.timestamp("s", tz="UTC"))
    if isinstance(known, date):
        return pa.array(plain, type=pa.date32())
    if any(isinstance(each, float) for each in plain):
        return pa.array(plain, type=pa.float64())
    return pa.array(plain)


def _metadata(report: Report, card: CityCard) -> dict[str, str]:
    return {
        "title": card.chart.title,
        "note": card.chart.note,
        "period": report.period,
        "data_version": report.sha256,
        "facts": json.dumps(dict(report.facts), ensure_ascii=False),
    }


def _about(report: Report, suffix: str) -> bytes:
    lines = [report.title, report.period, ""]
    lines += [f"{name}: {text}" for name, text in report.facts]
    lines.append("")
    for key, card in report.tables.items():
        lines += [f"{key}.{suffix}: {card.chart.title}", f"  {card.chart.note}"]
    lines.append("")
    for name, text in report.methods:
        lines += [name, f"  {text}"]
    return ("\n".join(lines) + "\n").encode()
