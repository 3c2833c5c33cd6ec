"""Build a synthetic city: a past of rollups alone, then days that went through the market.

Every step is safe to repeat: a city that was left half-built goes on where it stopped.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

from analytics.services import roll_up_due_days, roll_up_settled
from analytics.services.publications import publish_due_figures
from analytics.services.releases import release_due_days, release_seeded_days
from analytics.services.seeding import HOURS, SeededDay, store_seeded_day
from config.replay.pipeline import (
    INTERVALS_AT_ONCE_MAX,
    POSITIONS_AT_ONCE,
    Stopwatch,
    settle_everything,
)
from config.seed.curves import Homes
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.readings.columns import ReadingsFile
from marketplace.domain.rules import load_rules, preset
from marketplace.queries.communities import find_community
from marketplace.queries.pages import Place, list_places
from marketplace.queries.period import get_rule_documents
from marketplace.queries.raw_rows import list_points
from marketplace.services.people import add_participant, add_person, join
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import import_readings
from marketplace.services.wallets import open_wallet

NAME: Final = "Seeded City (synthetic)"
LOCAL_NAME: Final = "合成城（模拟数据）"
ZONES: Final = ("north", "east", "south", "west")
MINUTES: Final = 15
STEPS: Final = 24 * 60 // MINUTES
# One member in so many is an enterprise.
ENTERPRISE_EVERY: Final = 50
# So many watt-hours fit through a link in a quarter-hour, for each member.
LINK_WH: Final = 40
# Called with (what is done, so many, of how many).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SeededPerson:
    """Who signs in to a synthetic city."""

    email: str
    language: str
    role: str


PEOPLE: Final = (
    SeededPerson("resident@seeded.example", "en", "household"),
    SeededPerson("jumin@seeded.example", "zh-hans", "household"),
    SeededPerson("works@seeded.example", "en", "enterprise"),
    SeededPerson("data@seeded.example", "en", "data_provider"),
    SeededPerson("planner@seeded.example", "en", "planner"),
    SeededPerson("operator@seeded.example", "en", "operator"),
)


@dataclass(frozen=True)
class Asked:
    """What city is wanted; ``last`` is its last day, ``past_days`` have rollups alone."""

    households: int
    days: int
    past_days: int
    seed: int
    last: date

    @property
    def first(self) -> date:
        """The first day that goes through the market."""
        return self.last - timedelta(days=self.days - 1)


def seed_city(
    *,
    asked: Asked,
    password: str,
    now: datetime,
    on_progress: Tell,
) -> int:
    """Build the city, or go on with it; return its community.

    Parameters
    ----------
    password : str
        For the people of the city who do not exist yet.
    on_progress : callable
        Called with (what is done, so many, of how many).
    """
    document = rules_of(asked.households)
    begun = asked.first - timedelta(days=asked.past_days)
    place = _place(document, begun, now)
    meters = _meters(asked)
    is_enterprise = np.arange(asked.households) % ENTERPRISE_EVERY == ENTERPRISE_EVERY - 1
    add_members(
        community_id=place.community_id,
        members=[
            NewMember(
                meter=meter,
                name=f"Synthetic {'works' if is_enterprise[at] else 'home'} {at}",
                role="enterprise" if is_enterprise[at] else "household",
                zone=ZONES[at % len(ZONES)],
            )
            for at, meter in enumerate(meters)
        ],
        active_from=day_bounds(begun, place.zone)[0],
        now=now,
    )
    homes = Homes.drawn(seed=asked.seed, is_enterprise=is_enterprise)
    _people(place, password)
    _past(place, asked, homes, now, on_progress)
    _days(place, asked, homes, now, on_progress)
    _roll_up(place, now, on_progress)
    return place.community_id


def _meters(asked: Asked) -> list[str]:
    return [f"S{number:06d}" for number in range(asked.households)]


def rules_of(households: int) -> dict[str, Any]:
    """Return the rule set of a city of some size: four zones in a ring, quarter-hours."""
    neighbours = [(ZONES[at], ZONES[(at + 1) % len(ZONES)]) for at in range(len(ZONES))]
    return {
        **preset("demo-agreements"),
        "interval_minutes": MINUTES,
        "zones": list(ZONES),
        "links": [
            {
                "from": origin,
                "to": target,
                "limit_wh": LINK_WH * households,
                "loss_ppm": 0,
                "fee_micro_per_kwh": 2_000,
            }
            for one, other in neighbours
            for origin, target in ((one, other), (other, one))
        ],
    }


def _place(document: dict[str, Any], begun: date, now: datetime) -> Place:
    if find_community(name=NAME) is None:
        create_community(
            name=NAME,
            local_name=LOCAL_NAME,
            rules_document=document,
            effective_from=day_bounds(begun, load_rules(document).zone)[0],
            now=now,
        )
    return next(each for each in list_places() if each.name == NAME)


def _people(place: Place, password: str) -> None:
    """Let each person of the city act for somebody of their role."""
    points = list_points(community_id=place.community_id)
    for at, person in enumerate(PEOPLE):
        own = [row[3] for row in points if row[4] == person.role]
        participant_id = own[at] if len(own) > at else own[0] if own else None
        if participant_id is None:
            participant_id = add_participant(
                role=person.role, name=f"Synthetic {person.role.replace('_', ' ')}"
            )
        user_id = add_person(email=person.email, password=password, language=person.language)
        join(user_id=user_id, participant_id=participant_id)
        if person.role in ("enterprise", "data_provider", "planner"):
            open_wallet(participant_id=participant_id, currency=place.currency)


def _past(place: Place, asked: Asked, homes: Homes, now: datetime, tell: Tell) -> None:
    """Store rollups of the days before the market's."""
    rules = load_rules(rules_of(asked.households))
    points = list_points(community_id=place.community_id)
    participants, zones = (np.array([row[at] for row in points], np.int64) for at in (3, 1))
    [rule_set_id] = get_rule_documents(community_id=place.community_id)
    for back in range(asked.past_days, 0, -1):
        day = asked.first - timedelta(days=back)
        starts_at, ends_at = day_bounds(day, place.zone)
        assert ends_at - starts_at == timedelta(hours=HOURS), "a city without summer time"
        hours = [starts_at + timedelta(hours=hour) for hour in range(HOURS)]
        prices = np.array([rules.prices_at(each)[:3] for each in hours], dtype=np.int64)
        import_wh, export_wh = homes.net_wh(day, HOURS)
        store_seeded_day(
            seeded=SeededDay(
                community_id=place.community_id,
                day=day,
                starts_at=starts_at,
                rule_set_id=rule_set_id,
                fee=int(prices[0, 2]),
                retail=prices[:, 0],
                feed_in=prices[:, 1],
                participant_ids=participants,
                zone_ids=zones,
                roles=tuple(row[4] for row in points),
                import_wh=import_wh,
                export_wh=export_wh,
            ),
            now=now,
        )
        tell("past", asked.past_days - back + 1, asked.past_days)


