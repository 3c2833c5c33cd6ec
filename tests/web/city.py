"""A small city on a made-up day: Alice owns a home, Bob another, Charlie must see nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.test import Client

from config.replay.pipeline import replay
from marketplace.domain.rules import preset
from marketplace.models import User
from marketplace.queries.pages import Persona, Place, list_personas
from marketplace.services.people import add_participant, add_person, join
from marketplace.services.places import NewMember

NOW = datetime(2026, 6, 20, 8, 0, tzinfo=UTC)
DAY = "2026-06-15"
PASSWORD = "sunny-day-37"
MISSING_HOUR = 23
HOMES = ("Alice's home", "Bob's home", "Bakery", "Fourth home", "Fifth home", "Sixth home")
PEOPLE = {
    "alice": ("household", HOMES[0]),
    "bob": ("household", HOMES[1]),
    "erin": ("enterprise", HOMES[2]),
    "olga": ("operator", "Hall office"),
    "paul": ("planner", "Planning office"),
    "dora": ("data_provider", "City bikes"),
}


@dataclass(frozen=True)
class City:
    """A community with a settled day and somebody for every role."""

    community_id: int
    participant_ids: dict[str, int]

    def persona(self, name: str) -> Persona:
        """Return the persona of a person."""
        return list_personas(user_id=User.objects.get(email=address(name)).pk)[0]

    def place(self) -> Place:
        """Return the community."""
        place = self.persona("alice").place
        assert place is not None
        return place


def address(name: str) -> str:
    """Return somebody's e-mail address."""
    return f"{name}@heliopolis.example"


def signed_in(name: str) -> Client:
    """Return a browser in which somebody is signed in."""
    client = Client()
    client.force_login(
        User.objects.get(email=address(name)), "django.contrib.auth.backends.ModelBackend"
    )
    return client


def build_city(folder: Path, *, homes: int = len(HOMES)) -> City:
    """Replay a day of a few homes, and let people in.

    The last home sends no reading for the last hour, so one interval is settled without it.
    """
    file = folder / "day.csv"
    file.write_text(readings_csv(homes))
    replayed = replay(
        file,
        community_name="Lindenhof",
        local_name="菩提苑",
        rules_document=preset("demo"),
        timezone=None,
        now=NOW,
        members={
            f"m{number}": NewMember(
                meter=f"m{number}",
                name=HOMES[number],
                role="enterprise" if HOMES[number] == "Bakery" else "household",
            )
            for number in range(homes)
        },
    )
    ids = {}
    for name, (role, participant) in PEOPLE.items():
        # A home is found by its name; the others are made where their role has its place.
        place = None if role in ("operator", "planner") else replayed.community_id
        ids[name] = add_participant(role=role, name=participant, community_id=place)
        user_id = add_person(email=address(name), password=PASSWORD)
        join(user_id=user_id, participant_id=ids[name])
    add_person(email=address("charlie"), password=PASSWORD)
    return City(replayed.community_id, ids)


def readings_csv(homes: int) -> str:
    """Return a day on which even homes have sun from nine to four, and everybody cooks."""
    lines = ["meter,start,minutes,import_wh,export_wh"]
    for hour in range(24):
        for number in range(homes):
            if hour == MISSING_HOUR and number == homes - 1:
                continue
            sunny = 9 <= hour < 16 and number % 2 == 0
            export = 700 + 130 * number + 17 * hour if sunny else 0
            used = 0 if sunny else (900 + 90 * number + 11 * hour) * (3 if 9 <= hour < 16 else 1)
            lines.append(f"m{number},{DAY}T{hour:02d}:00:00+08:00,60,{used},{export}")
    return "\n".join(lines) + "\n"
