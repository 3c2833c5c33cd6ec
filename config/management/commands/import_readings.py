"""manage.py import_readings FILE…: readings of meters that are registered already."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.replay.pipeline import file_sha256
from marketplace.domain.readings_file import ReadingsInvalid, read_readings
from marketplace.queries.communities import communities_of_meters, find_community
from marketplace.services.readings import import_readings


class Command(BaseCommand):
    """Each file is taken in wholly or not at all; files before a bad one stay."""

    help = "Import meter readings (CSV: meter,start,minutes,import_wh,export_wh)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
        parser.add_argument("--community", metavar="NAME", help="default: who knows the meters")

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["files"]:
            try:
                readings = read_readings(path)
                imported = import_readings(
                    community_id=_community_id(path, list(readings.meters), options["community"]),
                    readings=readings,
                    source=str(path),
                    sha256=file_sha256(path),
                    now=datetime.now(UTC),
                )
            except ReadingsInvalid as error:
                raise CommandError(str(error)) from error
            self.stdout.write(
                f"{path}: {imported.new} new, {imported.corrected} corrected,"
                f" {imported.unchanged} known, {imported.repeated} repeated in the file"
            )


def _community_id(path: Path, meters: list[str], name: str | None) -> int:
    if name is not None:
        found = find_community(name=name)
        if found is None:
            raise CommandError(f"there is no community {name!r}; check the name")
        return found.id
    candidates = communities_of_meters(codes=meters)
    if len(candidates) == 1:
        return candidates[0].id
    if not candidates:
        raise ReadingsInvalid(
            str(path), 2, f"no community knows meter {meters[0]!r}", "register its meters first"
        )
    names = ", ".join(each.name for each in candidates)
    raise CommandError(f"{path}: {names} all know its meters; name one with --community")
