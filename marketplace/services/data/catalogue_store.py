"""Write catalogue entries: COPY beside the table, one statement into it; joins a transaction."""

from collections.abc import Sequence
from typing import Final

from django.db import connection

_FACET: Final = (
    "product_id",
    "longitude",
    "latitude",
    "period",
    "resolution_s",
    "kind",
    "format",
    "age_band",
    "price_band",
    "quality_band",
    "price_micro",
    "currency",
    "age_s",
    "quality_ppm",
    "updated_at",
)
_RECORD: Final = (
    "product_id",
    "version_id",
    "terms_sha256",
    "words",
    "turtle",
    "json_ld",
    "created_at",
    "changed_at",
)
_MEASURES: Final = """
UPDATE marketplace_datafacet f SET age_s = m.age_s, quality_ppm = m.quality_ppm
FROM unnest(%s::bigint[], %s::bigint[], %s::integer[]) AS m(id, age_s, quality_ppm)
WHERE f.product_id = m.id
    AND (f.age_s, f.quality_ppm) IS DISTINCT FROM (m.age_s, m.quality_ppm)
"""


def write_facets(rows: Sequence[tuple[object, ...]]) -> None:
    """Insert or replace rows of `DataFacet`; ranges as PostgreSQL writes them."""
    _upsert("marketplace_datafacet", _FACET, rows)


def write_records(rows: Sequence[tuple[object, ...]]) -> None:
    """Insert or replace rows of `CatalogueRecord`; words as PostgreSQL writes a vector."""
    _upsert("marketplace_cataloguerecord", _RECORD, rows)


def write_measures(rows: Sequence[tuple[int, int | None, int | None]]) -> None:
    """Update product, age and quality where they are others by now. [s], [ppm]"""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(_MEASURES, columns)


def _upsert(table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    names = ", ".join(columns)
    replaced = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    changed = " OR ".join(f"t.{name} IS DISTINCT FROM excluded.{name}" for name in columns[1:])
    beside = f"new_{table}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {beside} (LIKE {table}) ON COMMIT DROP")
        with cursor.copy(f"COPY {beside} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            f"INSERT INTO {table} AS t ({names}) SELECT {names} FROM {beside}"  # noqa: S608 - our names
            f" ON CONFLICT (product_id) DO UPDATE SET {replaced} WHERE {changed}"
        )
        cursor.execute(f"DROP TABLE {beside}")
