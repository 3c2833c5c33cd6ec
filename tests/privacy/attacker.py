"""Somebody who has a copy of the whole database and what is left of the identity keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from django.db import connection
from psycopg import sql

from marketplace.domain.identity import SLOT_BYTES, IdentityKey, IdentityKeys
from marketplace.errors import SealBroken
from marketplace.queries.identity import MEMBERSHIPS, NAME, PERSONA, WRITES

Row = dict[str, Any]
Backup = dict[str, list[Row]]


def take_backup() -> Backup:
    """Read every column of every row of every table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        backup = {}
        for table in tables:
            cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            backup[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert len(backup["marketplace_participant"]) > 0
    return backup


@dataclass(frozen=True)
class Attacker:
    """Joins what can be joined: by design, and by trying every key on everything."""

    backup: Backup
    keys: IdentityKeys

    def all_keys(self) -> list[IdentityKey]:
        """Return every key that is left in the file."""
        size = (self.keys.folder / "keys").stat().st_size
        return list(self.keys.get(range(1, size // SLOT_BYTES)).values())

    def links(self) -> set[tuple[str, int]]:
        """Return e-mail addresses with the participants they act for."""
        users = self.backup["marketplace_user"]
        living = self.keys.get(row["identity_slot"] for row in users if row["identity_slot"])
        tags = {
            living[row["identity_slot"]].tag(MEMBERSHIPS): row["email"]
            for row in users
            if row["identity_slot"] in living
        }
        return {
            (tags[bytes(row["user_tag"])], row["participant_id"])
            for row in self.backup["marketplace_membership"]
            if bytes(row["user_tag"]) in tags
        }

    def names(self) -> dict[int, str]:
        """Return participants with the names that any key opens."""
        return {
            row["id"]: opened[0]
            for row in self.backup["marketplace_participant"]
            if (opened := [*self._opened(bytes(row["sealed_name"]))])
        }

    def traces(self, values: set[int]) -> set[str]:
        """Return tables in which any key's tag stands in a row with one of these numbers."""
        tags = {key.tag(purpose) for key in self.all_keys() for purpose in (MEMBERSHIPS, WRITES)}
        handles = {
            key.tag(PERSONA, str(value)).hex() for key in self.all_keys() for value in values
        }
        numbers = re.compile("|".join(rf"\b{value}\b" for value in values))
        found = set()
        for table, rows in self.backup.items():
            for row in rows:
                cells = [cell for name, cell in row.items() if name != "id"]
                told = " ".join(str(cell) for cell in cells if not _is_binary(cell))
                is_tagged = any(_is_binary(cell) and bytes(cell) in tags for cell in cells)
                if (is_tagged and numbers.search(told)) or any(each in told for each in handles):
                    found.add(table)
        return found

    def mentions(self, text: str) -> set[str]:
        """Return the tables in which a text stands in the clear, in whatever column."""
        return {
            table
            for table, rows in self.backup.items()
            for row in rows
            if any(text in _readable(cell) for cell in row.values())
        }

    def _opened(self, sealed: bytes) -> Iterator[str]:
        for key in self.all_keys():
            try:
                yield key.unseal_text(sealed, purpose=NAME)
            except SealBroken:
                continue


def _is_binary(cell: object) -> TypeGuard[bytes | memoryview]:
    return isinstance(cell, bytes | memoryview)


def _readable(cell: object) -> str:
    if _is_binary(cell):
        return bytes(cell).decode("latin-1")
    return str(cell)
