"""Hourly matching says which hours are not covered, before anybody reads a bar."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from config.web.certificate_cards import clock_card, finding_of_clock, finding_of_map, map_card
from config.web.certificate_days import HourOfDay, clock_of, days_of
from marketplace.queries.certificate_hours import CertifiedHour


@pytest.mark.parametrize(
    ("hours", "finding"),
    [
        ([(0, 0, 0)], "Nothing was used in this month"),
        ([(100, 0, 0), (300, 0, 0)], "No certificate covers any hour; most is missing at 01:00"),
        (
            [(200, 0, 0), (200, 0, 200)],
            (
                "Nothing is certified yet; what is held could cover 50\N{NO-BREAK SPACE}%, and "
                "most is missing at 00:00"
            ),
        ),
        (
            [(100, 100, 0), (300, 0, 100)],
            "25\N{NO-BREAK SPACE}% of the consumption is certified; most is missing at 01:00",
        ),
        ([(100, 100, 0), (300, 0, 300)], "What is held could certify every hour"),
        ([(100, 100, 0), (300, 300, 0)], "Every hour is certified"),
    ],
)
def test_the_clock_says_how_much_is_certified_and_when_most_is_missing(
    hours: list[tuple[int, int, int]], finding: str
) -> None:
    with translation.override("en"):
        assert finding_of_clock([HourOfDay(at, *wh) for at, wh in enumerate(hours)]) == finding


def test_a_month_s_cards_count_hours_and_show_what_is_held_apart() -> None:
    at = [datetime(2026, 6, 15, hour, tzinfo=UTC) for hour in (3, 4, 5, 6)]
    used = [(500, 500, 900), (500, 100, 100), (500, 0, 0), (0, 0, 700)]
    hours = [CertifiedHour(start, *wh) for start, wh in zip(at, used, strict=True)]
    zone = ZoneInfo("UTC")
    with translation.override("en"):
        clock, days = clock_of(hours, zone), days_of(hours, zone)
        assert finding_of_map(days) == "1 of 3 hours are certified in full, 1 not at all"
        assert [row[1:] for row in clock_card(clock).rows[3:7]] == [
            ("0.500", "0.500", "0.000", "0.000"),
            ("0.500", "0.100", "0.100", "0.300"),
            ("0.500", "0.000", "0.000", "0.500"),
            ("0.000", "0.000", "0.000", "0.000"),
        ]
        assert map_card(days).rows[0][:4] == (
            date(2026, 6, 15).isoformat(),
            "1.500",
            "0.600",
            "1.700",
        )
