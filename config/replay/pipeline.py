"""Run a readings file through the market: import, clearing, settlement, rollup."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any

from django.db import transaction

from analytics.services import release_due_days, roll_up_due_days, roll_up_settled
from ledger.errors import StaleWriter
from ledger.services import SettlementWorker
from marketplace.domain.readings.file import ReadingsFile, read_readings
from marketplace.domain.rules import (
    RulesInvalid,
    load_rules,
    rules_hash,
    with_interval,
    with_timezone,
)
from marketplace.errors import CommunityDiffers, SettlementRefused
from marketplace.queries.communities import find_community
from marketplace.queries.period import count_settled, list_refused_settlements
from marketplace.queries.terms import TermsInForce
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import Imported, import_readings
from marketplace.services.settlement import note_booked_settlements, settle_clearings

# Positions cleared at once: bounds memory and what waits in the inbox.
POSITIONS_AT_ONCE = 60_000
INTERVALS_AT_ONCE_MAX = 500
WAIT_SECONDS = 0.05


@dataclass
class Stopwatch:
    """Seconds spent in each stage. [s]"""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the body takes to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


@dataclass(frozen=True)
class Replayed:
    """What a replay did."""

    community_id: int
    imported: Imported
    blocks: int
    stopwatch: Stopwatch

    @property
    def changed_nothing(self) -> bool:
        """Whether everything in the file was known and settled before."""
        return not (self.imported.new or self.imported.corrected or self.blocks)


def replay(
    path: Path,
    *,
    community_name: str,
    rules_document: Mapping[str, Any],
    timezone: str | None,
    now: datetime,
    local_name: str = "",
    members: Mapping[str, NewMember] | None = None,
    on_members: Callable[[int, datetime], None] = lambda community_id, starts_at: None,
    on_progress: Callable[[int, int], None] = lambda settled, total: None,
) -> Replayed:
    """Carry every interval of a file to settled, rolled-up books.

    The end of the file is the deadline for readings. Every step is safe to repeat: a replay that
    was killed goes on where it stopped, one that was finished changes nothing.

    Parameters
    ----------
    members : mapping, optional
        Who the meters of the file belong to; a household of the meter's name where absent.
    on_members : callable
        Called with (community, start of the file) when the members are there and nothing is
        cleared yet; what it does must be safe to repeat.
    on_progress : callable
        Called with (settled intervals, all intervals).

    Raises
    ------
    ReadingsInvalid, RulesInvalid
        Bad input, or rules of a forward market; nothing of it was stored.
    CommunityDiffers
        A community of this name exists under other rules.
    """
    stopwatch = Stopwatch()
    with stopwatch.stage("import"):
        _check_metered(rules_document)
        readings = read_readings(path)
        document = with_interval(rules_document, readings.minutes)
        if timezone is not None:
            document = with_timezone(document, timezone)
        starts_at, ends_at = _period(readings)
        with transaction.atomic():
            community_id = _community(community_name, local_name, document, starts_at, now)
            _add_members(community_id, readings, members or {}, starts_at, now)
            on_members(community_id, starts_at)
            imported = import_readings(
                community_id=community_id,
                readings=readings,
                source=path.name,
                sha256=file_sha256(path),
                now=now,
            )
    meter_count = len(readings.meters)
    del readings  # the largest thing in memory, and all of it is in the database now
    rules = load_rules(document)
    deadline = ends_at + timedelta(minutes=rules.readings_deadline_minutes)
    at_once = max(1, min(POSITIONS_AT_ONCE // meter_count, INTERVALS_AT_ONCE_MAX))
    blocks = settle_everything(
        community_id,
        deadline=deadline,
        at_once=at_once,
        stopwatch=stopwatch,
        on_progress=on_progress,
    )
    with stopwatch.stage("rollup"):
        while roll_up_settled(community_id=community_id):
            pass
        while roll_up_due_days(community_id=community_id, now=now):
            pass
        while release_due_days(community_id=community_id, now=now):
            pass
    return Replayed(community_id, imported, blocks, stopwatch)


def _check_metered(document: Mapping[str, Any]) -> None:
    """Refuse rules under which readings alone clear nothing: a replay has no orders to go by."""
    if document.get("mode") == "forward":
        raise RulesInvalid(
            "mode",
            "a forward market is cleared from orders, and a readings file has none",
            "replay it under a rule set in metered mode",
        )


def _period(readings: ReadingsFile) -> tuple[datetime, datetime]:
    first, last = int(readings.start_epoch_s.min()), int(readings.start_epoch_s.max())
    return (
        datetime.fromtimestamp(first, UTC),
        datetime.fromtimestamp(last, UTC) + timedelta(minutes=readings.minutes),
    )


def file_sha256(path: Path) -> str:
    """Return the hash of a file, read in pieces."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _community(
    name: str, local_name: str, document: Mapping[str, Any], starts_at: datetime, now: datetime
) -> int:
    found = find_community(name=name)
    if found is None:
        return create_community(
            name=name,
            local_name=local_name,
            rules_document=document,
            effective_from=starts_at,
            now=now,
        ).id
    if found.rules_sha256 != rules_hash(document):
        raise CommunityDiffers(
            "community {name} exists under other rules; choose another name with --community",
            name=name,
        )
    return found.id


def _add_members(
    community_id: int,
    readings: ReadingsFile,
    members: Mapping[str, NewMember],
    starts_at: datetime,
    now: datetime,
) -> None:
    add_members(
        community_id=community_id,
        members=[
            members.get(meter, NewMember(meter=meter, name=meter)) for meter in readings.meters
        ],
        active_from=starts_at,
        now=now,
    )


def settle_everything(
    community_id: int,
    *,
    deadline: datetime,
    at_once: int,
    stopwatch: Stopwatch,
    on_progress: Callable[[int, int], None],
) -> int:
    """Clear and settle until nothing is left; other workers may help. Returns blocks written."""
    worker = SettlementWorker(holder="replay")
    terms = TermsInForce(community_id=community_id)
    blocks = 0
    settled, total = count_settled(community_id=community_id)
    on_progress(settled, total)
    try:
        while settled < total:
            with stopwatch.stage("clear"):
                meter_intervals(community_id=community_id, now=deadline)
                cleared = clear_due_intervals(
                    community_id=community_id, now=deadline, terms=terms, limit=at_once
                )
            with stopwatch.stage("settle"):
                submitted = settle_clearings(community_id=community_id, now=deadline, limit=at_once)
                booked = _book(worker)
                blocks += booked
                noted = note_booked_settlements()
            if not (cleared or submitted or booked or noted):
                _raise_if_refused(community_id)
                time.sleep(WAIT_SECONDS)  # the rest is in the hands of another worker
            settled, total = count_settled(community_id=community_id)
            on_progress(settled, total)
    finally:
        worker.give_back()
    return blocks


def _raise_if_refused(community_id: int) -> None:
    refused = list_refused_settlements(community_id=community_id)
    if refused:
        raise SettlementRefused(
            "the ledger refused {key}; its interval stays unsettled, see the operator's page",
            key=refused[0],
        )


def _book(worker: SettlementWorker) -> int:
    """Book what waits, if no other settlement worker does."""
    if not worker.take_head():
        return 0
    try:
        return len(worker.settle_inbox(now=datetime.now(UTC)))
    except StaleWriter:
        return 0
