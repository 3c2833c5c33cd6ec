"""The hall looks at live feeds on schedule: fetches, validates, stores what it saw.

Every look is a row that nobody edits. Valid bytes become what buyers get; what is not valid, or
never came, leaves the last good bytes where they are, and their age tells. A feed is looked at by
one worker at a time: its row says when it is due, and a lock of the worker's session is held
while the look lasts, so that a killed worker holds up nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from gate.errors import Refused
from gate.formats import Checked
from marketplace.domain.data.feed_files import MAIN_FILES, look_every_s
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.notices import NoticeKind
from marketplace.errors import FileDamaged
from marketplace.models import DataContract, DataProduct, FeedState, FeedWatch, ProbeResult
from marketplace.services.data import feed_copies
from marketplace.services.data.feed_fetching import (
    ODD_SHAPE,
    UNREADABLE,
    Came,
    Source,
    fetch_feed,
    judge_feed,
    served_files,
    storable,
)
from marketplace.services.notices import notify

AT_ONCE: Final = 4
# Longer than any dispute; the sums of the days stay.
KEPT: Final = timedelta(days=90)
FINDINGS_KEPT: Final = 20
BREACH_LOOKS: Final = 3
STALE, INVALID = "stale", "invalid"
_LOOKING: Final = 0x6665_6564
_DAY: Final = """
INSERT INTO marketplace_probeday AS sums (product_id, day, look_count, up_count, valid_count,
    dated_count, age_sum_s, age_max_s, latency_sum_ms, latency_max_ms, completeness_count,
    completeness_sum_ppm)
VALUES (%s, %s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (product_id, day) DO UPDATE SET
    look_count = sums.look_count + 1,
    up_count = sums.up_count + excluded.up_count,
    valid_count = sums.valid_count + excluded.valid_count,
    dated_count = sums.dated_count + excluded.dated_count,
    age_sum_s = sums.age_sum_s + excluded.age_sum_s,
    age_max_s = greatest(sums.age_max_s, excluded.age_max_s),
    latency_sum_ms = sums.latency_sum_ms + excluded.latency_sum_ms,
    latency_max_ms = greatest(sums.latency_max_ms, excluded.latency_max_ms),
    completeness_count = sums.completeness_count + excluded.completeness_count,
    completeness_sum_ppm = sums.completeness_sum_ppm + excluded.completeness_sum_ppm
"""


@dataclass(frozen=True)
class _Seen:
    """A look as it is stored, and what may be given out after it."""

    result: ProbeResult
    files: dict[str, tuple[bytes, int]]
    source_time: datetime | None


def look_at_due_feeds(*, now: datetime) -> int:
    """Look at feeds that are due, some at once; return how many.

    Twice, late, or on two hosts: each feed is looked at once when it is due.

    Raises
    ------
    ExceptionGroup
        Of feeds whose look could not be noted; all others were.
    """
    watch_listed_feeds(now=now)
    with _claimed(now=now) as products:
        sources = [source_of(product) for product in products]
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            fetched = list(pool.map(lambda source: _came(source, now=now), sources))
        failures = []
        for product, source, came in zip(products, sources, fetched, strict=True):
            try:
                _note(product, _judged(product, source, came, now=now), now=now)
            except Exception as failure:  # one bad feed must not hold up the others
                failures.append(failure)
        if failures:
            raise ExceptionGroup("feeds that could not be looked at", failures)
        return len(products)


@transaction.atomic
def watch_listed_feeds(*, now: datetime) -> None:
    """Begin to look at feeds that were listed since."""
    new = DataProduct.objects.filter(
        kind=DataProduct.Kind.FEED, state=DataProduct.State.LISTED, watch=None
    )
    FeedWatch.objects.bulk_create(
        [FeedWatch(product=each, every_s=_every_s(each), due_at=now) for each in new],
        ignore_conflicts=True,
    )


def forget_old_looks(*, now: datetime) -> int:
    """Delete looks that are older than any dispute; return how many. Their days' sums stay."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT marketplace_forget_probes(%s)", [now - KEPT])
        return int(cursor.fetchone()[0])


@contextmanager
def _claimed(*, now: datetime) -> Iterator[Sequence[DataProduct]]:
    """Hold some feeds that are due; each is due again from now on, by its own rhythm."""
    held: list[DataProduct] = []
    try:
        with transaction.atomic():
            in_force = DataContract.objects.filter(
                product=OuterRef("product"),
                state=DataContract.State.AGREED,
                valid_until__gt=now,
            )
            due = (
                FeedWatch.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("product")
                .filter(
                    # A withdrawn feed is still owed to those who bought it before.
                    Q(product__state=DataProduct.State.LISTED) | Q(Exists(in_force)),
                    due_at__lte=now,
                )
                .order_by("due_at")[:AT_ONCE]
            )
            for watch in due:
                watch.every_s = _every_s(watch.product)
                watch.due_at = now + timedelta(seconds=watch.every_s)
                watch.save(update_fields=["every_s", "due_at"])
                # Whoever has it yet looks longer than the rhythm: this look is left out.
                if _lock(watch.product_id):
                    held.append(watch.product)
        yield held
    finally:
        for product in held:
            _unlock(product.pk)


def _lock(product_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOOKING, product_id])
        return bool(cursor.fetchone()[0])


