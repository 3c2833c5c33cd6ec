"""A book of two days, of which the first is pruned while the second still refers to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import StringIO
from urllib.parse import unquote, urlsplit

import numpy as np
from django.core.management import call_command
from django.db import connection

from ledger.domain.commands import Command, decode, encode
from ledger.domain.documents import Document
from ledger.queries import get_answers
from tests.conftest import CommittedDatabase
from tests.ledger.bookkeeping import (
    NOW,
    book,
    command,
    hold,
    open_account,
    open_worker,
    post,
    release,
    transfers,
)
from tests.log.hall import Hall

LATER = NOW + timedelta(days=1)
BETWEEN = (NOW + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M")
CODE = 99
PAPER = Document("paper", {"about": "a gift"}, {"text": "from Ada to Zoë"})


@dataclass(frozen=True)
class Story:
    """Who is in it."""

    hall: Hall
    bank: int
    alice: int
    bob: int

    def prune(self, *, before: str = BETWEEN) -> tuple[int, str]:
        """Run the command as the owner, without waiting for anybody; return its end and words."""
        words = StringIO()
        with as_owner(self.hall.database):
            try:
                call_command(
                    "prune", before=before, yes=True, quiet=True, wait=0, stdout=words, stderr=words
                )
            except SystemExit as ended:
                return int(str(ended.code)), words.getvalue()
        return 0, words.getvalue()

    def settle(self, *, now: datetime = LATER) -> None:
        """Book what waits, and have it attested."""
        worker = open_worker()
        worker.settle_inbox(now=now)
        worker.give_back()
        self.hall.step()

    def prune_wholly(self, *, before: str = BETWEEN, now: datetime = LATER) -> None:
        """Prune; worker and publisher come in between."""
        code, said = self.prune(before=before)
        assert (code, "waits to be booked and attested" in said) == (1, True), said
        self.settle(now=now)
        code, said = self.prune(before=before)
        assert code == 0, said


@contextmanager
def as_owner(database: CommittedDatabase) -> Iterator[None]:
    """Let this process be the owner of the tables for a while."""
    owner = urlsplit(database.owner_url)
    settings, before = connection.settings_dict, dict(connection.settings_dict)
    connection.close()
    settings.update(USER=unquote(owner.username or ""), PASSWORD=unquote(owner.password or ""))
    try:
        yield
    finally:
        connection.close()
        settings.update(before)


def foreign(submitted: Command) -> Command:
    """Return a command with codes that are none of the market's, so that validators let it be."""
    if submitted.transfer_count == 0:
        return submitted
    said = decode(submitted.body)
    codes = np.full(len(said.transfers), CODE, dtype=np.int64)
    body = encode(replace(said, transfers=replace(said.transfers, code=codes)))
    return replace(submitted, body=body)


def book_foreign(*commands: Command, now: datetime = NOW) -> None:
    book(*map(foreign, commands), now=now)


def tell(hall: Hall, *, halfway: Callable[[Story], None] | None = None) -> Story:
    """Book the two days and have them attested.

    First day, blocks 1 to 3: transfers 1 a deposit, 2 and 3 gifts, 4 to 6 holds (4 stays open, 5
    is posted by 7, 6 ends on the second day), a document and a refusal. Second day, blocks 4 and
    5: 8 corrects a gift, 9 ends a hold of the first day, a command of that day's document (10), and
    one that names the hold that had ended. ``halfway`` is called after the first block.
    """
    bank, alice, bob = (open_account(name) for name in ("bank", "alice", "bob"))
    open_account("charlie", overdraft_limit=0)
    story = Story(hall, bank, alice, bob)
    book_foreign(
        command("deposit", (bank, alice, 1_000)),
        command("gifts", (alice, bob, 10), (alice, bob, 123_456)),
    )
    if halfway is not None:
        hall.step()
        halfway(story)
    book_foreign(
        hold("stays", alice, bob, 40),
        hold("ends", alice, bob, 50),
        hold("ends later", alice, bob, 60),
        PAPER.command("paper:1"),
    )
    book_foreign(
        post("bill", alice, bob, 45, of="ends/0"),
        post("nonsense", alice, bob, 1, of="deposit/0"),
    )
    book_foreign(
        command("less", (bob, alice, 7), corrects=["gifts/1"]),
        release("free", alice, bob, 60, of="ends later/0"),
        now=LATER,
    )
    book_foreign(
        Command.of("second day", transfers((alice, bob, 3)), document="paper:1"),
        post("again", alice, bob, 1, of="ends/0"),
        now=LATER,
    )
    hall.step()
    return story


def answer_of(story: Story, key: str) -> str:
    """Return what became of a command that was submitted and settled."""
    story.settle()
    answer = get_answers(keys=[key])[key]
    return answer.refusal or answer.state
