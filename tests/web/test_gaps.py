"""The gap calendar: what is missing or estimated per meter and civil day, and who may see it."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from marketplace.domain.civil_day import day_bounds
from marketplace.domain.readings.formats.recognition import flows_of_readings
from marketplace.domain.readings.gap_days import IntervalLength, expected_intervals
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.models import MeteringPoint
from marketplace.queries.gaps import list_meter_days, list_own_meters
from marketplace.services.meter_files import import_meter_file
from tests.web.city import DAY, NOW, City, signed_in

BERLIN = ZoneInfo("Europe/Berlin")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def expected(day: date, **changes: datetime) -> int:
    times = {"active_from": LONG_AGO, "now": datetime(2030, 1, 1, tzinfo=UTC), **changes}
    start, end = day_bounds(day, BERLIN)
    return expected_intervals(
        start,
        end,
        lengths=[
            IntervalLength(LONG_AGO, 60),
            IntervalLength(datetime(2026, 7, 1, 10, tzinfo=UTC), 15),
        ],
        active_until=None,
        **times,
    )


def test_a_day_expects_its_own_number_of_intervals() -> None:
    assert [expected(date(2026, 3, day)) for day in (28, 29, 30)] == [24, 23, 24]
    assert expected(date(2025, 10, 26)) == 25
    # Rules of 15 minutes begin at noon; an interval that runs on is not expected yet.
    assert expected(date(2026, 7, 1)) == 12 + 12 * 4
    noon = datetime(2026, 3, 28, 12, 30, tzinfo=BERLIN)
    assert expected(date(2026, 3, 28), now=noon) == 12
    assert expected(date(2026, 3, 28), now=noon - timedelta(minutes=31)) == 11
    assert expected(date(2026, 3, 28), active_from=noon) == 11


def test_calendars_show_gaps_and_are_closed_to_others(city: City) -> None:
    ids = city.participant_ids
    sixth = MeteringPoint.objects.get(code="m5")
    day = date.fromisoformat(DAY)
    place = city.place()
    mine = list_own_meters(participant_id=ids["alice"])
    of_alice = list_meter_days(place=place, points=mine, first=day, last=day, now=NOW)[0].days[0]
    assert (of_alice.expected, of_alice.missing, of_alice.state) == (24, 0, "full")

    # The last home lacks an hour; its reading comes from the meter's operator as an estimate.
    rows = [
        ReadingRow("m5", f"{DAY}T23:00:00+08:00", 500, 0, quality=1),
        ReadingRow("m5", f"{DAY}T20:00:00+08:00", 5660, 0),
    ]
    path = f"/operator/{ids['olga']}/gaps/{city.community_id}/"
    month = f"?month={DAY[:7]}"
    olga = signed_in("olga")
    page = olga.get(path + month).content.decode()
    assert re.search(r'class="gap partial" title="23 of 24 readings">1</td>', page)
    import_meter_file(
        community_id=city.community_id,
        flows=flows_of_readings(readings_of_rows(minutes=60, rows=rows)),
        source="late.csv",
        sha256="0" * 64,
        now=NOW,
    )
    page = olga.get(path + month).content.decode()
    assert page.count('class="gap full" title="24 of 24 readings">·</td>') == 5
    assert 'class="gap estimated" title="24 of 24 readings, 1 estimated">≈1</td>' in page
    assert "late.csv" in page and "2 of 4 intervals have a reading" in page
    assert f"m5: 2 missing from {DAY} 21:00 on" in page

    asked = f"?metering_point={sixth.pk}&first={DAY}"
    answer = olga.get(f"/api/v1/gaps/{asked}&last={DAY}").json()
    assert answer["timezone"] == "Asia/Shanghai"
    assert answer["days"] == [
        {"day": DAY, "expected": 24, "present": 24, "estimated": 1, "substituted": 0, "missing": 0}
    ]
    for last in ("2026-06-14", "2027-06-16", "soon"):
        refused = olga.get(f"/api/v1/gaps/{asked}&last={last}")
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["last"])

    one = olga.get(f"{path}{sixth.pk}/{month}").content.decode()
    assert "24 of 24 readings, 1 estimated" in one and ">m5</h2>" in one
    own = signed_in("alice").get(f"/member/{ids['alice']}/gaps/{month}").content.decode()
    assert "24 of 24 readings" in own and "m5" not in own
    for stranger in ("bob", "charlie"):
        assert signed_in(stranger).get(f"/member/{ids['alice']}/gaps/").status_code == 404
        assert signed_in(stranger).get(path).status_code == 404
    assert signed_in("alice").get(f"{path}{sixth.pk}/").status_code == 404
    assert olga.get(f"/operator/{ids['olga']}/gaps/{city.community_id + 1}/").status_code == 404