def _unlock(product_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOOKING, product_id])


@contextmanager
def trying_alone(product_id: int) -> Iterator[bool]:
    """Be the only one that looks at a feed, as long as this database session lives."""
    is_ours = _lock(product_id)
    try:
        yield is_ours
    finally:
        if is_ours:
            _unlock(product_id)


def _every_s(product: DataProduct) -> int:
    level = ServiceLevel.of_json(product.service_level)
    return look_every_s(product.format, max_age_s=level.max_age_s)


def source_of(product: DataProduct) -> Source:
    """Return where a feed is fetched, and the bytes that it is judged beside."""
    timetable = previous = None
    if product.format == "gtfs-rt":
        previous = _bytes_of(FeedState.objects.filter(product=product))
        timetable = _bytes_of(
            FeedState.objects.filter(
                product__provider=product.provider_id,
                product__state=DataProduct.State.LISTED,
                name=MAIN_FILES["gtfs"],
            ).order_by("-changed_at")
        )
    return Source(product.pk, product.format, product.source_url, timetable, previous)


def _judged(product: DataProduct, source: Source, came: Came, *, now: datetime) -> _Seen:
    result = ProbeResult(product=product, at=now, latency_ms=came.latency_ms)
    if came.problem:
        result.is_up, result.problem = came.problem == UNREADABLE, came.problem
        result.findings = [{"code": came.problem, "text": came.detail}]
        return _Seen(result, {}, None)
    result.is_up = True
    try:
        checked = judge_feed(source, came, now=now)
        served = served_files(source, came, records=checked.records) if checked.is_valid else {}
    except Refused as refused:
        result.problem = UNREADABLE
        result.findings = storable([refused.as_json()])
        return _Seen(result, {}, None)
    except ODD_SHAPE as odd:
        # Left out, the look would be no evidence: a source could choose what is held against it.
        result.problem = UNREADABLE
        result.findings = [{"code": UNREADABLE, "text": type(odd).__name__}]
        return _Seen(result, {}, None)
    _note_checked(result, checked, now)
    level = ServiceLevel.of_json(product.service_level)
    if not result.is_valid:
        result.problem = INVALID
    elif level.max_age_s and (result.age_s is None or result.age_s > level.max_age_s):
        result.problem = STALE
    return _Seen(result, served, checked.source_time)


def _came(source: Source, *, now: datetime) -> Came:
    """Fetch a feed; an answer of a shape that nobody foresaw is an answer that cannot be read."""
    try:
        return fetch_feed(source, now=now)
    except ODD_SHAPE as odd:
        return Came({}, None, UNREADABLE, type(odd).__name__)


