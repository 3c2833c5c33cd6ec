"""The health strip: each part of the hall as a word, a number and a time, never a colour alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from celery.schedules import schedule
from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.celery import app
from ledger.queries import LogStatus, WorkerHealth
from marketplace.queries.operations import Feeds, MeterGaps, Queue, TaskLine

SOON: Final = timedelta(seconds=30)
LATE: Final = timedelta(minutes=5)
SELDOM: Final = timedelta(minutes=30)
# A queue's oldest entry: (amber after, red after).
PATIENCE: Final[Mapping[str, tuple[timedelta, timedelta]]] = {
    "intervals": (timedelta(hours=6), timedelta(hours=48)),
    "orders": (SOON, LATE),
    "charges": (timedelta(minutes=2), timedelta(minutes=30)),
    "deliveries": (timedelta(minutes=2), timedelta(minutes=30)),
    "versions": (timedelta(minutes=10), timedelta(hours=1)),
}
QUEUE_NAMES: Final[Mapping[str, str | Promise]] = {
    "intervals": gettext_lazy("intervals that ended"),
    "orders": gettext_lazy("orders to answer"),
    "charges": gettext_lazy("charges to book"),
    "deliveries": gettext_lazy("keys to give"),
    "versions": gettext_lazy("versions to make"),
    "wishes": gettext_lazy("requests for data, for sellers to answer"),
}


class Level(StrEnum):
    """How something is."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"


LEVEL_NAMES: Final[Mapping[Level, str | Promise]] = {
    Level.GOOD: gettext_lazy("in order"),
    Level.WATCH: gettext_lazy("look at it"),
    Level.BAD: gettext_lazy("needs you"),
}


@dataclass(frozen=True)
class Light:
    """One part of the hall: what it is, how it is, the number that says so, since when."""

    key: str
    name: str
    level: Level
    figure: str
    words: str
    url: str = ""
    since: datetime | None = None

    @property
    def level_name(self) -> str:
        """The level in a word."""
        return str(LEVEL_NAMES[self.level])


def worker_light(health: WorkerHealth, now: datetime, url: str) -> Light:
    """Say whether somebody writes, and how long the oldest command waits."""
    lag = now - health.oldest_pending_at if health.oldest_pending_at else timedelta()
    if health.lease_until is None or health.lease_until <= now:
        level, words = Level.BAD, _("nobody writes")
    else:
        level = _by_age(lag, SOON, LATE)
        words = _("is writing") if level is Level.GOOD else _("is behind")
    figure = ngettext("{count} waiting", "{count} waiting", health.pending_count)
    return Light(
        "worker",
        _("Settlement worker"),
        level,
        figure.format(count=health.pending_count),
        words,
        url,
        health.oldest_pending_at or health.last_booked_at,
    )


def finality_light(log: LogStatus, since: datetime | None, now: datetime, url: str) -> Light:
    """Say how far what is booked is attested as well."""
    behind = log.booked_block - log.attested_block
    level = _by_age(now - since, timedelta(minutes=2), timedelta(minutes=15)) if since else None
    if log.stopped_because:
        level, words = Level.BAD, _("publishing has stopped")
    elif not behind:
        words = _("everything booked is attested")
    elif not log.is_publishing:
        level, words = Level.BAD, _("nobody publishes")
    else:
        words = _("waits for cosignatures")
    figure = ngettext("{count} block behind", "{count} blocks behind", behind).format(count=behind)
    return Light("finality", _("Finality"), level or Level.GOOD, figure, words, url, since)


def gaps_light(gaps: MeterGaps, url: str) -> Light:
    """Say how many meters lack readings of the last weeks."""
    if not gaps.meter_count:
        return Light(
            "gaps", _("Readings"), Level.WATCH, _("no meters"), _("nothing was looked at yet"), url
        )
    share = gaps.with_gaps / gaps.meter_count
    level = Level.GOOD if not gaps.with_gaps else Level.WATCH if share < 0.05 else Level.BAD
    figure = ngettext("{count} of {all} meters", "{count} of {all} meters", gaps.with_gaps)
    words = ngettext(
        "with gaps, {count} reading missing", "with gaps, {count} readings missing",
        gaps.missing_count,
    )  # fmt: skip
    return Light(
        "gaps",
        _("Readings"),
        level,
        figure.format(count=gaps.with_gaps, all=gaps.meter_count),
        words.format(count=gaps.missing_count) if gaps.with_gaps else _("no gaps"),
        url,
        gaps.computed_at,
    )


