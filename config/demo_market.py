"""The demo city's data market: products of every sort, a request, contracts on their way.

All of it is synthetic (`fixtures/build_mobility.py`), and goes the way that everybody's data goes:
uploads in quarantine, validators, the privacy gate, packages, signed contracts.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from analytics.services import refresh_indicators
from config.demo_booking import book
from marketplace.domain.data.matching import PPM
from marketplace.domain.data.wishes import MICRODEGREES, Area, Wish
from marketplace.queries.data.contracts import list_contracts
from marketplace.queries.data.products import list_products
from marketplace.queries.data.wishes import list_wishes
from marketplace.services.data.charge_scans import note_answers
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_waiting, propose_contract
from marketplace.services.data.delivery_scan import advance_deliveries, sign_waiting
from marketplace.services.data.feed_versions import begin_feed_version, work_waiting_feeds
from marketplace.services.data.intake import add_upload
from marketplace.services.data.probes import look_at_due_feeds
from marketplace.services.data.products import create_product, list_product
from marketplace.services.data.storage import take_in
from marketplace.services.data.version_work import work_version
from marketplace.services.data.wishes import post_wish
from marketplace.services.wallets import post_deposit

FIXTURES: Final = Path(__file__).resolve().parent.parent / "fixtures"
STATIONS: Final = FIXTURES / "bike_stations_synthetic.csv"
DEPOSIT_MICRO: Final = 500_000_000
# Where the demo's own bike operator serves its feed; `./dev run` sets it.
FEED_VARIABLE: Final = "HELIOPOLIS_DEMO_FEED"
_PIECE: Final = 1 << 20
_ZONE: Final = "Asia/Shanghai"


def trade(
    *,
    provider_id: int,
    buyer_id: int,
    planner_id: int,
    now: datetime,
    clock: Callable[[], datetime],
) -> None:
    """Publish, ask and sign what is not there yet.

    Parameters
    ----------
    provider_id, buyer_id, planner_id : int
        The data provider, an enterprise and the city's planners, all with wallets.
    clock : callable
        Tells the time at which the feed is asked: its own clock went on while the city was built,
        and what it says of the future is refused.
    """
    for participant_id, reference in ((buyer_id, "demo-enterprise"), (planner_id, "demo-planning")):
        post_deposit(
            participant_id=participant_id,
            amount_micro=DEPOSIT_MICRO,
            reference=reference,
            now=now,
        )
    book(now)
    known = _offered(provider_id)
    for terms, format_, files in _FILES:
        if terms["title"] not in known:
            _publish(provider_id, terms, format_, files, now)
    feed = os.environ.get(FEED_VARIABLE)
    if feed and _FEED["title"] not in known:
        _connect(provider_id, feed, clock())
    refresh_indicators(now=now)
    _ask(buyer_id, now)
    _sign(provider_id, buyer_id, planner_id, now)


def _publish(
    provider_id: int,
    terms: Mapping[str, Any],
    format_: str,
    files: Mapping[str, str],
    now: datetime,
) -> None:
    """Publish a file as its provider would, and confirm what the gate leaves of it."""
    product_id = create_product(
        provider_id=provider_id, is_feed=False, format_=format_, terms=terms, now=now
    )
    version_id = 0
    for role, name in files.items():
        content = (FIXTURES / name).read_bytes()
        version_id = add_upload(
            product_id=product_id,
            participant_ids=[provider_id],
            upload=take_in(content[at : at + _PIECE] for at in range(0, len(content), _PIECE)),
            file_name=name,
            role=role,
            is_confirmed=True,
            now=now,
        )
    work_version(version_id=version_id, now=now)
    list_product(product_id=product_id, participant_ids=[provider_id], now=now)


def _offered(provider_id: int) -> dict[str, int]:
    """Return products by title; drafts that a broken start left are none of them."""
    lines = list_products(participant_ids=[provider_id])
    return {line.title: line.id for line in lines if line.state != "draft"}


def _connect(provider_id: int, feed: str, now: datetime) -> None:
    """Connect the live feed, and look at it once."""
    product_id = create_product(
        provider_id=provider_id,
        is_feed=True,
        format_="gbfs",
        terms=_FEED,
        source_url=f"{feed}/gbfs.json",
        now=now,
    )
    begin_feed_version(product_id=product_id, participant_ids=[provider_id], now=now)
    work_waiting_feeds(now=now)
    list_product(product_id=product_id, participant_ids=[provider_id], now=now)
    look_at_due_feeds(now=now)


def _ask(buyer_id: int, now: datetime) -> None:
    """Ask for more days than anybody has: a part is covered."""
    if list_wishes(buyer_ids=[buyer_id]):
        return
    wish = Wish(
        title="Where do cyclists go in June?",
        area=Area(*(round(each * MICRODEGREES) for each in (106.52, 29.52, 106.58, 29.58))),
        first_day=date(2026, 6, 1),
        last_day=date(2026, 6, 30),
        resolution_s=24 * 3600,
        age_s=None,
        minimum_group=10,
        limit_price_micro=40_000_000,
        deadline_at=datetime.combine(now.date() + timedelta(days=90), time(), UTC),
    )
    post_wish(buyer_id=buyer_id, format_="trips", kind=1, wish=wish, now=now)


def _sign(provider_id: int, buyer_id: int, planner_id: int, now: datetime) -> None:
    """Let the enterprise buy the flows and the feed, the planners the counts and questions."""
    products = _offered(provider_id)
    wanted = (
        (buyer_id, _FILES[0][0]["title"], Choice(months=1)),
        (buyer_id, _FEED["title"], Choice(months=12)),
        (planner_id, _FILES[1][0]["title"], Choice(months=1)),
        (planner_id, _FILES[0][0]["title"], Choice(months=3, privacy_budget_micro_epsilon=PPM)),
    )
    for participant_id, title, choice in wanted:
        own = {line.product_title for line in list_contracts(participant_ids=[participant_id])}
        if title in own or title not in products:
            continue
        text = draft_contract(
            product_id=products[title], buyer_id=participant_id, choice=choice, now=now
        )
        propose_contract(text=text, participant_id=participant_id, signature=None, now=now)
    accept_waiting(now=now)
    # Money, the seller's proof of origin: then it is the buyer's turn.
    for _step in range(2):
        book(now)
        note_answers(now=now)
        advance_deliveries(now=now)
        sign_waiting(now=now)


_FILES: Final[tuple[tuple[dict[str, Any], str, dict[str, str]], ...]] = (
    (
        {
            "title": "Bike flows between areas (synthetic)",
            "description": "Shared bicycles in June: how many went from where to where, by hour"
            " where enough people rode, coarser where not.",
            "keywords": ["bicycles", "flows"],
            "theme": "bike-sharing-availability",
            "frequency": "MONTHLY",
            "licence": "contract",
            "price": {"form": "one_off", "price_micro": 25_000_000},
            "reading": {"columns": {}, "zone": _ZONE},
            "query_budget_micro_epsilon": 3_000_000,
            "is_for_planning": True,
        },
        "trips",
        {"stations": STATIONS.name, "data": "bike_trips_synthetic.csv.gz"},
    ),
    (
        {
            "title": "Cars on ten streets, every quarter of an hour (synthetic)",
            "description": "Loops in the roadway, three weeks of June.",
            "keywords": ["cars", "loops"],
            "theme": "traffic-volume",
            "frequency": "MONTHLY",
            "licence": "cc-by-4.0",
            "price": {"form": "free"},
            "reading": {"columns": {}, "zone": _ZONE},
            "is_for_planning": True,
        },
        "counts",
        {"data": "traffic_counts_synthetic.csv.gz"},
    ),
    (
        {
            "title": "公交时刻表（虚构）",
            "description": "三条线路，工作日与周末。",
            "language": "zh",
            "keywords": ["公交", "时刻表"],
            "theme": "timetables-static",
            "frequency": "ANNUAL",
            "licence": "cc0-1.0",
            "price": {"form": "free"},
            "is_for_planning": True,
        },
        "gtfs",
        {"data": "timetable_synthetic.zip"},
    ),
)
_FEED: Final[dict[str, Any]] = {
    "title": "Bikes at the stations, live (synthetic)",
    "description": "How many bikes and docks are free, renewed every minute.",
    "keywords": ["bicycles", "live"],
    "theme": "bike-sharing-availability",
    "frequency": "1MIN",
    "licence": "contract",
    "price": {
        "form": "per_request",
        "price_micro": 20_000_000,
        "cap_micro": 30_000_000,
        "free_units": 100,
    },
    "service_level": {
        "type": "heliopolis/service-level/1",
        "period": "civil-month",
        "max_age_s": "300",
        "availability_ppm": "990000",
        "freshness_ppm": "950000",
        "validity_ppm": "990000",
        "completeness_ppm": "900000",
        "credit_ppm_per_percent": "50000",
        "credit_most_ppm": "1000000",
    },
    "reading": {"docked": True},
    "is_for_planning": True,
}
