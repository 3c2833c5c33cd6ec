"""Carbon: a series is taken whole or not at all; avoided is energy times its own hour's grams."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.carbon import Carbon, Use, count_carbon
from analytics.errors import CarbonInvalid
from analytics.models import CarbonIntensity
from analytics.queries.carbon import get_intensities
from analytics.services.carbon import import_carbon

START = datetime(2026, 6, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "start,grams_per_kwh\n"


def counted(uses: list[Use], grams: dict[datetime, int]) -> Carbon:
    return count_carbon(uses, grams, of="community:1", start=START, end=START + HOUR, sources=())


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), max_size=30),
    st.dictionaries(st.integers(0, 29), st.integers(0, 5000)),
)
def test_every_hour_counts_with_its_own_intensity_or_not_at_all(
    energies: list[tuple[int, int]], known: dict[int, int]
) -> None:
    uses = [Use((START + HOUR * n,), *pair) for n, pair in enumerate(energies)]
    found = counted(uses, {START + HOUR * n: grams for n, grams in known.items()})

    pairs = [(pair, known[n]) for n, pair in enumerate(energies) if n in known]
    assert found.avoided_mg == sum(bought * grams for (bought, _drawn), grams in pairs)
    assert found.drawn_mg == sum(drawn * grams for (_bought, drawn), grams in pairs)
    everything = sum(bought + drawn for bought, drawn in energies)
    assert found.bought_wh + found.grid_import_wh + found.unknown_wh == everything
    assert (found.known_hours, found.unknown_hours) == (len(pairs), len(energies) - len(pairs))


def test_hours_known_together_count_with_their_mean() -> None:
    hours = tuple(START + HOUR * n for n in range(3))
    found = counted([Use(hours, 1000, 500)], {hours[0]: 100, hours[1]: 301})
    assert (found.avoided_mg, found.drawn_mg) == (200_500, 100_250)
    assert (found.known_hours, found.unknown_hours, found.unknown_wh) == (2, 1, 0)
    assert found.grams_per_kwh == 200


def test_a_series_is_taken_whole_or_refused_by_line(db: None, tmp_path: Path) -> None:
    file = tmp_path / "grid.csv"
    good = "".join(f"{(START + HOUR * n).isoformat()},{400 + n}\n" for n in range(24))
    for bad, what in (
        ("", "grid.csv:1: the header is another; begin with start,grams_per_kwh"),
        (HEADER, "grid.csv: it tells of no hour"),
        (HEADER + good + "2026-06-17T00:00:00,1\n", "grid.csv:26: .*no offset"),
        (HEADER + "2026-06-17T00:00:00Z,0.4\n", "grid.csv:2: .*whole grams"),
        (HEADER + "2026-06-17T00:00:00Z,9999\n", "grid.csv:2: 9999 g/kWh .*check the unit"),
        (HEADER + "2026-06-17T00:30:00Z,400\n", "grid.csv:2: .*begins no hour"),
        (HEADER + good + good, "grid.csv:26: this hour stands here twice"),
        (HEADER + f"2026-06-17T00:00:00Z,{'x' * 90_000}\n", "grid.csv:2: .{1,200}$"),
    ):
        file.write_text(bad, encoding="utf-8")
        with pytest.raises(CarbonInvalid, match=what):
            import_carbon(file, source="Grid operator, 2026")
    file.write_text(HEADER + good, encoding="utf-8")
    with pytest.raises(CarbonInvalid, match="no source"):
        import_carbon(file, source=" ")
    with pytest.raises(CommandError, match="no community 'Nowhere'; give the name"):
        call_command("import_carbon", str(file), source="Grid operator", community="Nowhere")
    assert not CarbonIntensity.objects.exists()
    for _ in range(2):
        call_command("import_carbon", str(file), source="Grid operator, 2026")
    assert CarbonIntensity.objects.count() == 24


def test_a_community_s_own_series_goes_before_the_city_s(db: None, tmp_path: Path) -> None:
    file = tmp_path / "grid.csv"
    file.write_text(f"{HEADER}{START.isoformat()},400\n{(START + HOUR).isoformat()},410\n")
    import_carbon(file, source="city")
    file.write_text(f"{HEADER}{START.isoformat()},90\n")
    import_carbon(file, source="own", community_id=7)
    own = get_intensities(community_id=7, start=START, end=START + 2 * HOUR)
    assert own.by_hour == {START: 90, START + HOUR: 410}
    assert own.sources == ("city", "own")
    other = get_intensities(community_id=8, start=START, end=START + HOUR)
    assert (other.by_hour, other.sources) == ({START: 400}, ("city",))


def test_a_real_year_of_a_real_grid(db: None, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "homes_fontana" / "carbon_intensity.csv.gz"
    rows = 0
    with (
        gzip.open(source, "rt", encoding="utf-8", newline="") as real,
        (tmp_path / "grid.csv").open("w", encoding="utf-8") as ours,
    ):
        ours.write(HEADER)
        for row in csv.DictReader(real):
            start = datetime.fromisoformat(row["ts_start_local_std"])
            ours.write(
                f"{start.isoformat()}-08:00,{round(float(row['carbon_intensity']) * 1000)}\n"
            )
            rows += 1
    assert import_carbon(tmp_path / "grid.csv", source="CityLearn 2022") == rows == 8760
    first = datetime(2016, 8, 1, 7, tzinfo=UTC)  # the source's first hour, 23:00 local standard
    found = get_intensities(community_id=1, start=first, end=first + HOUR)
    assert found.by_hour == {first: 171}
