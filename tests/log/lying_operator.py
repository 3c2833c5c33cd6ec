"""A hall run by a liar: its database's owner, its program, its key, its server, all at once.

A small city with one settled hour is made once. Each lie has its files as a copy, and its database
in a transaction that is rolled back in the end. The validator is the real one: its classes, its
state in a file, and its client, whose requests reach the hall's views.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import numpy as np
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.http import StreamingHttpResponse
from django.test import Client, override_settings

from config.log.keys import read_policy
from ledger.domain.commands import Command, Transfers
from ledger.domain.documents import Document
from ledger.domain.notes import KeyType, Signer
from ledger.models import Block, Checkpoint, Head, InboxCommand
from ledger.queries import get_attested_block
from ledger.services import SettlementWorker, open_accounts, submit, worker
from ledger.services.attestation import grant_openings
from ledger.services.log_folder import LogFolder
from ledger.services.publication import Publication
from ledger.services.publisher import LogPublisher
from marketplace.domain.book_rows import book_document, book_key
from marketplace.domain.interval_book import IntervalBook, pack
from marketplace.models import Clearing, DeliveryInterval
from marketplace.queries.documents import REASONS, book_header
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.settlement import note_booked_settlements, settle_clearings
from tests import databases
from tests.log.lying_leaves import Draft, lying_seal
from tests.market.street import Flows, Street, at
from validator import client as validator_client
from validator.errors import HallSilent
from validator.follow import Follower
from validator.keys import make_key_file, read_key_file
from validator.policy import read_policy as read_trusted
from validator.store import Store

ORIGIN = "hall.example/log"
UNIT = "CNY/6"
METERS = ("alice", "bob", "charlie", "dora", "emil", "frieda", "gustav", "hanna")
FLOWS: Flows = {
    meter: (0, 700 + 90 * number) if number < 3 else (400 + 70 * number, 0)
    for number, meter in enumerate(METERS)
}
# A code that no settlement has: what a hall books beside its market.
OTHER_CODE = 90


class ViewsClient(validator_client.Hall):
    """The validator's client; each request goes to the hall's views instead of a socket."""

    def __init__(self, credential: str) -> None:
        super().__init__("http://hall.example/log", credential)
        self.forged: dict[str, bytes | None] = {}

    def get_all(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Ask one after the other: the views share this thread's connection."""
        return map(self.get, paths)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        name = path.removeprefix("/log/")
        if name in self.forged:
            data = self.forged[name]
            return (200, data) if data is not None else (404, b"nothing here")
        answer = Client().generic(method, path, body or b"", "text/plain", headers=headers)
        if isinstance(answer, StreamingHttpResponse):
            pieces: Iterator[bytes] = iter(answer)
            return answer.status_code, b"".join(pieces)
        return answer.status_code, answer.content


@dataclass(frozen=True)
class City:
    """An honest city after its first hour: a database to copy, files, and a validator's state."""

    database: str
    state: Path
    street: Street
    credential: str


def transfer(key: str, payer: int, receiver: int, micro: int, *, code: int = OTHER_CODE) -> Command:
    debit, credit, amount, codes = (
        np.array([each], dtype=np.int64) for each in (payer, receiver, micro, code)
    )
    return Command.of(key, Transfers(debit, credit, amount, codes))


