"""The ledger at work on transfers that say nothing, in processes that can be weighed.

``submit`` opens accounts and fills the inbox, ``publish`` is the publisher, ``settle`` the
settlement worker: the same code as in their commands, with a stopwatch. ``settle`` begins with the
first waiting command and ends when the newest checkpoint is signed and attested. ``erase`` forgets
some people.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from threading import Event
from typing import Final

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from benchmarks.stopwatch import Stopwatch, processor_seconds
from config.log.keys import make_signer, read_policy
from ledger.domain import rule_core, sealing
from ledger.domain.commands import Command, Int64Array, Transfers
from ledger.domain.merkle import Frontier
from ledger.domain.state_map import StateMap
from ledger.models import Checkpoint
from ledger.services import SettlementWorker, blocks, open_accounts, publisher, submit, worker
from ledger.services.log_folder import LogFolder
from ledger.services.publication import Publication
from ledger.services.publisher import LogPublisher
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from marketplace.services.people import add_participant

UNIT: Final = "CNY/6"
LIMIT: Final = 2**60  # every transfer has a limit to be judged by, and passes
SUBMITTED_AT_ONCE: Final = 50_000
AMOUNT_MAX: Final = 10**6
ATTESTED_WITHIN_SECONDS: Final = 900.0
LISTEN_SECONDS: Final = 0.01
ERASED: Final = 51
IDLE_SECONDS: Final = 0.1  # as the publisher's own command
START: Final = "reading every account at the start"


@dataclass(frozen=True)
class Settled:
    """What settling an inbox took.

    ``start_seconds`` is what a worker does before its first block only, and in no other number.
    ``processor_seconds`` are those of the worker and of its database session until all is booked.
    ``parts`` are seconds, each without the others.
    """

    transfers: int
    blocks: list[int]
    start_seconds: float
    booked_seconds: float
    signed_seconds: float
    attested_seconds: float
    processor_seconds: float
    parts: dict[str, float]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and do one of the three."""
    parser = argparse.ArgumentParser(prog="ledger_load")
    verbs = parser.add_subparsers(dest="verb", required=True)
    filling = verbs.add_parser("submit")
    filling.add_argument("--accounts", type=int, required=True)
    filling.add_argument("--transfers", type=int, required=True)
    filling.add_argument("--per-command", type=int, required=True)
    for verb in ("publish", "settle", "erase"):
        verbs.add_parser(verb).add_argument("out", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.verb == "publish":
        publish_until_told(arguments.out)
    elif arguments.verb == "settle":
        arguments.out.write_text(json.dumps(asdict(settle_inbox())), encoding="utf-8")
    elif arguments.verb == "erase":
        arguments.out.write_text(json.dumps(erase_some()), encoding="utf-8")
    else:
        fill_inbox(
            accounts=arguments.accounts,
            transfers=arguments.transfers,
            per_command=arguments.per_command,
        )


def fill_inbox(*, accounts: int, transfers: int, per_command: int) -> None:
    """Open accounts, in the log too, and submit commands of random transfers between them."""
    paths = [f"load/{number}" for number in range(accounts)]
    opened = open_accounts(paths=paths, unit=UNIT, overdraft_limit=LIMIT)
    ids = np.array(sorted(opened.values()), dtype=np.int64)
    now = datetime.now(UTC)
    # Accounts are opened by a block, and there is none without a command.
    submit(commands=list(make_commands(ids, "first", count=1, per_command=1)), submitted_at=now)
    settlement = SettlementWorker(holder="load")
    assert settlement.take_head()
    settlement.settle_inbox(now=now)
    settlement.give_back()
    waiting: list[Command] = []
    for command in make_commands(ids, "load", count=transfers, per_command=per_command):
        waiting.append(command)
        if len(waiting) * per_command >= SUBMITTED_AT_ONCE:
            submit(commands=waiting, submitted_at=now)
            waiting.clear()
    submit(commands=waiting, submitted_at=now)


def make_commands(ids: Int64Array, name: str, *, count: int, per_command: int) -> Iterator[Command]:
    """Yield commands of ``count`` random transfers; the same arguments give the same ones."""
    random = np.random.default_rng(20_261_121)
    for first in range(0, count, per_command):
        n = min(per_command, count - first)
        debit = random.integers(0, len(ids), n)
        credit = (debit + random.integers(1, len(ids), n)) % len(ids)
        transfers = Transfers(
            debit=ids[debit],
            credit=ids[credit],
            amount=random.integers(1, AMOUNT_MAX, n),
            # Codes 1 to 6 are an interval's money alone: a validator objects to them elsewhere.
            code=np.full(n, 100, dtype=np.int64),
        )
        yield Command.of(f"{name}-{first}", transfers)


def settle_inbox() -> Settled:
    """Book and seal what waits, and wait till it is published and attested."""
    watch = Stopwatch()
    watch_worker(watch)
    settlement = SettlementWorker(holder="load")
    assert settlement.take_head()
    session: int = connection.connection.info.backend_pid
    numbers: list[int] = []
    transfers = 0
    started, had = time.perf_counter(), time.process_time() + processor_seconds(session)
    while True:
        with watch.part("commit, and the rest"):
            booked = settlement.settle_block(now=datetime.now(UTC))
        if booked is None:
            break
        numbers.append(booked.block)
        transfers += booked.transfers
    ended, has = time.perf_counter(), time.process_time() + processor_seconds(session)
    parts = dict(watch.seconds)
    start = parts.pop(START)
    newest = Checkpoint.objects.filter(block=numbers[-1])
    signed = _moment_of(newest)
    attested = _moment_of(newest.filter(attested_at__isnull=False))
    started += start
    return Settled(
        transfers=transfers,
        blocks=numbers,
        start_seconds=start,
        booked_seconds=ended - started,
        signed_seconds=signed - started,
        attested_seconds=attested - started,
        processor_seconds=has - had - start,
        parts=parts,
    )


def _moment_of(rows: QuerySet[Checkpoint]) -> float:
    """Wait till there is one."""
    give_up_at = time.perf_counter() + ATTESTED_WITHIN_SECONDS
    while not rows.exists():
        if time.perf_counter() > give_up_at:
            raise TimeoutError("the newest block is not attested")
        time.sleep(LISTEN_SECONDS)
    return time.perf_counter()


def publish_until_told(out: Path) -> None:
    """Publish round after round; at a SIGTERM write down where the time went."""
    told = Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    publication = Publication(
        publisher=LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer()),
        policy=read_policy,
        holder="load",
        say=print,
    )
    assert publication.publisher.take_turn()
    publication.open(now=datetime.now(UTC))
    publication.step(now=datetime.now(UTC))  # the accounts, opened before the load
    watch = Stopwatch()
    watch_publisher(watch)
    out.touch()
    while not told.is_set():
        if publication.step(now=datetime.now(UTC)) is None:
            told.wait(IDLE_SECONDS)
    publication.close()
    out.write_text(json.dumps(watch.seconds), encoding="utf-8")


