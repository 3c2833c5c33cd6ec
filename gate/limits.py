"""How much of a stranger's file the gate reads, and how much a child process may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds for one input. The defaults suit a hall with a few GiB of memory.

    Attributes
    ----------
    unpacked_bytes
        Of all that an input unpacks to. [byte]
    gtfs_bytes
        Of a timetable unpacked: its validator needs five times that in memory. [byte]
    zip_members, zip_ratio
        Files in an archive, and how many times a member may shrink.
    rows, columns, line_bytes, cell_bytes
        Of a table. [1], [1], [byte], [byte]
    json_bytes
        Of one JSON document. [byte]
    xml_depth, xml_text, xml_attributes
        Of an XML document: nesting, characters in one text, attributes in one tag.
    codes, places
        Different findings that are kept, and places named for each; all are counted.
    memory_bytes, cpu_s, wall_s, output_bytes
        Of the child process: address space, processor time, patience, any file it writes.
    """

    unpacked_bytes: int = 8192 * MIB
    gtfs_bytes: int = 300 * MIB
    zip_members: int = 200
    zip_ratio: int = 200
    rows: int = 50_000_000
    columns: int = 200
    line_bytes: int = 1 * MIB
    cell_bytes: int = 64 << 10
    json_bytes: int = 32 * MIB
    xml_depth: int = 64
    xml_text: int = 100_000
    xml_attributes: int = 64
    codes: int = 100
    places: int = 5
    memory_bytes: int = 2048 * MIB
    cpu_s: int = 120
    wall_s: int = 180
    output_bytes: int = 16 * MIB

    def as_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Limits:
        return cls(**said)