def _days(place: Place, asked: Asked, homes: Homes, now: datetime, tell: Tell) -> None:
    """Carry the last days through the market, one after the other."""
    rules = load_rules(rules_of(asked.households))
    meters = _meters(asked)
    at_once = max(1, min(POSITIONS_AT_ONCE // len(meters), INTERVALS_AT_ONCE_MAX))
    for number in range(asked.days):
        day = asked.first + timedelta(days=number)
        starts_at, ends_at = day_bounds(day, place.zone)
        readings = _readings(homes, meters, day, starts_at)
        digest = hashlib.sha256(readings.import_wh.tobytes() + readings.export_wh.tobytes())
        import_readings(
            community_id=place.community_id,
            readings=readings,
            source=f"synthetic, seed {asked.seed}, {day}",
            sha256=digest.hexdigest(),
            now=now,
        )
        settle_everything(
            place.community_id,
            deadline=ends_at + timedelta(minutes=rules.readings_deadline_minutes),
            at_once=at_once,
            stopwatch=Stopwatch(),
            on_progress=lambda settled, total: tell("settled intervals", settled, total),
        )


def _readings(homes: Homes, meters: list[str], day: date, starts_at: datetime) -> ReadingsFile:
    """Return a day's readings, interval by interval."""
    import_wh, export_wh = homes.net_wh(day, STEPS)
    count = len(meters)
    starts = int(starts_at.timestamp()) + np.arange(STEPS, dtype=np.int64) * MINUTES * 60
    return ReadingsFile(
        meters=tuple(meters),
        meter_index=np.tile(np.arange(count, dtype=np.int32), STEPS),
        start_epoch_s=np.repeat(starts, count),
        minutes=MINUTES,
        import_wh=import_wh.T.ravel(),
        export_wh=export_wh.T.ravel(),
        lines=np.arange(1, count * STEPS + 1, dtype=np.int32),
        repeated=0,
    )


def _roll_up(place: Place, now: datetime, tell: Tell) -> None:
    rolled = 0
    while more := roll_up_settled(community_id=place.community_id):
        rolled += more
        tell("rolled-up intervals", rolled, rolled)
    while roll_up_due_days(community_id=place.community_id, now=now):
        pass
    release_seeded_days(community_id=place.community_id, now=now)
    while release_due_days(community_id=place.community_id, now=now):
        pass
    publish_due_figures(community_id=place.community_id, now=now)


def yesterday(now: datetime) -> date:
    """Return the day before today where the city is."""
    zone = load_rules(rules_of(1)).zone
    return (now.astimezone(zone) - timedelta(days=1)).date()
