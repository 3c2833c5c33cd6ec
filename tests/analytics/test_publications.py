"""Days are released, months published and frozen; corrections reach both in batches only."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics.domain.disclosure import Audience
from analytics.domain.published import text_hash
from analytics.errors import PublicationDiffers
from analytics.models import Publication
from analytics.queries import disclosed, figures
from analytics.queries.publications import list_publications
from analytics.services import publish_due_figures, revise_released_days
from analytics.services.publication_verification import verify_publications
from analytics.services.publications import logged_command
from config.replay.pipeline import replay
from ledger.queries import get_answers
from ledger.services import SettlementWorker, submit
from marketplace.domain.rules import preset
from tests.web.city import DAY, HOMES, City, build_city, readings_csv, signed_in
from tests.worlds import world

START = datetime(2026, 6, 14, 16, tzinfo=UTC)
END = datetime(2026, 6, 15, 16, tzinfo=UTC)
PUBLISHED = datetime(2026, 7, 6, tzinfo=UTC)
BATCH = datetime(2026, 8, 2, tzinfo=UTC)
QUARTER = datetime(2026, 10, 9, tzinfo=UTC)
OPEN = "/api/v1/open"


def published_city() -> City:
    with TemporaryDirectory() as folder:
        city = build_city(Path(folder))
    assert publish_due_figures(now=PUBLISHED - timedelta(days=3)) == 0
    assert publish_due_figures(now=PUBLISHED) == 1
    assert publish_due_figures(now=PUBLISHED) == 0
    return city


@pytest.fixture
def city(db: None) -> Iterator[City]:
    with world(published_city) as city:
        yield city


def corrected(city: City, folder: Path, homes: range) -> None:
    """Send the night hour of some homes again, with another reading, and settle it."""
    lines = readings_csv(len(HOMES)).splitlines()
    changed = [lines[0]]
    for line in lines[1:]:
        meter, start, minutes, used, export = line.split(",")
        if start.startswith(f"{DAY}T02") and int(meter[1:]) in homes:
            used = str(int(used) + 100 + int(meter[1:]))
        changed.append(f"{meter},{start},{minutes},{used},{export}")
    file = folder / f"corrected{len(homes)}.csv"
    file.write_text("\n".join(changed) + "\n")
    replay(
        file,
        community_name="Lindenhof",
        local_name="菩提苑",
        rules_document=preset("demo"),
        timezone=None,
        now=BATCH - timedelta(days=1),
    )


def planners_answers(city: City) -> list[object]:
    """Return every figure a planner is given over HTTP, and the public; not whether it is final."""
    paul = signed_in("paul")
    of = f"community={city.community_id}&first={DAY}&last={DAY}"
    pages = [f"/api/v1/analytics/energies/?{of}&by={grain}" for grain in ("total", "day", "hour")]
    answers = [paul.get(page) for page in (*pages, f"/api/v1/analytics/flows/?{of}")]
    series = Client().get(f"{OPEN}/communities/{city.community_id}/days.csv")
    assert {each.status_code for each in (*answers, series)} == {200}
    return [*(each.json()["figures"] for each in answers), series.content]


def test_planners_and_public_see_what_happened(city: City) -> None:
    truth = figures.get_energies(community_id=city.community_id, start=START, end=END)

    for audience in Audience:
        shown = disclosed.get_energies(
            community_id=city.community_id, start=START, end=END, audience=audience
        )
        assert shown == truth
    hours = disclosed.list_hours(
        community_id=city.community_id, start=START, end=END, audience=Audience.PLANNER
    )
    assert sum(each.energies.import_wh for each in hours) == truth.import_wh


def test_a_publication_can_be_checked_and_is_never_changed(city: City) -> None:
    [line] = list_publications()
    path = f"{OPEN}/publications/{line.id}/"
    answer = Client().get(path)

    assert hashlib.sha256(answer.content).hexdigest() == line.sha256
    assert get_answers(keys=[line.log_key])
    document = json.loads(answer.content)
    assert (document["month"], document["revision"]) == ("2026-06", 1)
    assert not answer.cookies and "immutable" in answer["Cache-Control"]
    assert Client().get(path, headers={"if-none-match": answer["ETag"]}).status_code == 304
    since = {"if-modified-since": answer["Last-Modified"]}
    assert Client().get(path, headers=since).status_code == 304
    [listed] = Client().get(f"{OPEN}/publications/").json()["publications"]
    assert listed["url"] == path and listed["sha256"] == line.sha256
    for table, address in listed["tables"].items():
        csv = Client().get(address)
        assert csv.status_code == 200 and csv.content.startswith(b"community,month,"), table
    assert Client().get(f"{OPEN}/publications/{line.id + 1}/").status_code == 404
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE analytics_publication SET text = ''")


def test_what_is_not_what_was_logged_is_named(city: City) -> None:
    worker = SettlementWorker(holder="test")
    assert worker.take_head() and worker.settle_inbox(now=PUBLISHED)
    assert verify_publications() == 1
    kept = Publication.objects.get()
    for changes, is_logged, what in (
        ({"text": kept.text.replace("Lindenhof", "Elsewhere")}, True, "its text has another hash"),
        # Whoever changes the hash with it has the log against them.
        ({"text": "{}", "sha256": text_hash("{}")}, True, "the log has another hash"),
        ({"month": date(2026, 5, 1)}, True, "the log has another hash, month or revision"),
        ({}, False, "it was never handed to the ledger"),
    ):
        said = Publication(**{**_values(kept), "revision": 2})
        told = Publication(**{**_values(said), **changes})
        with transaction.atomic():
            told.save(force_insert=True)
            said.pk = told.pk
            if is_logged:
                submit(commands=[logged_command(said)], submitted_at=PUBLISHED)
                worker.settle_inbox(now=PUBLISHED)
            with pytest.raises(PublicationDiffers, match=rf"^publication {told.pk} \(.*{what}"):
                verify_publications()
            transaction.set_rollback(True)


def _values(publication: Publication) -> dict[str, Any]:
    columns = (each.name for each in Publication._meta.fields)
    return {name: getattr(publication, name) for name in columns if name != "id"}


def test_one_households_correction_is_not_seen_by_comparing(city: City, tmp_path: Path) -> None:
    """The difference of two sums would be its hour; that of enough households is not."""
    before = planners_answers(city)
    corrected(city, tmp_path, range(1, 2))
    now = figures.get_energies(community_id=city.community_id, start=START, end=END)

    assert revise_released_days(now=BATCH) == 0
    assert publish_due_figures(now=QUARTER) == 0
    assert planners_answers(city) == before
    withheld = disclosed.list_withheld(community_id=city.community_id, start=START, end=END)
    assert withheld.waiting_days == 1
    assert all(before)  # there was something to compare

    corrected(city, tmp_path, range(len(HOMES)))
    assert revise_released_days(now=BATCH + timedelta(days=20)) == 0  # no batch at that time
    assert revise_released_days(now=BATCH + timedelta(days=1)) == 1
    assert planners_answers(city) != before
    later = disclosed.get_energies(
        community_id=city.community_id, start=START, end=END, audience=Audience.PLANNER
    )
    assert later is not None and later.import_wh > now.import_wh
    assert publish_due_figures(now=QUARTER - timedelta(days=30)) == 0
    assert publish_due_figures(now=QUARTER) == 1
    assert [(each.month, each.revision) for each in list_publications()] == [
        (date(2026, 6, 1), 2),
        (date(2026, 6, 1), 1),
    ]


def test_the_pages_of_everybody(city: City) -> None:
    front = Client().get("/")
    assert front.status_code == 200 and b"Demand met by neighbours" in front.content
    with CaptureQueriesContext(connection) as queries:
        page = Client().get("/figures").content.decode()
    assert len(queries) <= 4  # communities, their newest months, this one's revisions
    [line] = list_publications()
    assert line.sha256 in page and f"{OPEN}/publications/{line.id}/" in page
    assert Client().get("/figures?community=999").status_code == 404
    for path in ("/about", "/check"):
        assert Client().get(path).status_code == 200
    assert signed_in("alice").get("/").status_code == 302


def test_figures_leave_as_files_that_hold_what_planners_see(city: City, tmp_path: Path) -> None:
    for form in ("parquet", "csv"):
        call_command("export_figures", community="Lindenhof", out=tmp_path / form, format=form)
    truth = figures.get_energies(community_id=city.community_id, start=START, end=END)
    hours = pq.read_table(tmp_path / "parquet" / "hours").to_pandas()
    community = hours[hours["zone_id"] == 0]
    assert len(community) == 24 and set(community["month"]) == {"2026-06"}
    assert community["import_wh"].sum() == truth.import_wh
    [csv] = (tmp_path / "csv").glob("days/community=*/month=2026-06/*.csv")
    assert f",{truth.import_wh}," in csv.read_text().splitlines()[1]
    assert "never zero" in next((tmp_path / "csv").glob("README*")).read_text()
    with pytest.raises(CommandError, match="--community"):
        call_command("export_figures", community="Nowhere", out=tmp_path / "x")
