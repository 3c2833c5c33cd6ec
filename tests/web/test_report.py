"""The city report: a PDF that opens and reads Chinese, the pages' own tables, one data version."""

import csv
import hashlib
import re
from datetime import date
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pypdfium2
import pytest
from django.core.management import CommandError, call_command

from analytics.domain.disclosure import Audience
from analytics.queries import disclosed
from marketplace.domain.civil_day import day_bounds
from tests.web.city import DAY, City, signed_in


def report(out: Path, *more: str, community: str = "Lindenhof", first: str = DAY) -> str:
    """Write a report and return its data version."""
    said = StringIO()
    command = ["report", "--community", community, "--from", first, "--to", DAY]
    call_command(*command, "--out", str(out), *more, stdout=said)
    found = re.search(r"data version (\w{64})", said.getvalue())
    assert found is not None
    return found.group(1)


def test_a_chinese_pdf_opens_and_reads(city: City, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    version = report(out, "--format", "pdf", "--language", "zh-hans")
    document = pypdfium2.PdfDocument(out)
    try:
        pages = [page.get_textpage().get_text_bounded() for page in document]
        shapes = sum(
            item.type == pypdfium2.raw.FPDF_PAGEOBJ_PATH
            for page in document
            for item in page.get_objects(max_depth=3)
        )
        outline = [entry.get_title() for entry in document.get_toc()]
    finally:
        document.close()
    assert "菩提苑" in pages[0]
    assert version[:12] in pages[0]
    assert all(version[:12] in text for text in pages)
    assert shapes > 100  # pictures are drawn, not only told
    assert len(outline) > 8


def test_tables_are_what_planners_may_see_and_make_the_version(city: City, tmp_path: Path) -> None:
    version = report(tmp_path / "csv", "--format", "csv")
    order = re.findall(r"^(\S+)\.csv:", (tmp_path / "csv" / "README.txt").read_text(), re.MULTILINE)
    digest = hashlib.sha256()
    for key in order:
        digest.update(f"{key}.csv\n".encode() + (tmp_path / "csv" / f"{key}.csv").read_bytes())
    assert digest.hexdigest() == version
    # Neither the language nor the form makes other data.
    assert report(tmp_path / "zh", "--format", "csv", "--language", "zh-hans") == version
    assert report(tmp_path / "parquet", "--format", "parquet") == version
    assert report(tmp_path / "report.html") == version

    place = city.place()
    [day] = csv.DictReader((tmp_path / "csv" / "flows-exchange.csv").read_text().splitlines())
    start, end = day_bounds(date.fromisoformat(DAY), place.zone)
    seen = disclosed.get_energies(
        community_id=place.community_id, start=start, end=end, audience=Audience.PLANNER
    )
    assert seen is not None
    assert int(day["grid_import_wh"]) == seen.grid_import_wh > 0
    table = pq.read_table(tmp_path / "parquet" / "flows-exchange.parquet")
    assert table.column("grid_import_wh").to_pylist() == [seen.grid_import_wh]
    assert table.schema.metadata[b"data_version"].decode() == version


def test_the_page_is_whole_by_itself(city: City, tmp_path: Path) -> None:
    report(tmp_path / "report.html", "--language", "zh-hans")
    page = (tmp_path / "report.html").read_text()
    assert '<html lang="zh-Hans">' in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert page.count("<svg") > 8

    answer = signed_in("paul").get(
        f"/planner/{city.participant_ids['paul']}/report.pdf?from={DAY}&to={DAY}"
    )
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF")
    assert signed_in("olga").get(answer.request["PATH_INFO"]).status_code == 404


def test_what_cannot_be_reported_is_said_and_nothing_is_written(city: City, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    for arguments, words in (
        ({"community": "Nowhere"}, "known are: Lindenhof"),
        ({"first": "15 June"}, "write it as 2026-06-30"),
        ({"first": "2026-06-16"}, "exchange them"),
        ({"first": "2020-06-15"}, "make several"),
    ):
        with pytest.raises(CommandError, match=words):
            report(tmp_path / "none.html", **arguments)
    with pytest.raises(CommandError, match="not empty"):
        report(full, "--format", "csv")
    with pytest.raises(CommandError, match="make it first"):
        report(tmp_path / "no" / "report.pdf", "--format", "pdf")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["full", "mine.txt"]
