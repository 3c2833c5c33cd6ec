"""A city with everything that moves energy or money in a month: zones, links, agreements, fees.

Two days of June, an hour of which was corrected and one that a meter missed; a final month; a
small sale of data. Its days were released, and the month was published, after the correction.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from analytics.services import publish_due_figures
from config.replay.agreeing import agree
from config.replay.pipeline import replay
from marketplace.domain.rules import preset
from marketplace.models import User
from marketplace.queries.agreements import list_agreements
from marketplace.queries.people import list_meter_points
from marketplace.services.billing import preview_billing
from marketplace.services.billing_final import finalise_billing
from marketplace.services.people import add_participant, add_person, join
from marketplace.services.places import NewMember
from marketplace.services.wallets import open_wallet, post_deposit
from tests.data.busy_market import trade
from tests.data.exchanging import Trader
from tests.web.city import PASSWORD, PEOPLE, City, address

FIRST, LAST, MONTH = date(2026, 6, 15), date(2026, 6, 16), date(2026, 6, 1)
HOMES: Final = 12
MISSING: Final = ("m5", "2026-06-16T23")
CORRECTED: Final = "2026-06-15T12"
EARLY, SETTLED = (datetime(2026, 6, day, 4, tzinfo=UTC) for day in (15, 20))
PUBLISHED = datetime(2026, 7, 8, tzinfo=UTC)
LINK: Final = {"limit_wh": 900, "loss_ppm": 0, "fee_micro_per_kwh": 4_001}
FEE_LINE: Final = {
    **dict.fromkeys(("from_zone", "to_zone", "level"), "*"),
    "days": "all",
    "from": "00:00",
    "to": "24:00",
    "months": [6],
    "price_micro_per_kwh": 10_001,
}
RULES: Final[dict[str, Any]] = {
    **preset("demo-agreements"),
    "zones": ["north", "south"],
    "links": [{"from": "north", "to": "south", **LINK}, {"from": "south", "to": "north", **LINK}],
    "grid_fees": {"formula": "table", "lines": [FEE_LINE]},
}
NAMES: Final = {"m0": "Alice's home", "m1": "Bob's home", "m2": "Bakery"}


def build_totals_city(folder: Path) -> City:
    """Carry the days through the market, and bill and publish their month."""
    _replay(folder / "early.csv", readings(is_corrected=False), EARLY)
    community_id = _replay(folder / "corrected.csv", readings(is_corrected=True), SETTLED)
    ids = {}
    for name, (role, participant) in PEOPLE.items():
        place = None if role in ("operator", "planner") else community_id
        ids[name] = add_participant(role=role, name=participant, community_id=place)
        user_id = add_person(email=address(name), password=PASSWORD)
        join(user_id=user_id, participant_id=ids[name])
    run = preview_billing(
        community_id=community_id, month=MONTH, tax_ppm=0, tax_is_included=False, now=PUBLISHED
    )
    finalise_billing(run_id=run, now=PUBLISHED)
    assert publish_due_figures(now=PUBLISHED) == 1
    city = City(community_id, ids)
    _sell_data(city, datetime.now(UTC))
    return city


def _replay(file: Path, lines: str, now: datetime) -> int:
    file.write_text(lines)
    done = replay(
        file,
        community_name="Lindenhof",
        local_name="菩提苑",
        rules_document=RULES,
        timezone=None,
        now=now,
        members={f"m{number}": _member(number) for number in range(HOMES)},
        on_members=_agree,
    )
    return done.community_id


def _member(number: int) -> NewMember:
    meter = f"m{number}"
    member = NewMember(
        meter=meter,
        name=NAMES.get(meter, f"Home {number}"),
        zone="south" if number // 2 % 2 else "north",
    )
    return replace(member, role="enterprise") if meter == "m2" else member


def _agree(community_id: int, starts_at: datetime) -> None:
    """Let Alice sell to the bakery, a home to one next to it, and another give to Bob."""
    points = list_meter_points(community_id=community_id)
    if list_agreements(participant_id=points["m0"][1]):
        return
    for kind, seller, buyer, price in (
        ("contract", "m0", "m2", 430_001),
        ("contract", "m6", "m3", 430_003),
        ("gift", "m4", "m1", 0),
    ):
        agree(
            kind="contract" if kind == "contract" else "gift",
            seller=points[seller],
            buyer=points[buyer],
            price_micro_per_kwh=price,
            rank=None,
            now=starts_at,
        )


def readings(*, is_corrected: bool) -> str:
    """Return two days on which even homes have sun from nine to four, and everybody cooks."""
    lines = ["meter,start,minutes,import_wh,export_wh"]
    for day in (FIRST, LAST):
        for hour in range(24):
            moment = f"{day}T{hour:02d}"
            for number in range(HOMES):
                if (f"m{number}", moment) == MISSING:
                    continue
                sunny = 9 <= hour < 16 and number % 2 == 0
                export = 700 + 13 * number + 17 * hour + day.day if sunny else 0
                is_busy = 9 <= hour < 16
                used = 0 if sunny else (900 + 9 * number + 11 * hour) * (3 if is_busy else 1)
                if is_corrected and moment == CORRECTED:
                    used += 101 + number
                lines.append(f"m{number},{moment}:00:00+08:00,60,{used},{export}")
    return "\n".join(lines) + "\n"


def _sell_data(city: City, now: datetime) -> None:
    """Let the bakery ask for data, buy some, complain of one file and pay for another."""
    dora, erin = (
        Trader(User.objects.get(email=address(name)), city.participant_ids[name])
        for name in ("dora", "erin")
    )
    for each in (dora, erin):
        open_wallet(participant_id=each.participant_id, currency="CNY")
    post_deposit(participant_id=erin.participant_id, amount_micro=10**9, reference="erin", now=now)
    trade(dora, erin, now)
