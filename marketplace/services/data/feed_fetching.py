"""Fetching a live feed from its source, and judging what came.

Nothing here touches the database, so that many sources can be waited for at once. What came is
held in memory until it is judged: it may name vehicles as only the source may.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gate.formats import Checked, check
from gate.limits import Limits
from marketplace.domain.data.feed_files import (
    DISCOVERY,
    MAIN_FILES,
    read_discovery,
    record_count,
    served_discovery,
)
from marketplace.errors import N_, FetchFailed, Invalid
from marketplace.services.data import feed_copies, storage
from marketplace.services.data.fetching import Fetched, FetchLimits, fetch

# A look takes at most so long, however many files a feed has and however slowly they come.
LOOK_S: Final = 20.0
FILE_S: Final = 10.0
# Of all files of a feed together: several feeds are in memory at once.
FEED_BYTES: Final = 64 * 2**20
# It answered, with something that is not what it should be.
UNREADABLE: Final = "unreadable"
# What a document of an unforeseen shape ends in. A fault of the hall's own is none of these.
ODD_SHAPE: Final = (LookupError, TypeError, ValueError, AttributeError, RecursionError, Invalid)
_JUDGING: Final = Limits(memory_bytes=1 << 30, cpu_s=60, wall_s=90)


@dataclass(frozen=True)
class Source:
    """A feed as its source has it: what is fetched, and what it is judged beside."""

    product_id: int
    format: str
    url: str
    timetable: bytes | None = field(default=None, repr=False)
    previous: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Came:
    """What came of a source: its files by name, as they came; or why nothing did.

    Attributes
    ----------
    latency_ms : int or None
        Until the first file was there as a whole; None: it never was.
    problem : str
        Code of what went wrong, `UNREADABLE` or why it was not there; empty: everything came.
    """

    files: Mapping[str, bytes]
    latency_ms: int | None
    problem: str = ""
    detail: str = ""


def fetch_feed(source: Source, *, now: datetime) -> Came:
    """Fetch a feed: its file, or of GBFS the discovery file and all that it lists."""
    main = MAIN_FILES[source.format].rpartition(".")[0]
    ends_at = time.monotonic() + LOOK_S
    latency_ms: int | None = None
    try:
        first = _fetched(source.url, ends_at, FEED_BYTES, now)
        latency_ms = first.latency_ms
        files = {main: first.body}
        if source.format == "gbfs":
            for name, url in read_discovery(first.body).urls.items():
                left_bytes = FEED_BYTES - sum(map(len, files.values()))
                files[name] = _fetched(url, ends_at, left_bytes, now).body
    except FetchFailed as error:
        return Came({}, latency_ms, error.reason, str(error))
    except Invalid as error:
        return Came({}, latency_ms, UNREADABLE, str(error))
    return Came(files, latency_ms)


def judge_feed(source: Source, came: Came, *, now: datetime) -> Checked:
    """Judge what came by the validator of its format, in a bounded child process.

    Raises
    ------
    gate.errors.Refused
        If it cannot be read as this format at all.
    """
    main = MAIN_FILES[source.format]
    stem = main.rpartition(".")[0]
    beside = {name: body for name, body in came.files.items() if name != stem}
    if source.timetable is not None:
        beside["gtfs"] = source.timetable
    if source.previous is not None and source.format == "gtfs-rt":
        beside["previous"] = source.previous
    with ExitStack() as held:
        path: Path = held.enter_context(storage.held_bytes(came.files[stem]))
        companions = {
            name: held.enter_context(storage.held_bytes(body)) for name, body in beside.items()
        }
        return check(path, source.format, at=now, limits=_JUDGING, companions=companions, name=main)


def served_files(source: Source, came: Came, *, records: int) -> dict[str, tuple[bytes, int]]:
    """Return by name what buyers may take, each with its number of records.

    Parameters
    ----------
    records : int
        Of a feed of one file, as its validator counted them.

    Vehicles have names of the product's own in it, so that no disk holds the source's.
    """
    end = MAIN_FILES[source.format].rpartition(".")[2]
    rename = feed_copies.renamer(f"product:{source.product_id}")
    served = {}
    for name, body in came.files.items():
        if name == DISCOVERY and source.format == "gbfs":
            written = served_discovery(read_discovery(body), came.files)
        else:
            written = feed_copies.renamed(name, body, rename)
        count = record_count(name, body) if source.format == "gbfs" else records
        served[f"{name}.{end}"] = (written, count)
    return served


def storable(value: Any) -> Any:
    """Return JSON values without what the database cannot hold; names of a source may have it."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case list():
            return [storable(each) for each in value]
        case dict():
            return {storable(key): storable(each) for key, each in value.items()}
    return value


def _fetched(url: str, ends_at: float, left_bytes: int, now: datetime) -> Fetched:
    patience = max(0.1, min(FILE_S, ends_at - time.monotonic()))
    found = fetch(url=url, limits=FetchLimits(total_s=patience, body_bytes=left_bytes), now=now)
    if not found.is_ok:
        raise FetchFailed(
            f"http_{found.status}", N_("The source answered {status}."), status=found.status
        )
    return found
