"""GTFS-Realtime messages: rules by gtfs-rt-validator, whether anything was judged at all by us.

Of an empty, cut or foreign message the validator says "no errors"; so the message is parsed first
and the validator is asked how many messages it judged. A message that is cut between two entities
is sound by itself: only the one before can tell that most of it is gone.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2
from gtfs_rt_validator.api import Inputs, Mode, Request, prepare_feed, validate
from gtfs_rt_validator.runner.sources import url_cycle

from gate.errors import Refused, gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import Checked, Options
from gate.formats.profiling import extent_of
from gate.limits import MIB, Limits
from gate.profile import Profile
from gate.zips import check_zip

SOURCE = "gtfs-rt-validator"
FUTURE_S = 60
# Fewer than half of the entities of the message before: something was cut off.
SHRUNK = 2
SHRUNK_FROM = 10
KINDS = ("trip_update", "vehicle", "alert")
NAMES = {"trip_update": "trip updates", "vehicle": "vehicles", "alert": "alerts"}


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check one message, against its timetable and the message before where they are given."""
    message = _message(path, name, limits)
    findings = Findings(limits, SOURCE)
    entities = Counter(
        NAMES[kind] for entity in message.entity for kind in KINDS if entity.HasField(kind)
    )
    if "gtfs" in companions:
        check_zip(companions["gtfs"], name="gtfs", limits=limits, unpacked_bytes=limits.gtfs_bytes)
        _note_validation(path, companions["gtfs"], at, findings, name)
    else:
        text = gettext_noop("the rules were not looked at: there is no timetable to compare with")
        findings.add("no-timetable", "warning", text, place=name, source="gate")
    sent = int(message.header.timestamp)
    if sent > at.timestamp() + FUTURE_S:
        text = gettext_noop("a time in the future")
        findings.add("time-in-future", "error", text, place=f"{name}, header", source="gate")
    before = _entities_before(companions.get("previous"), limits)
    if before is not None and before >= SHRUNK_FROM and len(message.entity) * SHRUNK < before:
        text = gettext_noop("less than half of the entities of the message before")
        findings.add("entities-missing", "warning", text, place=name, source="gate")
    extent = extent_of(_positions(message))
    return Checked(
        findings=findings.kept(),
        profile=Profile(
            rows=len(message.entity),
            bbox=extent.bbox,
            # Cells of single vehicles are about people; only the box is kept.
            cells=(),
            completeness_ppm=_completeness(len(message.entity), before),
            entities=dict(entities),
        ),
        records=len(message.entity),
        source_time=datetime.fromtimestamp(sent, UTC) if 0 < sent < 1 << 33 else None,
    )


def _message(path: Path, name: str, limits: Limits) -> Any:
    """Parse a message that is one: no other bytes, no empty file."""
    if path.stat().st_size > limits.json_bytes:
        raise Refused(
            "message-large",
            gettext_noop("more than {mib} MiB in one message"),
            name,
            gettext_noop("Split the feed by kind, or ask the hall for a higher limit."),
            mib=limits.json_bytes // MIB,
        )
    data = path.read_bytes()
    try:
        message = gtfs_realtime_pb2.FeedMessage.FromString(data)
        is_whole = bool(data) and message.IsInitialized() and message.HasField("header")
    except DecodeError:
        is_whole = False
    if not is_whole:
        raise Refused(
            "message-broken",
            gettext_noop("this is no whole GTFS-Realtime message"),
            name,
            gettext_noop("Publish the message again as a whole, in binary form."),
        )
    return message


def _note_validation(
    path: Path, timetable: Path, at: datetime, findings: Findings, name: str
) -> None:
    data = path.read_bytes()
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "feed.zip"
        os.symlink(timetable, archive)
        try:
            feed = prepare_feed(archive, mode=Mode.MODERN)
            request = Request(
                mode=Mode.MODERN,
                gtfs=feed,
                at=at,
                inputs=Inputs(cycles=(url_cycle(name, lambda: data),), directory_replay=False),
            )
            result = validate(request)
        except Exception as e:  # it raises what its reader of zips raises
            text = gettext_noop("the validator can't judge this message by its timetable")
            findings.add("not-checkable", "error", text, place=f"{name}, {type(e).__name__}")
            return
        _note_rules(result, Path(folder), findings, name)


def _note_rules(result: Any, folder: Path, findings: Findings, name: str) -> None:
    run = result.run
    if run.messages_validated != 1 or run.system_errors.rule_ids():
        text = gettext_noop("the validator can't judge this message by its timetable")
        findings.add("not-checkable", "error", text, place=name)
    errors = set(result.error_ids())
    texts = _texts()
    for rule in run.notices.rule_ids():
        severity: Severity = "error" if rule in errors else "warning"
        samples = list(run.notices.samples_for(rule))[: findings.limits.places]
        text = texts.get(rule, "a rule of the standard is broken")
        for sample in samples:
            findings.add(rule, severity, text, place=_place(sample, name))
        findings.add(rule, severity, text, count=run.notices.count_for(rule) - len(samples))


def _texts() -> dict[str, str]:
    """Return what the validator's own table says of its rules; the newer ones aren't in it."""
    packed = json.loads(files("gtfs_rt_validator").joinpath("data/rules.json").read_text("utf-8"))
    return {rule: str(said["error_description"]) for rule, said in packed["rules"].items()}


def _place(sample: Any, name: str) -> str:
    where = getattr(sample, "entity_path", "") or getattr(sample, "prefix", "")
    return f"{name}, {str(where)[:120]}" if where else name


def _entities_before(path: Path | None, limits: Limits) -> int | None:
    if path is None:
        return None
    try:
        return len(_message(path, "previous", limits).entity)
    except Refused:
        return None


def _completeness(entities: int, before: int | None) -> int | None:
    if not before:
        return None
    return min(entities, before) * 1_000_000 // before


def _positions(message: Any) -> list[tuple[float, float]]:
    return [
        (one.vehicle.position.latitude, one.vehicle.position.longitude)
        for one in message.entity
        if one.HasField("vehicle") and one.vehicle.HasField("position")
    ]
