"""Write the city report of a community: HTML or PDF to read, CSV or Parquet to compute with."""

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import override

from config.report.contents import Report, make_report
from config.report.forms import TO_COMPUTE, TO_READ, compute_with, read_as
from marketplace.queries.pages import Place, get_market_days, list_places

FORMATS: Final = (*TO_READ, *TO_COMPUTE)
LONGEST: Final = timedelta(days=366)


class Command(BaseCommand):
    """Make a report of civil days, both included, from figures that planners may see."""

    help = "Writes a city report with its methods, data version and ledger checkpoint."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the days, the community, the format and where to write."""
        parser.add_argument("--community", required=True, help="Name of the community.")
        parser.add_argument("--from", required=True, dest="first", metavar="YYYY-MM-DD")
        parser.add_argument("--to", required=True, dest="last", metavar="YYYY-MM-DD")
        parser.add_argument("--format", choices=FORMATS, default="html")
        parser.add_argument("--language", choices=[code for code, _ in settings.LANGUAGES])
        parser.add_argument(
            "--out",
            type=Path,
            metavar="PATH",
            help="A file for html and pdf, a folder for csv and parquet (default: named by"
            " community and days, here).",
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Make the report and say where it is."""
        place = _place(options["community"])
        first, last = _day(options["first"], "--from"), _day(options["last"], "--to")
        if last < first:
            raise CommandError(f"--to: {last} is before --from {first}; exchange them")
        if last - first > LONGEST:
            raise CommandError(f"--to: at most {LONGEST.days} days after --from; make several")
        known = get_market_days(place=place)
        if known is None or last < known.first or first > known.last:
            there = f"there are {known.first} to {known.last}" if known else "there are none yet"
            raise CommandError(f"--from: no interval of these days is settled; {there}")
        with override(options["language"] or settings.LANGUAGE_CODE):
            report = make_report(place, first, last, known=known, now=timezone.now())
            out = options["out"] or Path(_name(place, first, last, options["format"]))
            self._write(report, options["format"], out)
        self.stdout.write(f"{out}: data version {report.sha256}")

    def _write(self, report: Report, form: str, out: Path) -> None:
        if form in TO_COMPUTE:
            _write_folder(out, compute_with(report, form))
            return
        if not out.parent.is_dir():
            raise CommandError(f"--out: there is no folder {out.parent}; make it first")
        out.write_bytes(read_as(report, form))


def _write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    if out.exists() and not out.is_dir():
        raise CommandError(f"--out: {out} is a file; csv and parquet are written into a folder")
    if out.is_dir() and any(out.iterdir()):
        raise CommandError(f"--out: {out} is not empty; name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)


def _name(place: Place, first: date, last: date, form: str) -> str:
    stem = f"{place.name.lower().replace(' ', '-')}-{first}-{last}"
    return f"{stem}.{form}" if form in TO_READ else f"{stem}-{form}"


def _place(name: str) -> Place:
    places = list_places()
    found = next((each for each in places if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in places) or "none yet"
        raise CommandError(f"--community: there is no community {name!r}; known are: {known}")
    return found


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: {text} is no day; write it as 2026-06-30") from None