def erase_some() -> float:
    """Erase households, one after the other; return the median time. [s]"""
    spent = []
    for number in range(ERASED):
        name = f"Bench {datetime.now(UTC):%H%M%S%f} {number}"
        household = add_participant(role="HOUSEHOLD", name=name)
        started = time.perf_counter()
        erase_subject(
            plan=plan_erasure_of_participant(participant_id=household), now=datetime.now(UTC)
        )
        spent.append(time.perf_counter() - started)
    return median(spent)


def watch_worker(watch: Stopwatch) -> None:
    """Count the time of every step of the settlement worker."""
    watch.watch(worker, "load_log_state", START)
    watch.watch(blocks, "next_commands", "reading the inbox")
    watch.watch(worker, "load_book", "reading accounts")
    watch.watch(rule_core, "read_body", "decoding commands")
    watch.watch(worker, "apply_all", "judging")
    watch.watch(blocks, "copy_transfers", "COPY of transfers, with the counters' update")
    watch.watch(blocks, "answer_commands", "answers")
    watch.watch(worker, "_write_block", "block row with its leaves")
    # The rest is done in a thread beside the COPY.
    watch.watch(sealing, "answer_leaves", "beside the COPY, hashing leaves")
    watch.watch(StateMap, "update", "beside the COPY, state root")
    watch.watch(StateMap, "root", "beside the COPY, state root")
    watch.watch(Frontier, "grown", "beside the COPY, log tree")
    watch.watch(worker, "seal", "beside the COPY, the rest of sealing")


def watch_publisher(watch: Stopwatch) -> None:
    """Count the time of every step of the publisher."""
    watch.watch(publisher, "_entries", "publisher, reading leaves")
    watch.watch(Frontier, "grown", "publisher, log tree")
    watch.watch(LogFolder, "write_tiles", "publisher, tiles")
    watch.watch(LogPublisher, "_sign", "publisher, signature")
    watch.watch(LogPublisher, "publish_new", "publisher, the rest of publishing")