class Operator:
    """Runs the city, honestly step by step, and lies in between."""

    def __init__(self, city: City, state: Path) -> None:
        self.city, self.state = city, state
        self.street = city.street
        self.folder = LogFolder(state / "publication")
        self.client = ViewsClient(city.credential)
        self.now = datetime.now(UTC)
        self._begun = transaction.savepoint()

    # What an honest hall does.

    def clear(self, *, hour: int = 1, flows: Flows = FLOWS, now: datetime | None = None) -> None:
        """Receive an hour's readings and clear it; its book waits in the inbox."""
        now = now or at(hour + 1)
        self.street.send(flows, hour=hour, now=now)
        meter_intervals(community_id=self.street.community.id, now=now)
        assert clear_due_intervals(community_id=self.street.community.id, now=now)

    def settle(self) -> None:
        settle_clearings(community_id=self.street.community.id, now=self.now)

    def seal(self, *, now: datetime | None = None) -> None:
        """Let the worker judge what waits and seal it as one block."""
        one = SettlementWorker(holder="liar")
        assert one.take_head()
        assert one.settle_block(now=now or self.now)
        one.give_back()

    def publish(self) -> None:
        """Sign what is sealed, unless that was done before a lie about the files."""
        if Checkpoint.objects.filter(block=Block.objects.latest("number")).exists():
            return
        publisher = LogPublisher(folder=self.folder, signer=_signer(self.state))
        publication = Publication(
            publisher=publisher, policy=read_policy, holder="liar", say=lambda line: None
        )
        assert publisher.take_turn()
        publication.open(now=self.now)
        publication.step(now=self.now)
        publication.close()
        publisher.give_turn_back()

    def others(self) -> None:
        """Have something else to seal beside the market: an account, two gifts, a refusal."""
        guest, till = self.pair()
        commands = [
            transfer("gift-1", guest, till, 7),
            transfer("gift-2", guest, till, 8),
            transfer("too-much", till, guest, 1000),
        ]
        submit(commands=commands, submitted_at=self.now)

    @staticmethod
    def accounts(path: str, *, limit: int | None = None) -> dict[str, int]:
        return open_accounts(paths=[path], unit=UNIT, overdraft_limit=limit)

    def pair(self) -> tuple[int, int]:
        """Return two accounts that give each other things: a guest's and the till."""
        accounts = self.accounts("till", limit=0) | self.accounts("guest")
        return accounts["guest"], accounts["till"]

    # What a liar can do beside.

    def own(self, statement: str, *values: str | int | bytes) -> None:
        """Change rows as the owner of the tables, past every guard."""
        with connection.cursor() as owner:
            take_guards_away(owner)
            owner.execute(statement, values or None)
            assert owner.rowcount, statement

    def rewrite_book(
        self,
        change: Callable[[IntervalBook], IntervalBook],
        *,
        interval: DeliveryInterval | None = None,
        logs: bool = True,
        was: str = "",
    ) -> None:
        """Change a book where it is kept, and with ``logs`` also what waits to be logged of it."""
        interval = interval or self.street.interval(1)
        clearing = Clearing.objects.select_related("interval__community", "rule_set").get(
            interval=interval, revision=interval.revision
        )
        book = change(IntervalBook.unpacked(bytes(clearing.book)))
        canonical = book.canonical_bytes()
        self.own(
            "UPDATE marketplace_clearing SET book = %s, book_sha256 = %s WHERE id = %s",
            *(pack(canonical), sha256(canonical).hexdigest(), clearing.id),
        )
        if not logs:
            return
        says = book_header(
            interval=clearing.interval,
            revision=clearing.revision,
            reason=REASONS[clearing.reason],
            timezone=clearing.rule_set.document["timezone"],
            community=clearing.interval.community,
        )
        rules = clearing.rule_set.sha256
        document = book_document(says, book, rules_sha256=rules, seed=os.urandom(32))
        self.rewrite_command(document, was=was or book_key(clearing.interval_id, clearing.revision))

    def rewrite_command(self, command: Command, *, was: str) -> None:
        """Put another command in the place of one that waits."""
        self.own(
            "UPDATE ledger_inboxcommand SET key = %s, body = %s, fingerprint = %s,"
            " transfer_count = %s WHERE key = %s",
            *(command.key, command.body, command.fingerprint, command.transfer_count, was),
        )

    def rewrite_document(self, key: str, **public: str) -> None:
        """Change public fields of a document that waits."""
        body = InboxCommand.objects.get(key=key).body
        said = Document(**written(bytes(body)))
        changed = replace(said, public={**said.public, **public})
        self.rewrite_command(changed.command(key), was=key)

    def seal_with(self, change: Callable[[Draft], None]) -> None:
        """Seal a block whose leaves were changed, and tell openings that fit what it says."""
        drafts: list[Draft] = []
        padding = bytes(Head.objects.get().padding)
        with mock.patch.object(worker, "seal", lying_seal(change, drafts, padding=padding)):
            self.seal()
        path = f"openings/{drafts[0].number}"
        if drafts[0].is_changed:
            self.client.forged[path] = drafts[0].openings()
        else:
            assert self.client.get_opening(str(drafts[0].number)) == drafts[0].openings()

    def spoil(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change a file of the log: the newest whose path begins so."""
        found = sorted(self.folder.root.glob(f"{name}*/*"), key=lambda path: int(path.name))
        found[-1].write_bytes(change(found[-1].read_bytes()))

    def restore_old_copy(self) -> None:
        """Go back to the city's first hour; what the validator knows stays."""
        transaction.savepoint_rollback(self._begun)
        shutil.rmtree(self.folder.root)
        shutil.copytree(self.city.state / "publication", self.folder.root)

    # What the validator makes of it.

    @contextmanager
    def validator(self) -> Iterator[Follower]:
        store = Store(self.state / "vera")
        policy = read_trusted(self.state / "policy")
        key = read_key_file(self.state / "vera.key")
        try:
            yield Follower(hall=self.client, store=store, key=key, policy=policy)
        finally:
            store.close()

    def objections(self) -> list[tuple[int, str]]:
        """Let the validator follow to what is published; return leaf and code of what it says."""
        with self.validator() as follower:
            try:
                while follower.step():
                    pass
            except HallSilent:
                pass  # it asks again later, and cosigns nothing meanwhile
            return [(each.leaf, each.code) for each in follower.journal.standing()]


@contextmanager
def honest_city(state: Path) -> Iterator[City]:
    """Make a city whose first hour is settled, published, followed and attested."""
    with new_city(f"{databases.worker_name()}_city", state) as name:
        with working_on(name, places_of(state)):
            city = City(name, state, Street(meters=METERS), grant_openings(name="vera", now=at(0)))
            operator = Operator(city, state)
            operator.accounts("till", limit=0)
            operator.clear(hour=0)
            operator.settle()
            operator.seal(now=operator.now - timedelta(days=40))
            note_booked_settlements()
            operator.publish()
            assert operator.objections() == []
            assert get_attested_block() == 1
        yield city


@contextmanager
def new_city(name: str, state: Path) -> Iterator[str]:
    """Make an empty database, and the keys and the policy of a log; return the database's name."""
    databases.clone_template(name)
    state.mkdir()
    signer = Signer.generate(ORIGIN, KeyType.LOG)
    (state / "log.key").write_text(signer.secret_text() + "\n")
    (state / "log.key").chmod(0o600)
    vera = make_key_file(state / "vera.key", name="vera.example")
    wilma = Signer.generate("wilma.example", KeyType.COSIGNER)
    (state / "policy").write_text(
        f"log {signer.key}\nwitness vera {vera.verifier}\nwitness wilma {wilma.key}\n"
        "group validators any vera\ngroup witnesses any wilma\nquorum validators\n"
    )
    try:
        yield name
    finally:
        databases.drop(name)


@contextmanager
def operator_of_a_copy(city: City, state: Path) -> Iterator[Operator]:
    """Copy the city for one who will lie about it."""
    with copied(city, state):
        yield Operator(city, state)


@contextmanager
def copied(city: City, state: Path) -> Iterator[None]:
    """Copy a city's files, and work on its database as its owner; nothing of that stays."""
    shutil.copytree(city.state, state)
    with as_owner(), working_on(city.database, places_of(state)), transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@contextmanager
def as_owner() -> Iterator[None]:
    """Let this process connect as the owner of the tables."""
    usual = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
    owner = urlsplit(os.environ["DATABASE_OWNER_URL"])
    connection.settings_dict["USER"] = unquote(owner.username or "")
    connection.settings_dict["PASSWORD"] = unquote(owner.password or "")
    try:
        yield
    finally:
        connection.settings_dict.update(usual)


@contextmanager
def working_on(database: str, places: Mapping[str, Path]) -> Iterator[None]:
    """Let this process work on another database, and its log on other files."""
    usual = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        with override_settings(**places):
            yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


def places_of(state: Path) -> Mapping[str, Path]:
    """Return the settings that say where the log's files are."""
    return {
        "LOG_FOLDER": state / "publication",
        "LOG_KEY_FILE": state / "log.key",
        "LOG_POLICY_FILE": state / "policy",
    }


def _signer(state: Path) -> Signer:
    return Signer.parse((state / "log.key").read_text().strip())


def written(body: bytes) -> dict[str, Any]:
    """Return the document of a command's body."""
    document: dict[str, Any] = json.loads(body)["document"]
    return document


def take_guards_away(owner: CursorWrapper) -> None:
    """Disable triggers and drop checks and foreign keys, as the owner of tables can."""
    # What waits for the end of the transaction would hold its table.
    owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
    owner.execute(
        "SELECT format('ALTER TABLE %I DISABLE TRIGGER USER', tablename) FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename ~ '^(ledger|marketplace)_'"
        " UNION ALL"
        " SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)"
        " FROM pg_constraint WHERE conrelid::regclass::text ~ '^(ledger|marketplace)_'"
        " AND contype IN ('c', 'f')"
    )
    for (statement,) in owner.fetchall():
        owner.execute(statement)
