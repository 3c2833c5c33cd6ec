"""The demo city of Heliopolis: communities on real homes, and somebody for every role.

The readings are real, the people are not. The homes' local clock was re-dated into the city's
time zone, and two of the homes stand in for small enterprises; see ``fixtures/README.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path

from analytics.services import publish_due_figures, release_due_days
from analytics.services.carbon import import_carbon
from config import demo_forward, demo_market
from config.demo_yesterday import live_yesterday
from config.replay.agreeing import agree
from config.replay.pipeline import Replayed, replay
from marketplace.domain.agreement_text import AgreementKind
from marketplace.domain.rules import preset
from marketplace.queries.agreements import list_agreements
from marketplace.queries.certificates import list_exporting_meters
from marketplace.queries.communities import find_community
from marketplace.queries.identity import is_erased
from marketplace.queries.people import find_member, list_meter_points
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.people import add_participant, add_person, join
from marketplace.services.places import NewMember
from marketplace.services.production_devices import NewDevice, register_devices
from marketplace.services.wallets import open_wallet

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
HOMES = FIXTURES / "homes_summer_week.csv"
CARBON = FIXTURES / "carbon_intensity_synthetic.csv"
CARBON_SOURCE = "synthetic, made by fixtures/build_carbon.py: no grid was measured"
CURRENCY = "CNY"
# Nobody knows how large the homes' roofs are; a common size stands for each.
ROOF_CAPACITY_W = 6_000
ROOF_COMMISSIONED = date(2024, 5, 1)
CONTRACT_PRICE_MICRO = 430_000


@dataclass(frozen=True)
class DemoCommunity:
    """A community of the demo city and the homes whose readings it uses."""

    name: str
    local_name: str
    meters: tuple[str, ...]
    enterprise: NewMember
    rules: str


@dataclass(frozen=True)
class DemoPerson:
    """Who signs in, and what they may see."""

    email: str
    language: str
    acts_for: str


SHANCHENG = DemoCommunity(
    "Shancheng Court",
    "山城苑",
    tuple(f"H{number:02d}" for number in range(1, 10)),
    NewMember(meter="H09", name="Sunrise Bakery", role="enterprise"),
    "demo",
)
HUPAN = DemoCommunity(
    "Hupan Lane",
    "湖畔里",
    tuple(f"H{number:02d}" for number in range(10, 18)),
    NewMember(meter="H17", name="Lakeside Workshop", role="enterprise"),
    "demo-agreements",
)
PEOPLE = (
    DemoPerson("alice@heliopolis.example", "en", "household H01 in Shancheng Court"),
    DemoPerson("bo@heliopolis.example", "zh-hans", "household H10 in Hupan Lane 湖畔里"),
    DemoPerson("baker@heliopolis.example", "en", "enterprise Sunrise Bakery"),
    DemoPerson("mill@heliopolis.example", "en", "enterprise Old Mill in Xihe Quarter 曦和坊"),
    DemoPerson("bikes@heliopolis.example", "en", "data provider Heliopolis Bikes"),
    DemoPerson("planner@heliopolis.example", "en", "city planner"),
    DemoPerson("operator@heliopolis.example", "en", "operator"),
)


def build_city(
    *,
    password: str,
    folder: Path,
    now: datetime,
    clock: Callable[[], datetime],
    on_progress: Callable[[str, int, int], None],
) -> list[tuple[DemoCommunity, Replayed]]:
    """Build the demo city, or find it as it was left; every step is safe to repeat.

    Parameters
    ----------
    password : str
        For everybody who does not exist yet.
    folder : Path
        Where each community's part of the readings is written.
    clock : callable
        Tells what time it is by then.
    on_progress : callable
        Called with (community, settled intervals, all intervals).
    """
    quarter_id = _quarter(now)
    replayed = []
    for community in (SHANCHENG, HUPAN):
        path = folder / f"{community.name.lower().replace(' ', '-')}.csv"
        _write_part(path, community.meters)
        done = replay(
            path,
            community_name=community.name,
            local_name=community.local_name,
            rules_document=preset(community.rules),
            timezone=None,
            now=now,
            members={community.enterprise.meter: community.enterprise},
            on_members=_agree if community is HUPAN else _agree_on_nothing,
            on_progress=partial(on_progress, community.name),
        )
        replayed.append((community, done))
        _certificates(done.community_id, now)
    import_carbon(CARBON, source=CARBON_SOURCE)
    demo_forward.order_ahead(community_id=quarter_id, now=now)
    communities = {each.name: done.community_id for each, done in replayed}
    participants = _people(password, {**communities, demo_forward.NAME: quarter_id})
    # The homes' month is over long since: the public's figures of it are due.
    release_due_days(now=now)
    publish_due_figures(now=now)
    demo_market.trade(
        provider_id=participants["bikes"],
        buyer_id=participants["baker"],
        planner_id=participants["planner"],
        now=now,
        clock=clock,
    )
    return replayed


def _quarter(now: datetime) -> int:
    """Return the quarter that trades ahead; it is made first, since its past comes first."""
    found = find_community(name=demo_forward.NAME)
    if found is not None:
        return found.id
    community_id, yesterday = demo_forward.create_quarter(now=now)
    live_yesterday(community_id=community_id, day=yesterday)
    _certificates(community_id, now)
    return community_id


def _agree_on_nothing(community_id: int, starts_at: datetime) -> None:
    """Leave everything to the pool."""


def _agree(community_id: int, starts_at: datetime) -> None:
    """Let H10 and the workshop fix a price, and H11 give to H12 for nothing, before the week."""
    points = list_meter_points(community_id=community_id)
    agreed: tuple[tuple[AgreementKind, str, str, int], ...] = (
        ("contract", "H10", "H17", CONTRACT_PRICE_MICRO),
        ("gift", "H11", "H12", 0),
    )
    for kind, seller, buyer, price in agreed:
        if list_agreements(participant_id=points[seller][1]):
            continue
        agree(
            kind=kind,
            seller=points[seller],
            buyer=points[buyer],
            price_micro_per_kwh=price,
            rank=None,
            now=starts_at,
        )


def _certificates(community_id: int, now: datetime) -> None:
    """Register the roofs that export, and issue the certificates of the week."""
    roofs = list_exporting_meters(community_id=community_id)
    if roofs.meters and roofs.first_start is not None and not roofs.has_devices:
        register_devices(
            community_id=community_id,
            devices=[
                NewDevice(meter, "solar", ROOF_CAPACITY_W, ROOF_COMMISSIONED)
                for meter in roofs.meters
            ],
            active_from=roofs.first_start,
            now=now,
        )
    while issue_due_certificates(community_id=community_id, now=now):
        pass


def _write_part(path: Path, meters: tuple[str, ...]) -> None:
    """Write the rows of some meters into a file of their own."""
    lines = HOMES.read_text(encoding="utf-8").splitlines(keepends=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = [line for line in lines[1:] if line.partition(",")[0] in meters]
    path.write_text(lines[0] + "".join(chosen), encoding="utf-8")


def _people(password: str, communities: dict[str, int]) -> dict[str, int]:
    """Let each person of the demo act for their participant; return participants by name."""
    participants = {
        "alice": find_member(community_id=communities[SHANCHENG.name], meter="H01"),
        "bo": find_member(community_id=communities[HUPAN.name], meter="H10"),
        "baker": find_member(community_id=communities[SHANCHENG.name], meter="H09"),
        "mill": find_member(
            community_id=communities[demo_forward.NAME], meter=demo_forward.ENTERPRISE.meter
        ),
        "bikes": add_participant(role="data_provider", name="Heliopolis Bikes"),
        "planner": add_participant(role="planner", name="City planning office"),
        "operator": add_participant(role="operator", name="Heliopolis hall"),
    }
    for person in PEOPLE:
        if is_erased(participant_id=participants[person.email.partition("@")[0]]):
            continue  # the demo, too, brings nobody back
        user_id = add_person(email=person.email, password=password, language=person.language)
        join(user_id=user_id, participant_id=participants[person.email.partition("@")[0]])
    for name in ("baker", "bikes", "planner"):
        open_wallet(participant_id=participants[name], currency=CURRENCY)
    return participants
