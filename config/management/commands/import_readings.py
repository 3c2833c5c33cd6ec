"""manage.py import_readings FILE…: readings of meters that are registered already."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from config.replay.pipeline import file_sha256
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_hints import read_hints
from marketplace.domain.readings.formats.csv_reader import FORMAT as GUESSED
from marketplace.domain.readings.formats.flows import Flows
from marketplace.domain.readings.formats.gap_report import GapReport
from marketplace.domain.readings.formats.recognition import Asked, read_meter_file, zone_of
from marketplace.queries.communities import communities_of_meters, find_community
from marketplace.services.meter_files import FileTaken, import_meter_file

GAPS_SHOWN = 20


class Command(BaseCommand):
    """Each file is taken in wholly or not at all; files before a bad one stay."""

    help = (
        "Import meter readings: NEM12, Green Button (ESPI) XML, EDIFACT MSCONS, the hall's own CSV"
        " (meter,start,minutes,import_wh,export_wh), or a CSV whose columns are guessed. The"
        " format is told by the content; gzip and a ZIP of one file are unpacked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
        parser.add_argument("--community", metavar="NAME", help="default: who knows the meters")
        parser.add_argument(
            "--meter",
            action="append",
            default=[],
            metavar="[NAME=]CODE",
            help="the metering point of a name in the file, or of its only meter; repeatable",
        )
        parser.add_argument(
            "--timezone",
            metavar="ZONE",
            help="whose clock times without an offset are of, like Europe/Berlin or +10:00;"
            " default: the community's, NEM12: +10:00",
        )
        parser.add_argument(
            "--columns",
            default="",
            metavar="HINTS",
            help='what cannot be guessed of a CSV: "start=1,import=3,unit=kwh,dates=d-m-y,'
            'decimal=comma,label=end,kind=register"',
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what the files hold and store nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asked = Asked(
                zone=zone_of(options["timezone"]) if options["timezone"] else None,
                hints=read_hints(options["columns"]),
                meters=_codes(options["meter"]),
            )
            for path in options["files"]:
                self._take(path, asked, options["community"], is_dry=options["dry_run"])
        except ReadingsInvalid as error:
            raise CommandError(str(error)) from error

    def _take(self, path: Path, asked: Asked, name: str | None, *, is_dry: bool) -> None:
        community_id, flows = _read(path, asked, name)
        with transaction.atomic():
            taken = import_meter_file(
                community_id=community_id,
                flows=flows,
                source=str(path),
                sha256=file_sha256(path),
                now=datetime.now(UTC),
            )
            transaction.set_rollback(is_dry)
        self._print(path, taken, is_dry=is_dry)

    def _print(self, path: Path, taken: FileTaken, *, is_dry: bool) -> None:
        imported = taken.imported
        stored = " (nothing was stored)" if is_dry else ""
        self.stdout.write(
            f"{path}: {imported.new} new, {imported.corrected} corrected,"
            f" {imported.unchanged} known, {imported.repeated} repeated in the file{stored}"
        )
        for report in taken.reports:
            self._print_report(report)

    def _print_report(self, report: GapReport) -> None:
        self.stdout.write(f"  {report.format}, intervals of {report.minutes} minutes")
        for note in report.notes:
            self.stdout.write(f"  {note}")
        for line in report.meters[:GAPS_SHOWN]:
            self.stdout.write(
                f"  {line.meter}: {_moment(line.first_s)} to {_moment(line.end_s)},"
                f" {line.import_wh} Wh from the grid, {line.export_wh} Wh to it;"
                f" {line.present} of {line.expected} intervals, {line.estimated} estimated,"
                f" {line.substituted} substituted, {line.missing} missing"
            )
        for gap in report.gaps[:GAPS_SHOWN]:
            self.stdout.write(
                f"  gap: {gap.meter} {_moment(gap.start_s)} to {_moment(gap.end_s)},"
                f" {gap.count} intervals: {gap.why}"
            )
        if len(report.gaps) > GAPS_SHOWN:
            self.stdout.write(f"  and {len(report.gaps) - GAPS_SHOWN} gaps more")


def _codes(given: list[str]) -> dict[str, str]:
    codes = {}
    for each in given:
        name, _, code = each.rpartition("=")
        codes[name] = code
    return codes


def _read(path: Path, asked: Asked, name: str | None) -> tuple[int, Flows]:
    """Read a file and find whose it is; without a name, its meters tell, read on UTC's clock."""
    if name is not None:
        found = find_community(name=name)
        if found is None:
            raise CommandError(f"there is no community {name!r}; check the name")
        return found.id, read_meter_file(path, default_zone=zone_of(found.timezone), asked=asked)
    flows = read_meter_file(path, default_zone=UTC, asked=asked)
    candidates = communities_of_meters(codes=list(flows.meters))
    if len(candidates) > 1:
        names = ", ".join(each.name for each in candidates)
        raise CommandError(f"{path}: {names} all know its meters; name one with --community")
    if not candidates:
        raise ReadingsInvalid(
            str(path),
            int(flows.line[0]),
            f"no community knows meter {flows.meters[0]!r}",
            "register its meters first, or say which they are: --meter NAME=CODE",
        )
    if flows.format == GUESSED and asked.zone is None:
        zone = zone_of(candidates[0].timezone)
        flows = read_meter_file(path, default_zone=zone, asked=asked)
    return candidates[0].id, flows


def _moment(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%MZ")