def _note_checked(result: ProbeResult, checked: Checked, now: datetime) -> None:
    result.is_valid, result.error_count = checked.is_valid, checked.error_count
    result.record_count = checked.records
    result.completeness_ppm = checked.profile.completeness_ppm
    result.findings = storable([one.as_json() for one in checked.findings[:FINDINGS_KEPT]])
    if checked.source_time is not None:
        # A clock that is a little ahead of ours is not an age below nothing.
        result.age_s = max(0, int((now - checked.source_time).total_seconds()))


def _note(product: DataProduct, seen: _Seen, *, now: datetime) -> None:
    """Store a look, and the files that may be given out from now on."""
    with transaction.atomic():
        seen.result.save(force_insert=True)
        _add_to_day(seen.result)
        if seen.files:
            show_files(product, seen.files, seen.source_time, now=now)
        _tell_of_breach(product, now=now)
    in_use = FeedState.objects.filter(product=product).values_list("sha256", flat=True)
    feed_copies.sweep(product_id=product.pk, in_use=set(in_use))


def show_files(
    product: DataProduct,
    files: Mapping[str, tuple[bytes, int]],
    source_time: datetime | None,
    *,
    now: datetime,
) -> None:
    """Give these files out from now on, each with its number of records, and no others."""
    before = {state.name: state for state in FeedState.objects.filter(product=product)}
    FeedState.objects.filter(product=product).exclude(name__in=files).delete()
    for name, (body, count) in files.items():
        state = before.get(name) or FeedState(product=product, name=name)
        sha256 = feed_copies.store(product_id=product.pk, body=body)
        if state.sha256 != sha256:
            state.changed_at = now
        state.sha256, state.record_count = sha256, count
        state.source_time, state.fetched_at = source_time, now
        state.save()


def _add_to_day(result: ProbeResult) -> None:
    up, dated = int(result.is_up), int(result.is_up and result.age_s is not None)
    complete = int(result.is_up and result.completeness_ppm is not None)
    latency_ms = result.latency_ms or 0 if up else 0
    values: list[Any] = [
        *(result.product_id, result.at.date(), up, int(result.is_up and result.is_valid)),
        *(dated, (result.age_s or 0) * dated, (result.age_s or 0) * dated),
        *(latency_ms, latency_ms, complete, (result.completeness_ppm or 0) * complete),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_DAY, values)


def _tell_of_breach(product: DataProduct, *, now: datetime) -> None:
    """Tell both sides once something has been wrong in three looks one after the other."""
    looks = ProbeResult.objects.filter(product=product).order_by("-at", "-id")
    problems = list(looks.values_list("problem", flat=True)[: BREACH_LOOKS + 1])
    lasting = len(problems) >= BREACH_LOOKS and all(problems[:BREACH_LOOKS])
    if not lasting or (len(problems) > BREACH_LOOKS and problems[BREACH_LOOKS]):
        return
    buyers = DataContract.objects.filter(
        product=product, state=DataContract.State.AGREED, valid_until__gt=now
    ).values_list("buyer", flat=True)
    for participant_id in {product.provider_id, *buyers}:
        notify(
            participant_id=participant_id,
            kind=NoticeKind.SERVICE_BREACH,
            # Once a day: a feed that comes and goes must not bury whoever reads of it.
            key=f"breach:{product.pk}:{now.date().isoformat()}",
            subject={"product": product.pk, "title": product.title, "problem": problems[0]},
            now=now,
        )


def _bytes_of(states: QuerySet[FeedState]) -> bytes | None:
    """Return the last good bytes of the first of some files; None where there are none."""
    state = states.first()
    if state is None:
        return None
    try:
        return feed_copies.read(product_id=state.product_id, sha256=state.sha256)
    except FileDamaged:
        return None
