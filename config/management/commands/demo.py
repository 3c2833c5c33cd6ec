"""manage.py demo: build the demo city and replay its market days; `./dev run` begins with it."""

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from config.demo import PEOPLE, build_city
from config.replay.summary import summarise, table

ORIGIN = (
    "Readings: 17 real homes (CityLearn 2.1.2, MIT), their local clock re-dated to June 2026 in"
    " the city's time zone. The people and the bike flows are made up.\n"
)


class Command(BaseCommand):
    """Build, print the table of each community, print who can sign in."""

    help = "Build the demo city: two communities on real homes, and somebody for every role."

    def handle(self, *args: Any, **options: Any) -> None:
        state: Path = settings.STATE_DIR
        password = demo_password(state)
        bars: dict[str, tqdm[Any]] = {}

        def on_progress(name: str, settled: int, total: int) -> None:
            bar = bars.setdefault(
                name, tqdm(desc=name, unit=" intervals", total=total, disable=None)
            )
            bar.total = total
            bar.update(settled - bar.n)

        replayed = build_city(
            password=password,
            folder=state / "demo",
            now=timezone.now(),
            clock=timezone.now,
            on_progress=on_progress,
        )
        for bar in bars.values():
            bar.close()
        for community, done in replayed:
            name = f"{community.name} {community.local_name}"
            summary = summarise(community_id=done.community_id, name=name, stopwatch=done.stopwatch)
            self.stdout.write(table(summary) + "\n")
        self.stdout.write(ORIGIN)
        self.stdout.write("Demo sign-ins, on this machine only:")
        for person in PEOPLE:
            self.stdout.write(f"  {person.email:<28} {password}   {person.acts_for}")


def demo_password(state: Path) -> str:
    """Return the demo's password: made once, kept in the checkout's state folder."""
    path = state / "demo_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(9))
    return path.read_text(encoding="utf-8")
