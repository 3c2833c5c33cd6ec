"""A story that tells every rule once: what tests/vectors/ledger.json was made of.

The vectors are frozen. Whoever changes them changes the protocol; the version then changes too.
Write them anew with ``python -m tests.ledger.story`` (in an environment that has the settings).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import AMOUNT_MAX, Command, TransferKind, Transfers
from ledger.domain.documents import Document
from ledger.domain.judge import NO_LIMIT, Book
from ledger.domain.leaves import base64_text, command_opening, totals_opening
from ledger.domain.merkle import Frontier
from ledger.domain.rule_core import AskedCommand, ClosedBlock, OpenedAccount, State, apply
from ledger.domain.sealing import LogState, seal
from ledger.domain.state_map import StateMap
from tests.ledger.bookkeeping import command, hold, post, release, transfers

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "ledger.json"
PADDING = sha256(b"padding of the story").digest()
# 2026-03-31T23:59:00Z: the second block falls into the next month.
START = 1_775_001_540_000_000
MINUTE = 60_000_000
H = TransferKind.HOLD


def account(number: int, unit: str = "CNY/6", limit: int | None = None) -> OpenedAccount:
    return OpenedAccount(number, unit, limit, sha256(b"account %d" % number).digest())


def expiring(key: str, debit: int, credit: int, amount: int, expires: int) -> Command:
    rows = replace(
        transfers((debit, credit, amount), kind=[H]), expires=np.array([expires], dtype=np.int64)
    )
    return Command.of(key, rows)


def raw(key: str, body: bytes) -> Command:
    return Command(key, body, 1)


def first_commands() -> list[Command]:
    """Deposits, a document and its settlement, holds, a refusal, bytes that are no command."""
    rules = sha256(b"rules").hexdigest()
    book = Document("interval-book", {"rules": rules, "rows": "AAAA"}, {"seed": "geheim 秘密"})
    plain = command("plain", (1, 2, 5)).body
    return [
        command("deposits", *((1, number, 100) for number in range(2, 14))),
        book.command("book:1"),
        Command.of("settle:1", transfers((2, 3, 7), (3, 4, 1)), document="book:1", rules=rules),
        hold("hold:a", 2, 3, 40),
        expiring("hold:b", 4, 5, 10, START + MINUTE),
        command("negative", (5, 1, 101)),
        Document("empty").command("nothing"),
        raw("spaces", plain.replace(b":", b": ")),
        raw("numbers", b'{"transfers":{"amount":[5]},"version":"1"}'),
        raw("not-json", b"\xff\xfe"),
        raw("twice", plain.replace(b'"code"', b'"code":["1"],"code"')),
        raw("nan", plain.replace(b'["5"]', b"[NaN]")),
    ]


def second_commands() -> list[Command]:
    """Ends of holds, corrections, and every way to be refused but one."""
    return [
        post("pay:a", 2, 3, 30, of="hold:a/0"),
        post("again", 2, 3, 1, of="hold:a/0"),
        post("nowhere", 2, 3, 1, of="hold:z/0"),
        post("no-hold", 1, 2, 100, of="deposits/0"),
        hold("hold:c", 6, 7, 20),
        post("too-much", 6, 7, 21, of="hold:c/0"),
        release("half", 6, 7, 10, of="hold:c/0"),
        post("others", 7, 6, 20, of="hold:c/0"),
        command("right", (3, 2, 2), corrects=["settle:1/0"]),
        command("wrong", (3, 2, 2), corrects=["settle:1/2"]),
        command("unknown", (2, 99, 1)),
        command("units", (20, 2, 1)),
        command("energy", (20, 21, AMOUNT_MAX)),
        command("overflow", (20, 21, 1)),
        command("wave", (20, 22, AMOUNT_MAX), (22, 20, AMOUNT_MAX)),
        command("hot", *((1, 2, 1) for _ in range(40))),
        Command.of(
            "mixed",
            Transfers(
                debit=np.array([8, 9, 6], dtype=np.int64),
                credit=np.array([9, 8, 7], dtype=np.int64),
                amount=np.array([100, 50, 20], dtype=np.int64),
                code=np.array([0, 32767, 3], dtype=np.int64),
                kind=np.array([0, 1, 2], dtype=np.int64),
                holds=["", "", "hold:c/0"],
                expires=np.array([0, START + 90 * MINUTE, 0], dtype=np.int64),
            ),
        ),
        Command.of(
            "refused-with-rules", transfers((9, 8, 10_000)), rules=sha256(b"rules").hexdigest()
        ),
    ]


def blocks() -> list[tuple[int, list[OpenedAccount], list[Command]]]:
    """Return (time, accounts, commands) of each block."""
    people = [account(number, limit=0) for number in range(2, 14)]
    third = [
        post("too-late", 4, 5, 10, of="hold:b/0"),
        release("free:b", 4, 5, 10, of="hold:b/0"),
        command("last", (1, 13, 1)),
    ]
    return [
        (START, [account(1), *people], first_commands()),
        (
            START + 2 * MINUTE,
            [account(20, "data/0"), account(21, "data/0"), account(22, "data/0", 5)],
            second_commands(),
        ),
        (START + 2 * MINUTE, [], third),
    ]


def told() -> dict[str, object]:
    """Return the story with everything that follows from it, as the vectors have it."""
    told_blocks = blocks()
    everybody = [each for _, opened, _ in told_blocks for each in opened]
    state = State(_book(everybody))
    log = LogState(0, 0, Frontier.empty(), StateMap(PADDING))
    written = []
    for number, (time, opened, commands) in enumerate(told_blocks, start=1):
        for each in opened:
            apply(state, each)
        answers = [
            answer
            for each in commands
            if (answer := apply(state, AskedCommand(each.key, each.body))) is not None
        ]
        seed = sha256(b"seed %d" % number).digest()
        sealed = seal(log, time=time, seed=seed, opened=opened, answers=answers, book=state.book)
        apply(state, ClosedBlock(number, time))
        openings = [
            {
                "account": str(each.account),
                "limit": None if each.limit is None else str(each.limit),
                "salt": base64_text(each.salt),
                "unit": each.unit,
            }
            for each in opened
        ]
        written.append(
            {
                "header": {
                    "block": str(number),
                    "first": str(sealed.first_leaf),
                    "padding": base64_text(PADDING),
                    "seed": base64_text(seed),
                },
                "accounts": openings,
                "commands": [
                    json.loads(
                        command_opening(key=each.asked.key, answer=each.code, body=each.asked.body)
                    )
                    for each in answers
                ],
                "entries": [entry.decode() for entry in sealed.entries],
                "root": base64_text(sealed.root),
                "state": base64_text(sealed.state_root),
                "totals": json.loads(totals_opening(log.accounts.totals())),
            }
        )
    return {"version": "1", "blocks": written}


def _book(everybody: Sequence[OpenedAccount]) -> Book:
    ids = np.array([each.account for each in everybody], dtype=np.int64)
    units = sorted({each.unit for each in everybody})
    book = Book(
        ids=ids,
        units=np.array([units.index(each.unit) for each in everybody], dtype=np.int64),
        limits=np.array(
            [NO_LIMIT if each.limit is None else each.limit for each in everybody], dtype=np.int64
        ),
        counters=np.zeros((4, len(ids)), dtype=np.int64),
    )
    book.is_open[:] = False
    return book


if __name__ == "__main__":
    text = json.dumps(json.loads(canonical_json(told())), indent=1, ensure_ascii=False)
    VECTORS.write_text(text + "\n", encoding="utf-8")
