"""The demo's forward market: a made-up quarter of two zones that trades the hours ahead.

Nothing is metered there: its orders follow a sunny day's shape and each meter's own number, so that
there is a book to look at and to trade against while the demo runs.
"""

from datetime import UTC, datetime, timedelta
from math import pi, sin
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from marketplace.domain.orders import BUY, SELL, OrderColumns
from marketplace.domain.rules import preset
from marketplace.queries.communities import find_community
from marketplace.queries.people import list_meter_points
from marketplace.services.orders import place_orders
from marketplace.services.places import NewMember, add_members, create_community

NAME: Final = "Xihe Quarter"
LOCAL_NAME: Final = "曦和坊"
ZONES: Final = ("hill", "river")
ENTERPRISE: Final = NewMember(meter="X12", name="Old Mill", role="enterprise", zone="river")
HOUSEHOLDS: Final = 11
HOURS_AHEAD: Final = 8
MINUTES: Final = 15
LINK_WH: Final = 1_500
LINK_FEE_MICRO: Final = 5_000
# Of a quarter of an hour, at noon and for a home of middling appetite. [Wh]
ROOF_WH: Final = 900
HOME_WH: Final = 350
MILL_WH: Final = 4_000
BATTERY_WH: Final = 600


def forward_rules() -> dict[str, Any]:
    """Return the forward preset with two zones and a narrow link each way."""
    links = [
        {
            "from": one,
            "to": other,
            "limit_wh": LINK_WH,
            "loss_ppm": 0,
            "fee_micro_per_kwh": LINK_FEE_MICRO,
        }
        for one, other in (ZONES, ZONES[::-1])
    ]
    return {**preset("demo-forward"), "zones": list(ZONES), "links": links}


def build_forward_quarter(*, now: datetime) -> int:
    """Create the quarter, or find it, and let its members order for the hours ahead.

    Safe to repeat: an order has a key of its interval and meter, and what is known is not placed
    again.

    Returns
    -------
    int
        The community.
    """
    found = find_community(name=NAME)
    community_id = found.id if found else _create(now)
    points = list_meter_points(community_id=community_id)
    for meter, (point_id, participant_id) in sorted(points.items()):
        place_orders(participant_id=participant_id, orders=_orders(meter, point_id, now), now=now)
    return community_id


def _create(now: datetime) -> int:
    start = now - timedelta(days=1)
    community = create_community(
        name=NAME,
        local_name=LOCAL_NAME,
        rules_document=forward_rules(),
        effective_from=start,
        now=now,
    )
    homes = [
        NewMember(meter=f"X{number:02d}", name=f"X{number:02d}", zone=ZONES[number % 2])
        for number in range(1, HOUSEHOLDS + 1)
    ]
    add_members(community_id=community.id, members=[*homes, ENTERPRISE], active_from=start, now=now)
    return community.id


def _orders(meter: str, point_id: int, now: datetime) -> OrderColumns:
    """Return a member's orders: roofs sell what they have over, the others buy what they lack."""
    zone = ZoneInfo(str(forward_rules()["timezone"]))
    gate = timedelta(minutes=int(forward_rules()["gate_closure_minutes"]))
    first = _next_quarter(now + gate)
    starts = [first + timedelta(minutes=MINUTES * n) for n in range(HOURS_AHEAD * 60 // MINUTES)]
    number = int(meter[1:])
    lines = [_line(number, start.astimezone(zone)) for start in starts]
    sides, limits, energies = (
        np.array(column, dtype=np.int64) for column in zip(*lines, strict=True)
    )
    count = len(starts)
    return OrderColumns(
        metering_point_ids=np.full(count, point_id, dtype=np.int64),
        zones=[""] * count,
        starts_s=np.array([int(start.timestamp()) for start in starts], dtype=np.int64),
        sides=sides,
        limits=limits,
        quantities_wh=energies,
        minimums_wh=np.zeros(count, dtype=np.int64),
        expires_us=np.zeros(count, dtype=np.int64),
        keys=[f"demo {start:%Y-%m-%dT%H:%M}" for start in starts],
    )


def _line(number: int, civil: datetime) -> tuple[int, int, int]:
    """Return side, limit and energy of a meter's order; its number makes it a little different."""
    hour = civil.hour + civil.minute / 60
    sun = max(0.0, sin(pi * (hour - 6) / 12))
    spread = (number * 7919) % 11
    if number > HOUSEHOLDS:
        return BUY, 470_000 + 1_000 * spread, MILL_WH
    surplus = int(ROOF_WH * sun * (0.7 + number / 20)) - HOME_WH
    if number % 3 and surplus > 0:
        return SELL, 380_000 + 9_000 * spread, surplus
    if number % 4 == 1:  # a battery, filled at noon
        return SELL, 420_000 + 6_000 * spread, BATTERY_WH
    return BUY, 400_000 + 9_000 * spread, HOME_WH + 20 * number


def _next_quarter(moment: datetime) -> datetime:
    step = MINUTES * 60
    return datetime.fromtimestamp(-(-int(moment.timestamp()) // step) * step, UTC)
