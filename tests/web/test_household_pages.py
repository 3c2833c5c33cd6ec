"""A household's pages: the same figures on all of them, and those of the statement's lines."""

import re
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from analytics.domain.figures import MemberTotals
from analytics.domain.money_steps import money_steps
from analytics.queries import find_energy_forecast
from analytics.services import make_forecasts
from config.templatetags.figures import kwh
from config.web.household.home import what_is_ahead
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.rule_preview import OwnPast, as_it_was, preview_rule
from marketplace.queries.pages_member import list_meters
from marketplace.queries.statements import list_statement_lines, total_of
from tests.web.city import DAY, NOW, City, signed_in
from tests.web.test_rule_page import form, rule_path

_FIGURE = re.compile(r'<data value="(-?\d+)" data-figure="(\w+)" data-of="([^"]+)"')


def figures(page: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for value, name, _of in _FIGURE.findall(page):
        found.setdefault(name, set()).add(int(value))
    return found


def test_home_day_month_and_year_say_what_the_statement_says(city: City) -> None:
    persona, place = city.persona("alice"), city.place()
    me = persona.participant_id
    client = signed_in("alice")
    pages = {
        name: client.get(path).content.decode()
        for name, path in {
            "home": f"/household/{me}/",
            "day": f"/household/{me}/day/{DAY}/",
            "month": f"/member/{me}/months/",
            "year": f"/member/{me}/year/",
        }.items()
    }
    start, end = day_bounds(date.fromisoformat(DAY), place.zone)
    lines = list_statement_lines(persona=persona, place=place, start=start, end=end)
    totals = total_of(lines)
    assert totals.saved_micro > 0
    for name, page in pages.items():
        shown = figures(page)
        assert shown["saved_micro"] == {totals.saved_micro}, name
        for figure in ("export_wh", "import_wh", "net_micro", "earned_micro", "paid_micro"):
            assert shown.get(figure, {getattr(totals, figure)}) == {getattr(totals, figure)}, name
        assert "<data" in page and f"member:{me}" in page


def test_steps_come_to_the_net_to_the_unit() -> None:
    draw = np.random.default_rng(7)
    for _number in range(200):
        values = [int(value) for value in draw.integers(-(10**9), 10**9, 18)]
        steps = money_steps(MemberTotals("member:1", None, None, *values[:18]))  # type: ignore[arg-type]  # no times are needed
        changes = (steps.sold_micro, steps.bought_micro, steps.agreed_micro, steps.fees_micro)
        assert steps.alone_micro + sum(changes) + steps.rest_micro == steps.net_micro


def test_a_rule_is_tried_before_it_is_saved(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    same = alice.post(path, {**form(point), "try": "1"}).content.decode()
    assert "would have come to the same" in same
    dear = alice.post(path, {**form(point, sell="900"), "try": "1"}).content.decode()
    assert "changed what you got by −¥1.16" in dear  # all that the market was worth
    assert "Earlier rules" not in alice.get(path).content.decode()
    assert (
        "Enter a number"
        in alice.post(path, {**form(point, sell="dear"), "try": "1"}).content.decode()
    )


def past(**changes: list[int]) -> OwnPast:
    columns: dict[str, Any] = {
        "export_wh": [1000, 1000, 0, 0],
        "import_wh": [0, 0, 1000, 1000],
        "sold_wh": [600, 0, 0, 0],
        "bought_wh": [0, 0, 500, 0],
        "zone_export_wh": [4000] * 4,
        "zone_sold_wh": [2000] * 4,
        "zone_import_wh": [8000] * 4,
        "zone_bought_wh": [2000] * 4,
        "prices": [400_000, 300_000, 400_000, 0],
        "has_price": [1, 1, 1, 0],
        "sell_limits": [350_000] * 4,
        "buy_limits": [450_000] * 4,
        "retail": [600_000] * 4,
        "feed_in": [200_000] * 4,
        "platform_fee": [10_000] * 4,
        **changes,
    }
    arrays: dict[str, Any] = {
        name: np.array(values, dtype=np.int64) for name, values in columns.items()
    }
    arrays["has_price"] = arrays["has_price"].astype(np.bool_)
    return OwnPast(**arrays)


@pytest.mark.parametrize(
    ("sell", "buy", "sold", "bought"),
    [
        (350_000, 450_000, 600, 500),  # as it was
        (300_000, 450_000, 600 + 500, 500),  # the second interval too: half of all found a buyer
        (400_001, 399_999, 0, 0),
        (400_000, 400_000, 600, 500),  # a limit is met at its own price
    ],
)
def test_a_tried_rule_trades_where_its_limits_allow(
    sell: int, buy: int, sold: int, bought: int
) -> None:
    limits = np.full(4, sell, dtype=np.int64), np.full(4, buy, dtype=np.int64)
    tried = preview_rule(past(), sell_limits=limits[0], buy_limits=limits[1])
    assert (tried.sold_wh, tried.bought_wh) == (sold, bought)
    if (sell, buy) == (350_000, 450_000):
        assert tried == as_it_was(past())
    if not sold:
        assert tried.net_micro == tried.alone_micro


def test_what_is_ahead_is_said_in_one_sentence(city: City) -> None:
    assert make_forecasts(place=city.place(), now=NOW)
    for name, words in (("alice", "most of it 16 June from 09:00 to 16:00"), ("bob", "draw")):
        meters = list_meters(participant_id=city.participant_ids[name])
        found = find_energy_forecast(metering_point_id=meters[0].metering_point_id)
        assert found is not None
        ahead = what_is_ahead(meters, city.place(), found[0].starts_at)
        assert ahead is not None and words in ahead.sentence
        much = found[0 if name == "alice" else 1].between(
            found[0].starts_at, found[0].starts_at + timedelta(hours=24)
        )
        assert kwh(sum(each.expected or 0 for each in much)) in ahead.sentence
        assert "<polyline" in ahead.picture
    assert what_is_ahead(meters, city.place(), NOW + timedelta(days=9)) is None  # it stands still
