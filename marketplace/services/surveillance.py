"""Look for unusual things day by day, and take down what operators found out about them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from marketplace.domain import surveillance
from marketplace.domain.notices import NoticeKind
from marketplace.domain.surveillance import Finding
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import Alert, AlertStep, Community, MeterDay
from marketplace.queries.watched_figures import list_looked_at_feeds, read_day
from marketplace.services import meter_watch
from marketplace.services.notices import notify_many, notify_members

NOTE_CHARACTERS_MAX: Final = 2_000
# Older than this a gap or a price is no news to anybody. [days]
NEWS_DAYS: Final = 7
STATES: Final = {
    "open": Alert.State.OPEN,
    "explained": Alert.State.EXPLAINED,
    "closed": Alert.State.CLOSED,
}


def watch_community(*, community_id: int, now: datetime, limit: int = 5) -> int:
    """Look at days of a community that changed since the last time, the oldest first.

    Safe twice, late, or on two hosts: what is found twice is one alert.

    Returns
    -------
    int
        How many days were looked at; fewer than ``limit`` means that nothing is left.
    """
    dirty = meter_watch.list_dirty_days(community_id=community_id, now=now)[:limit]
    for each in dirty:
        with transaction.atomic():
            meter_watch.add_up_day(community_id=community_id, day=each.day, now=now)
            look_at_day(community_id=community_id, day=each.day, now=now)
            meter_watch.note_watched(community_id=community_id, dirty=each, now=now)
    if dirty:
        meter_watch.refresh_states(community_id=community_id, now=now)
    return len(dirty)


@transaction.atomic
def look_at_day(*, community_id: int, day: date, now: datetime) -> None:
    """Run every detector over a day whose meters were added up, and keep what they find."""
    community = Community.objects.get(id=community_id)
    figures = read_day(community_id=community_id, timezone=community.timezone, day=day)
    spikes = surveillance.find_price_spikes(figures.prices, figures.past_prices)
    findings = [
        *spikes,
        *surveillance.find_concentration(figures.trades),
        *surveillance.find_pairs(figures.trades),
        *surveillance.find_late_cancelling(figures.cancellings),
        *surveillance.find_odd_readings(figures.meters),
    ]
    _keep(findings, community_id, day, now)
    if day >= (now - timedelta(days=NEWS_DAYS)).date():
        _tell_members(community_id, day, has_spike=bool(spikes), now=now)


def watch_feeds(*, now: datetime) -> None:
    """Compare the looks at feeds of yesterday and today (UTC) with each other."""
    for day in (now.date() - timedelta(days=1), now.date()):
        found = surveillance.find_disagreeing_feeds(list_looked_at_feeds(day=day))
        _keep(found, None, day, now)


@transaction.atomic
def judge_alert(*, alert_id: int, operator_id: int, state: str, note: str, now: datetime) -> None:
    """Take down what an operator found out: explained, closed, or open again.

    Raises
    ------
    NotFound
        If there is no such alert.
    Invalid
        If the state is none, or nothing or too much was said.
    """
    if state not in STATES:
        raise Invalid("state", N_("The state must be one of {known}."), known=", ".join(STATES))
    if not note.strip():
        raise Invalid("note", N_("Say what you found out; whoever looks next will need it."))
    if len(note) > NOTE_CHARACTERS_MAX:
        raise Invalid("note", N_("At most {maximum} characters."), maximum=NOTE_CHARACTERS_MAX)
    alert = Alert.objects.select_for_update(no_key=True).filter(id=alert_id).first()
    if alert is None:
        raise NotFound(N_("There is no such alert."))
    AlertStep.objects.create(
        alert=alert, state=STATES[state], note=note.strip(), operator_id=operator_id, at=now
    )
    Alert.objects.filter(id=alert_id).update(state=STATES[state], changed_at=now)


def _keep(findings: Sequence[Finding], community_id: int | None, day: date, now: datetime) -> None:
    """Write findings down; of one that is still open the figures become the newest."""
    rows = {
        f"{each.rule.value}:{community_id or ''}:{day}:{each.subject}": each for each in findings
    }
    judged = set(
        Alert.objects.filter(key__in=list(rows))
        .exclude(state=Alert.State.OPEN)
        .values_list("key", flat=True)
    )
    Alert.objects.bulk_create(
        [
            Alert(
                key=key,
                rule=each.rule.value,
                community_id=community_id,
                participant_id=each.participant_id,
                other_id=each.other_id,
                metering_point_id=each.metering_point_id,
                product_id=each.product_id,
                day=day,
                figures=dict(each.figures),
                found_at=now,
                changed_at=now,
            )
            for key, each in sorted(rows.items())
            if key not in judged
        ],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["figures"],
    )


def _tell_members(community_id: int, day: date, *, has_spike: bool, now: datetime) -> None:
    """Tell members of unusual prices, and those with gaps in their own readings of them."""
    key = f"{community_id}:{day}"
    if has_spike:
        notify_members(
            community_id=community_id,
            kind=NoticeKind.UNUSUAL_PRICE,
            key=key,
            subject={"day": day.isoformat(), "community": community_id},
            now=now,
        )
    if (now.date() - day).days < 2:
        return  # what has not come in yet is no gap
    gaps = MeterDay.objects.filter(
        community=community_id, day=day, reading_count__lt=F("expected_count")
    )
    notify_many(
        participant_ids=set(
            gaps.values_list("metering_point__site__participant", flat=True).distinct()
        ),
        kind=NoticeKind.READING_GAP,
        key=key,
        subject={"day": day.isoformat()},
        now=now,
    )
