"""Files of foreign formats reach the meters: by command, whole or not at all, with a report."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketplace.models import Reading, ReadingReport
from marketplace.services.places import add_rule_set
from tests.market.street import START, Street, at, flat_rules

pytestmark = pytest.mark.django_db


def imported(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("import_readings", str(path), *options, stdout=out)
    return out.getvalue()


def quarters(folder: Path, *values: str, header: str = "meter,start,import kWh,quality") -> Path:
    """Write quarters of an hour from the street's first moment on, which is ten in Shanghai."""
    rows = [
        f"alice,2026-06-15 {10 + at // 4:02d}:{15 * (at % 4):02d},{value}"
        for at, value in enumerate(values)
    ]
    path = folder / "quarters"
    path.write_text("\n".join((header, *rows, "")))
    return path


def test_quarters_are_added_up_and_a_missing_one_is_a_gap(tmp_path: Path) -> None:
    Street()
    file = quarters(
        tmp_path, "0.1,a", "0.2,a", "0.0015,e", "0.3,a", "0.1,a", "0.1,", ",a", "0.1,a",
        "1,a", "1,a", "1,a", "0.0005,a",
    )  # fmt: skip
    shown = imported(file, "--dry-run")
    assert "(nothing was stored)" in shown and not Reading.objects.exists()
    shown = imported(file)

    assert "2 new, 0 corrected" in shown
    assert "guessed columns: meter = column 1 'meter'" in shown and "Asia/Shanghai" in shown
    assert "gap: alice 2026-06-15T03:00Z to 2026-06-15T04:00Z, 1 intervals: empty" in shown
    readings = Reading.objects.order_by("interval__starts_at")
    # 601.5 Wh and 3000.5 Wh, a half to the even Wh.
    assert [(each.import_wh, each.quality) for each in readings] == [(602, 1), (3000, 0)]
    report = ReadingReport.objects.get()
    assert (report.present_count, report.missing_count, report.estimated_count) == (2, 1, 1)
    assert report.gaps == [["alice", int(at(1).timestamp()), 1, "empty"]]
    assert "0 new, 0 corrected, 2 known" in imported(file)


def test_one_direction_leaves_the_other_as_it_is(tmp_path: Path) -> None:
    street = Street()
    file = tmp_path / "feed-in"
    file.write_text("start,export kWh\n2026-06-15 10:00,0.5\n2026-06-15 11:00,0.7\n")
    with pytest.raises(
        CommandError, match=r"feed-in:2: meter 'alice' has feed-in here, but nobody"
    ):
        imported(file, "--meter", "alice")
    for hour in (0, 1):
        street.send({"alice": (400, 3)}, hour=hour)
    imported(file, "--meter", "alice", "--community", "Street")

    current = Reading.objects.filter(version=2).order_by("interval__starts_at")
    assert [(each.import_wh, each.export_wh) for each in current] == [(400, 500), (400, 700)]


def test_a_real_reading_of_the_same_value_takes_the_flag_away(tmp_path: Path) -> None:
    Street()
    imported(quarters(tmp_path, *["0.1,e"] * 4))
    assert "0 new, 1 corrected" in imported(quarters(tmp_path, *["0.1,a"] * 4))
    assert list(Reading.objects.order_by("version").values_list("version", "quality")) == [
        (1, 1),
        (2, 0),
    ]


def test_rules_of_a_new_length_part_a_file(tmp_path: Path) -> None:
    street = Street()
    add_rule_set(
        community_id=street.community.id,
        document=flat_rules(interval_minutes=15),
        effective_from=at(1),
        now=START,
    )
    imported(quarters(tmp_path, *["0.25,a"] * 8))
    lengths = [
        (each.interval.ends_at - each.interval.starts_at).seconds // 60
        for each in Reading.objects.order_by("interval__starts_at")
    ]
    assert lengths == [60, 15, 15, 15, 15]
    assert [report.present_count for report in ReadingReport.objects.order_by("id")] == [4, 1]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            "meter,start,import kWh\nnobody,2026-06-15 10:00,1\nnobody,2026-06-15 11:00,1\n",
            ":2: no community knows meter 'nobody'",
        ),
        (
            "meter,start,minutes,use kWh\nalice,2026-06-15 10:00,60,1\neve,2026-06-15 11:00,60,1\n",
            ":3: meter 'eve' is not a metering",
        ),
        (
            "meter,start,import kWh\nalice,2099-06-15 10:00,1\nalice,2099-06-15 11:00,1\n",
            ":2: the interval at 2099-06-15T02:00:00+00:00 has not ended yet",
        ),
        (
            "meter,start,import kWh\nalice,2020-06-15 10:00,1\nalice,2020-06-15 11:00,1\n",
            ":2: 2020-06-15T02:00:00+00:00 is before the community's first rules",
        ),
    ],
)
def test_what_cannot_be_taken_leaves_nothing(tmp_path: Path, content: str, what: str) -> None:
    Street()
    path = tmp_path / "bad"
    path.write_text(content)
    with pytest.raises(CommandError) as caught:
        imported(path)
    assert what in str(caught.value)
    assert not Reading.objects.exists() and not ReadingReport.objects.exists()