def feeds_light(feeds: Feeds, now: datetime) -> Light:
    """Say what the newest looks at live feeds found, and whether they are looked at in time."""
    wrong = feeds.down_count + feeds.invalid_count
    overdue = now - feeds.due_at if feeds.due_at and feeds.due_at < now else timedelta()
    level = Level.WATCH if wrong else Level.GOOD
    if not feeds.count:
        words = _("none is listed")
    elif overdue > LATE:
        level, words = Level.BAD, _("nobody looks at them")
    elif wrong:
        words = _("{down} down, {invalid} not valid").format(
            down=feeds.down_count, invalid=feeds.invalid_count
        )
    else:
        words = _("up and valid")
    figure = ngettext("{count} feed", "{count} feeds", feeds.count).format(count=feeds.count)
    return Light(
        "feeds", _("Feeds"), level, figure, words, reverse("catalogue"),
        feeds.problem_at if wrong else None,
    )  # fmt: skip


def queues_light(queues: Sequence[Queue], now: datetime) -> Light:
    """Say what waits for the hall's own scans, and which of it waits too long."""
    levels = {
        queue.name: _by_age(now - queue.oldest_at, *PATIENCE[queue.name])
        for queue in queues
        if queue.oldest_at is not None and queue.count
    }
    level = max(levels.values(), key=list(Level).index, default=Level.GOOD)
    slow = [queue for queue in queues if levels.get(queue.name, Level.GOOD) is not Level.GOOD]
    count = sum(queue.count for queue in queues if queue.name in PATIENCE)
    words = " · ".join(f"{queue.count} {QUEUE_NAMES[queue.name]}" for queue in slow)
    return Light(
        "queues",
        _("Queues"),
        level,
        ngettext("{count} waiting", "{count} waiting", count).format(count=count),
        words or _("nothing waits too long"),
        "#queues",
        min((queue.oldest_at for queue in slow if queue.oldest_at), default=None),
    )


@dataclass(frozen=True)
class TaskState:
    """A scheduled task with how it is."""

    name: str
    every_s: int
    level: Level
    ended_at: datetime | None
    failure: str

    @property
    def level_name(self) -> str:
        """The level in a word."""
        if self.ended_at is None and not self.failure:
            return _("has not run yet")
        return str(LEVEL_NAMES[self.level])


def task_states(runs: Sequence[TaskLine], now: datetime) -> list[TaskState]:
    """Return every task of the schedule: late after three turns and a minute, failed, or well."""
    known = {run.name: run for run in runs}
    states = []
    for entry in app.conf.beat_schedule.values():
        name, every = entry["task"], entry["schedule"]
        period = every.run_every if isinstance(every, schedule) else timedelta(days=1)
        run = known.get(name)
        # A hall that has just begun need not have done yet what it does once an hour.
        level = Level.GOOD if period >= SELDOM and runs else Level.WATCH
        if run is not None and run.ended_at is not None:
            level = _by_age(now - run.ended_at, 3 * period + LATE / 5, 10 * period + LATE)
        if run is not None and run.failed_at and run.failed_at >= (run.ended_at or run.failed_at):
            level = Level.BAD
        failure = run.failure if run is not None and level is Level.BAD else ""
        ended_at = run.ended_at if run is not None else None
        states.append(TaskState(name, int(period.total_seconds()), level, ended_at, failure))
    return sorted(states, key=lambda state: (-list(Level).index(state.level), state.name))


def tasks_light(states: Sequence[TaskState]) -> Light:
    """Say whether the schedule is alive, and how many of its tasks are not as they should be."""
    newest = max((state.ended_at for state in states if state.ended_at), default=None)
    wrong = sum(state.level is not Level.GOOD for state in states)
    level = max((state.level for state in states), key=list(Level).index, default=Level.WATCH)
    if newest is None:
        words = _("no task has ended yet: do worker and schedule run?")
    elif wrong:
        words = ngettext("{count} late or failed", "{count} late or failed", wrong).format(
            count=wrong
        )
    else:
        words = _("all in time")
    figure = _("{count} of {all}").format(count=len(states) - wrong, all=len(states))
    return Light("tasks", _("Scheduled tasks"), level, figure, words, "#tasks", newest)


def mail_light(refused: int) -> Light:
    """Say where mail goes; whoever waits for a link must know that none is sent."""
    if refused:
        words = ngettext("{count} mail given up", "{count} mails given up", refused)
        told = words.format(count=refused)
        return Light("mail", _("Mail"), Level.BAD, str(refused), told, "#mails")
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return Light("mail", _("Mail"), Level.GOOD, settings.EMAIL_HOST, _("is sent"))
    return Light(
        "mail",
        _("Mail"),
        Level.WATCH,
        _("not sent"),
        _("no mail server: see the operations manual"),
    )


def _by_age(age: timedelta, amber: timedelta, red: timedelta) -> Level:
    return Level.BAD if age >= red else Level.WATCH if age >= amber else Level.GOOD
