"""A small community whose market has run: who lives there, and how to let it run on.

Alice and Bob are households, Charlie has no role. Six meters in two zones, 60-minute intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.services import SettlementWorker
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.rules import preset
from marketplace.models import Community, MeteringPoint, Participant, Site, User, Zone
from marketplace.services.market_day import advance_community
from marketplace.services.people import add_participant, join
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import Imported, import_readings

START = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
NOW = START + timedelta(hours=12)
METERS = ("alice-1", "bob-1", "carol-1", "dan-1", "erin-1", "frank-1")
SOUTH = ("dan-1", "erin-1", "frank-1")


@dataclass(frozen=True)
class Town:
    """A community and its people."""

    community: Community
    alice: User
    bob: User
    charlie: User
    operator: User
    planner: User

    def point(self, code: str) -> MeteringPoint:
        return self.community.metering_points.get(code=code)

    def participant(self, code: str) -> Participant:
        return self.point(code).site.participant

    def zone(self, code: str) -> Zone:
        return self.community.zones.get(code=code)


def build_town(name: str = "Town", meters: Sequence[str] = METERS) -> Town:
    """Create the community with its members; nothing was metered yet."""
    community = create_community(
        name=name, rules_document=preset("demo"), effective_from=START, now=START
    )
    add_members(
        community_id=community.id,
        members=[NewMember(meter=meter, name=meter.title()) for meter in meters],
        active_from=START,
        now=START,
    )
    south = Zone.objects.create(community=community, code="south", name="South")
    Site.objects.filter(metering_points__code__in=SOUTH, zone__community=community).update(
        zone=south
    )
    people = {
        # Without a password: hashing ten of them takes longer than the market.
        each: User.objects.create_user(f"{each}@{name}.example")
        for each in ("alice", "bob", "charlie", "operator", "planner")
    }
    town = Town(community, **people)
    for each in ("alice", "bob"):
        if f"{each}-1" in meters:
            join(user_id=people[each].pk, participant_id=town.participant(f"{each}-1").id)
    for role in ("operator", "planner"):
        held = add_participant(role=role, name=role.title(), community_id=community.id)
        join(user_id=people[role].pk, participant_id=held)
    return town


def rows_of_hour(hour: int, meters: Sequence[str] = METERS) -> list[ReadingRow]:
    """Return one reading of each meter: every other one has a surplus."""
    start = (START + timedelta(hours=hour)).isoformat()
    return [
        ReadingRow(
            meter,
            start,
            import_wh=0 if number % 2 else 1000 + 100 * hour + number,
            export_wh=700 + 10 * number if number % 2 else 0,
        )
        for number, meter in enumerate(meters)
    ]


def send(town: Town, rows: Sequence[ReadingRow]) -> Imported:
    """Import readings."""
    return import_readings(
        community_id=town.community.id,
        readings=readings_of_rows(minutes=60, rows=rows),
        source="test",
        sha256="0" * 64,
        now=NOW,
    )


def run_market(town: Town, now: datetime = NOW) -> None:
    """Clear, settle and book everything that is due."""
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    while advance_community(community_id=town.community.id, now=now).any:
        worker.settle_inbox(now=now)
    worker.give_back()
