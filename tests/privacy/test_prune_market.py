"""A market whose first hour was pruned is corrected, verified and shown as before."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from config.log import remote
from config.log.keys import read_policy
from ledger.errors import LogBroken
from ledger.services import verify_book
from ledger.services.attestation import grant_openings
from marketplace.models import User
from marketplace.services.people import join
from marketplace.services.verification import verify_clearings
from tests.log.hall import Hall
from tests.market.street import CORRECTIONS, DEADLINE, Street, at
from tests.privacy.in_process import follow
from tests.privacy.pruned_story import Story

FLOWS = {"alice": (0, 1000), "bob": (0, 500), "charlie": (1000, 0), "dora": (700, 0)}
WITHOUT_BOB = {meter: flows for meter, flows in FLOWS.items() if meter != "bob"}
CLEARED = at(1) + DEADLINE
AMENDED = at(1) + CORRECTIONS + timedelta(hours=1)


@dataclass(frozen=True)
class City:
    """A street whose log is published."""

    hall: Hall
    street: Street

    def run(self, now: datetime) -> None:
        self.street.run(now)
        self.hall.step()

    def prune(self) -> None:
        before = (CLEARED + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
        Story(self.hall, 0, 0, 0).prune_wholly(before=before, now=CLEARED + timedelta(hours=1))

    def correct(self) -> None:
        """Let Bob's reading arrive, and Charlie's be taken back after the deadline."""
        self.street.send({"bob": FLOWS["bob"]}, now=at(30))
        self.run(at(1) + CORRECTIONS)
        self.street.send({"charlie": (100, 0)}, now=at(1) + CORRECTIONS)
        self.run(AMENDED)

    def check_remotely(
        self, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes] = bytes
    ) -> remote.CheckedLog:
        """Check the log as an auditor with a credential; ``change`` edits the snapshot."""
        token = grant_openings(name="auditor", now=AMENDED)
        headers = {"Authorization": f"Bearer {token}"}

        def read(_server: object, path: str) -> bytes | None:
            answer = Client().get(f"/log/{path}", headers=headers)
            if answer.status_code == 404:
                return None
            text: bytes = answer.getvalue()
            return change(text) if path == "openings/snapshot" else text

        monkeypatch.setattr("config.log.remote._Server.read", read)
        return remote.check_log("http://hall.example/log", read_policy(), credential=token)


@pytest.fixture
def city(hall: Hall) -> City:
    """Return a city whose first hour was cleared late."""
    city = City(hall, Street())
    city.street.send(WITHOUT_BOB)
    city.run(CLEARED)
    return city


def test_corrections_of_a_pruned_hour_are_booked_and_followed(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ada was there, Ben starts from the snapshot, the auditor has never been there."""
    ada, ben = tmp_path / "ada", tmp_path / "ben"
    assert follow(ada, city.hall, now=AMENDED)[2] == []

    city.prune()
    city.correct()

    assert verify_book().pruned_blocks > 0
    assert verify_clearings() == 3
    ends = [follow(each, city.hall, now=AMENDED) for each in (ada, ben)]
    assert ends[0] == ends[1]
    assert ends[0][2] == []
    found = city.check_remotely(monkeypatch)
    assert found.pruned_blocks == verify_book().pruned_blocks
    assert found.size == int(city.hall.pending().text.split("\n")[1])


def test_without_pruning_the_auditor_recomputes_every_book(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.correct()

    found = city.check_remotely(monkeypatch)

    assert (found.books, found.pruned_blocks) == (3, 0)


def test_a_member_is_told_what_is_no_longer_kept(city: City) -> None:
    """The second hour is booked after the period, and its money is all there is in the sums."""
    alice = city.street.point("alice").site.participant
    user = User.objects.create_user(email="alice@example.org", password=None)
    join(user_id=user.id, participant_id=alice.id)
    browser = Client()
    browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    pages = [f"/household/{alice.id}/day/2026-06-15/", f"/member/{alice.id}/statement/"]
    pages.append(f"/member/{alice.id}/statement/{city.street.interval().id}/")
    before = [browser.get(page, {"day": "2026-06-15"}).content.decode() for page in pages]
    assert all("no longer" not in page for page in before)

    city.prune()
    city.street.send({"alice": (0, 100)}, hour=1, now=at(30))
    city.run(at(2) + DEADLINE)

    household, statement, interval = (
        browser.get(page, {"day": "2026-06-15"}).content.decode() for page in pages
    )
    assert "keeps the transfers of 1 interval no longer" in household
    assert statement.count("no longer kept") == 1
    assert statement.count("1 transfer<") == 1
    assert "some transfers are no longer kept" in interval
    assert browser.get(reverse("receipts", args=[alice.id])).status_code == 200


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text.replace(b'"counters":["0","', b'"counters":["0","1'), "do not lead to"),
        (lambda text: text.replace(b'"time":"1', b'"time":"2', 1), "of another block"),
        (lambda text: text.replace(b'"size":"', b'"size":"1', 1), "of another block"),
        (lambda text: text.replace(b"\n", b"\n\n", 1), "cannot be read"),
    ],
)
def test_an_auditor_names_what_is_wrong_with_a_snapshot(
    city: City, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes], named: str
) -> None:
    city.prune()

    with pytest.raises(LogBroken, match=named):
        city.check_remotely(monkeypatch, change)
