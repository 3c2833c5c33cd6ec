"""manage.py replay READINGS.csv: a market period on readings, through the real pipeline."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from config.replay.pipeline import Replayed, replay
from config.replay.summary import summarise, table
from ledger.errors import LedgerError
from marketplace.domain.readings.file import ReadingsInvalid
from marketplace.domain.rules import RulesInvalid, preset
from marketplace.errors import MarketplaceError


class Command(BaseCommand):
    """Parse, replay, print."""

    help = "Replay a market period on meter readings and settle it to the last micro."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("readings", type=Path, metavar="READINGS.csv")
        parser.add_argument("--community", metavar="NAME", help="default: the file's name")
        parser.add_argument("--rules", default="demo", metavar="PRESET|FILE.json")
        parser.add_argument("--timezone", metavar="ZONE", help="default: the rule set's")
        parser.add_argument("--summary", type=Path, metavar="OUT.json")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["readings"]
        name = options["community"] or path.stem
        summary_path: Path | None = options["summary"]
        if summary_path is not None and not summary_path.absolute().parent.is_dir():
            raise CommandError(f"{summary_path.parent}: no such folder; make it first")
        try:
            done = self._replay(path, name, options)
        except (ReadingsInvalid, RulesInvalid, MarketplaceError, LedgerError) as error:
            raise CommandError(str(error)) from error
        summary = summarise(community_id=done.community_id, name=name, stopwatch=done.stopwatch)
        if done.changed_nothing:
            self.stdout.write(f"{name}: everything in {path.name} was settled before; no change")
        self.stdout.write(table(summary))
        if summary_path is not None:
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            summary_path.write_text(text + "\n", encoding="utf-8")

    def _replay(self, path: Path, name: str, options: dict[str, Any]) -> Replayed:
        document = read_rules(options["rules"])
        with tqdm(unit=" intervals", desc=name, disable=None) as bar:

            def on_progress(settled: int, total: int) -> None:
                bar.total = total
                bar.update(settled - bar.n)

            return replay(
                path,
                community_name=name,
                rules_document=document,
                timezone=options["timezone"],
                now=datetime.now(UTC),
                on_progress=on_progress,
            )


def read_rules(name: str) -> dict[str, Any]:
    """Return a preset by name, or the document in a JSON file.

    Raises
    ------
    CommandError
        If there is neither.
    """
    if not name.endswith(".json"):
        return preset(name)
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}; check the file's name") from error
    except ValueError as error:
        raise CommandError(f"{name}: is not JSON ({error}); correct it") from error
    if not isinstance(document, dict):
        raise CommandError(f"{name}: must hold one JSON object; see the demo preset")
    return document
