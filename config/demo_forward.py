"""The demo's forward market: a made-up quarter of two zones that trades the hours ahead.

Its orders follow a sunny day's shape and each meter's own number. Yesterday was metered, see
`config.demo_yesterday`; of today there is a book to look at and to trade against.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import pi, sin
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from marketplace.domain.forward.orders import BUY, SELL, OrderColumns
from marketplace.domain.rules import preset
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
CREDIT_MICRO: Final = 1_000_000_000  # a mill's day ahead
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
    changes = {"zones": list(ZONES), "links": links, "credit_limit_micro": CREDIT_MICRO}
    return {**preset("demo-forward"), **changes}


def create_quarter(*, now: datetime) -> tuple[int, datetime]:
    """Create the quarter with its members, two days before now.

    Returns
    -------
    tuple of int and datetime
        The community, and when its yesterday began.
    """
    today = now.astimezone(ZoneInfo(str(forward_rules()["timezone"]))).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    yesterday = (today - timedelta(days=1)).astimezone(UTC)
    since = yesterday - timedelta(days=1)
    community = create_community(
        name=NAME,
        local_name=LOCAL_NAME,
        rules_document=forward_rules(),
        effective_from=since,
        now=since,
    )
    homes = [
        NewMember(meter=f"X{number:02d}", name=f"X{number:02d}", zone=ZONES[number % 2])
        for number in range(1, HOUSEHOLDS + 1)
    ]
    add_members(
        community_id=community.id, members=[*homes, ENTERPRISE], active_from=since, now=since
    )
    return community.id, yesterday


def order_ahead(*, community_id: int, now: datetime) -> None:
    """Let all members order for the hours ahead."""
    gate = timedelta(minutes=int(forward_rules()["gate_closure_minutes"]))
    place_orders_for(community_id, starts_from(_next_quarter(now + gate), HOURS_AHEAD), now=now)


def place_orders_for(community_id: int, starts: Sequence[datetime], *, now: datetime) -> None:
    """Place each member's orders: roofs sell what they have over, others buy what they lack.

    Safe to repeat: an order has a key of its interval and meter, and what is known is not placed
    again.
    """
    points = list_meter_points(community_id=community_id)
    for meter, (point_id, participant_id) in sorted(points.items()):
        orders = _orders(meter, point_id, starts)
        place_orders(participant_id=participant_id, orders=orders, now=now)


def starts_from(first: datetime, hours: int) -> list[datetime]:
    """Return the starts of all intervals of some hours."""
    return [first + timedelta(minutes=MINUTES * n) for n in range(hours * 60 // MINUTES)]


def metered(meter: str, start: datetime) -> tuple[int, int]:
    """Return what a meter has drawn and sent out: what was planned, and a little else. [Wh]"""
    number = int(meter[1:])
    side, _, planned = _line(number, _civil(start))
    percent = 85 + (number * 37 + int(start.timestamp()) // 900 * 53) % 27
    wh = planned * percent // 100
    return (wh, 0) if side == BUY else (0, wh)


def _civil(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(str(forward_rules()["timezone"])))


def _orders(meter: str, point_id: int, starts: Sequence[datetime]) -> OrderColumns:
    number = int(meter[1:])
    lines = [_line(number, _civil(start)) for start in starts]
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
