"""Every address of the hall as a planner: released figures, their own affairs, and nothing else.

A new address is closed to planners until it stands here with its reason. The addresses that name
something of the data market are in `tests/data/test_hostile_readers.py`.
"""

import re
from typing import Any, Final

from django.test import Client

from tests.data.test_hostile_readers import OURS
from tests.test_public_views import ALL, is_public
from tests.town import START, Town

# By `queries/disclosed.py` alone; an import contract holds these to it.
RELEASED: Final = {
    *(f"api_analytics_{each}" for each in ("energies", "prices", "flows", "links", "health")),
    *(f"api_analytics_{each}" for each in ("savings", "carbon", "peaks")),
    *(f"city_{each}" for each in ("equity", "flows", "health", "methods", "mobility", "prices")),
    *("planner", "city_file", "city_report", "what_if", "what_if_answer", "what_if_file"),
    *("api_what_ifs", "api_what_if"),
}
# Of the planner alone, as buyer of data and as a person.
OWN: Final = {
    *("api_me", "api_signing_key", "notices", "mail_settings", "join_state"),
    *("organisation", "privacy", "own_data", "receipts"),
    *("market", "market_contracts", "market_feeds", "market_deliveries", "market_charges"),
    *("market_disputes", "market_invoices", "market_invoices_file", "market_requests"),
    "api_order_events",
}
# The same for everybody: which communities there are, what is for sale, how the API is called.
FOR_ALL: Final = {
    *("api_communities", "api_data_deposit_key", "api_data_catalogue", "catalogue"),
    *("api_schema", "api_docs"),
}
EMPTY: Final = (b'{"next":null,"results":[]}', b'{"results":[]}', b"[]")


def test_planners_get_released_figures_and_nothing_else(town: Town, planner: Client) -> None:
    alice = town.participant("alice-1").id
    [own] = (each["participant_id"] for each in planner.get("/api/v1/me/").json()["roles"])
    ids = {
        "community_id": town.community.id,
        "metering_point_id": town.point("alice-1").id,
        "interval_id": town.community.intervals.earliest("id").id,
    }
    asked: dict[str, str | int] = {
        **{name.removesuffix("_id"): value for name, value in ids.items()},
        "participant": alice,
        "month": f"{START:%Y-%m}",
        "first": f"{START:%Y-%m-%d}",
        "last": f"{START:%Y-%m-%d}",
        "start": START.isoformat(),
        "end": START.replace(hour=23).isoformat(),
    }
    shown = RELEASED | OWN | FOR_ALL
    assert shown <= {name for name, *_ in ALL}
    for name, path, pattern in ALL:
        if name in shown or is_public(pattern) or OURS.match(path):
            continue
        for participant_id in {alice, own} if "participant_id" in path else {alice}:
            filled = with_ids(path, {**ids, "participant_id": participant_id})
            assert is_closed(planner.get(filled, asked)), (
                f"{name} ({filled}) answers planners. Close it to them, or name it here and say "
                "why they may read it."
            )


def with_ids(path: str, ids: dict[str, int]) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(ids.get(part[1], 1)), path)


def is_closed(answer: Any) -> bool:
    """Tell whether an answer holds nothing; 400 means that ``asked`` lacks what it asks for."""
    if answer.status_code == 200 and not answer.streaming:
        return answer.content in EMPTY
    return answer.status_code in (401, 403, 404, 405)
