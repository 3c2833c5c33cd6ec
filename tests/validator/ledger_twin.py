"""A small ledger that writes its log as docs/ledger.md says, honestly or with a lie.

It computes everything anew for each block, in the plainest way, and shares no code with the
validator but signed notes. Which answer a command deserves is the test's to say, not the twin's.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from validator.notes import LOG, Checkpoint, Note, SigningKey

ORIGIN = "hall.example/log"
PADDING = sha256(b"padding").digest()
START = 1_780_000_000_000_000
MINUTE = 60_000_000


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def digest(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


@dataclass
class Leg:
    debit: int
    credit: int
    amount: int
    code: int = 100
    kind: str = "posted"
    hold: str = ""
    corrects: str = ""
    expires: int = 0


@dataclass
class Account:
    number: int
    unit: str
    limit: int | None
    salt: bytes
    # Debits pending and posted, credits pending and posted.
    counters: list[int] = field(default_factory=lambda: [0, 0, 0, 0])


@dataclass
class Leaf:
    """A leaf before it is committed to; a lie changes it between judgement and publication."""

    type: str
    opening: str | None = None
    told: str | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    committed: bytes | None = None


@dataclass
class Draft:
    """A block before it is sealed."""

    seed: bytes
    time: int
    leaves: list[Leaf]
    closing: dict[str, Any]
    totals: str


@dataclass
class Sealed:
    first: int
    entries: list[bytes]
    openings: bytes


@dataclass
class HeldAmount:
    id: int
    leg: Leg


class Ledger:
    """The hall's side: accounts, answers and blocks."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.holds: dict[str, HeldAmount] = {}
        self.ids: dict[str, int] = {}
        self.documents: dict[str, bytes] = {}
        self.blocks: list[Sealed] = []
        self.entries: list[bytes] = []
        self.time = START
        self.next_transfer = 1
        self.key = SigningKey(ORIGIN, LOG, digest(b"log key"))
        self._leaves: list[Leaf] = []

    def open(self, number: int, unit: str = "EUR", limit: int | None = None) -> None:
        account = Account(number, unit, limit, digest(b"salt", str(number).encode()))
        self.accounts[number] = account
        opening = {
            "account": str(number),
            "limit": None if limit is None else str(limit),
            "salt": base64(account.salt),
            "unit": unit,
        }
        self._leaves.append(Leaf("account", canonical(opening)))

    def answer(
        self, key: str, body: Any, answer: str = "booked", *, legs: Sequence[Leg] = ()
    ) -> None:
        """Log a command with an answer; a booked one changes the accounts."""
        opening = canonical({"answer": answer, "body": body, "key": key})
        shown = {}
        if isinstance(body, dict) and "rules" in body and answer != "not_canonical":
            shown["rules"] = body["rules"]
        self._leaves.append(Leaf("command", opening, shown=shown))
        if answer == "booked":
            for number, leg in enumerate(legs):
                self._book(f"{key}/{number}", leg)

    def submit(self, key: str, *legs: Leg, answer: str = "booked", **names: str) -> None:
        """Log a command of transfers."""
        self.answer(key, body_of(legs, **names), answer, legs=legs)

    def document(
        self,
        key: str,
        kind: str,
        public: Mapping[str, str],
        private: Mapping[str, str],
        stands_for: bytes = b"",
    ) -> None:
        document = {"kind": kind, "private": dict(private), "public": dict(public)}
        body = {"document": document, "version": "1"}
        opening = canonical({"answer": "booked", "body": body, "key": key})
        shown = {"kind": kind, "public": dict(public)}
        self._leaves.append(Leaf("document", opening, shown=shown, fields={**private, "key": key}))
        self.documents[key] = stands_for

    def _book(self, reference: str, leg: Leg) -> None:
        debit, credit = self.accounts[leg.debit], self.accounts[leg.credit]
        held = self.holds.pop(leg.hold) if leg.hold else None
        pending = {"posted": 0, "hold": leg.amount}.get(leg.kind)
        if pending is None:
            assert held is not None
            pending = -held.leg.amount
        posted = leg.amount if leg.kind in ("posted", "post") else 0
        for account, side in ((debit, 0), (credit, 2)):
            account.counters[side] += pending
            account.counters[side + 1] += posted
        number, self.next_transfer = self.next_transfer, self.next_transfer + 1
        self.ids[reference] = number
        if leg.kind == "hold":
            self.holds[reference] = HeldAmount(number, leg)
        opening = {
            "amount": str(leg.amount),
            "code": str(leg.code),
            "credit": str(leg.credit),
            "debit": str(leg.debit),
            "id": str(number),
            "kind": leg.kind,
            "time": "@time",
        }
        if leg.corrects:
            opening["corrects"] = str(self.ids[leg.corrects])
        if leg.expires:
            opening["expires"] = str(leg.expires)
        if held is not None:
            opening["hold"] = str(held.id)
        self._leaves.append(Leaf("transfer", canonical(opening)))

    def draft(self, *, after: int = MINUTE, totals: Sequence[Leaf] = ()) -> Draft:
        """Return what was logged since the last block as one more block."""
        self.time += after
        opened = [leaf for leaf in self._leaves if leaf.type == "account"]
        answered = [leaf for leaf in self._leaves if leaf.type != "account"]
        leaves, self._leaves = [*totals, *opened, *answered], []
        for leaf in leaves:
            if leaf.type == "transfer" and leaf.opening is not None:
                leaf.opening = leaf.opening.replace("@time", str(self.time))
        number = len(self.blocks) + 1
        closing = {
            "block": str(number),
            "leaves": str(len(leaves)),
            "state": base64(self.root()),
            "time": str(self.time),
            "type": "block",
            "version": "1",
        }
        seed = digest(b"seed", str(number).encode())
        return Draft(seed, self.time, leaves, closing, self.totals())

    def seal(self, draft: Draft | None = None) -> Sealed:
        """Commit to a block's leaves and publish it."""
        draft = draft or self.draft()
        first = len(self.entries)
        entries = [
            entry_of(leaf, digest(draft.seed, (first + place).to_bytes(8)))
            for place, leaf in enumerate(draft.leaves)
        ]
        salt = digest(draft.seed, (first + len(entries)).to_bytes(8))
        closing = {"totals": base64(digest(salt, draft.totals.encode())), **draft.closing}
        entries.append(canonical(closing).encode())
        head = {
            "block": str(len(self.blocks) + 1),
            "first": str(first),
            "padding": base64(PADDING),
            "seed": base64(draft.seed),
        }
        told = [leaf.told or leaf.opening or "" for leaf in draft.leaves if leaf.type in OPENED]
        openings = "".join(line + "\n" for line in (canonical(head), *told)).encode()
        self.blocks.append(Sealed(first, entries, openings))
        self.entries += entries
        return self.blocks[-1]

    def lie(self, change: Callable[[Draft], None]) -> Sealed:
        """Seal a block that was changed between judgement and publication."""
        draft = self.draft()
        change(draft)
        return self.seal(draft)

    def totals(self) -> str:
        units = []
        for unit in self.units():
            accounts = [one for one in self.accounts.values() if one.unit == unit]
            dp, d, cp, c = (sum(one.counters[at] for one in accounts) for at in range(4))
            units.append(
                {
                    "accounts": str(len(accounts)),
                    "credits_pending": str(cp),
                    "credits_posted": str(c),
                    "debits_pending": str(dp),
                    "debits_posted": str(d),
                    "unit": unit,
                }
            )
        return canonical({"units": units})

    def units(self) -> list[str]:
        return sorted({account.unit for account in self.accounts.values()})

    def root(self) -> bytes:
        """Return the state root, from every account anew."""
        whole = b"\x03"
        for unit in self.units():
            leaves = [
                digest(
                    b"\x00",
                    account.salt,
                    account.number.to_bytes(8),
                    (-1 if account.limit is None else account.limit).to_bytes(8, signed=True),
                    *(counter.to_bytes(8) for counter in account.counters),
                )
                for account in self.accounts.values()
                if account.unit == unit
            ]
            depth = 4
            while 16**depth < len(leaves):
                depth += 1
            whole += len(unit).to_bytes(2) + unit.encode() + map_node(leaves, depth, 0, unit)
        return digest(whole)

    def checkpoint(self, size: int | None = None) -> bytes:
        """Return the signed checkpoint of the log, or of its beginning."""
        size = len(self.entries) if size is None else size
        text = str(Checkpoint(ORIGIN, size, tree_root(self.entries[:size])))
        return str(Note(text, (self.key.sign(text),))).encode()


OPENED = ("account", "command", "document")


def entry_of(leaf: Leaf, salt: bytes) -> bytes:
    """Return a leaf as the log holds it."""
    if leaf.raw is not None:
        return leaf.raw
    if leaf.type == "totals":
        return canonical({**leaf.shown, "type": "totals"}).encode()
    value: dict[str, Any] = {"type": leaf.type, **leaf.shown}
    if leaf.type == "document":
        value["fields"] = {
            name: base64(digest(digest(salt, name.encode()), text.encode()))
            for name, text in leaf.fields.items()
        }
    else:
        opening = leaf.committed or (leaf.opening or "").encode()
        value["commitment"] = base64(digest(salt, opening))
    return canonical(value).encode()


def body_of(legs: Sequence[Leg], **names: str) -> dict[str, Any]:
    """Return the body of a command; ``names`` are its document and rules."""
    kinds = ("posted", "hold", "post", "release")
    columns: dict[str, list[str]] = {
        name: [str(getattr(leg, name)) for leg in legs]
        for name in ("amount", "code", "credit", "debit")
    }
    if any(leg.kind != "posted" for leg in legs):
        columns["kind"] = [str(kinds.index(leg.kind)) for leg in legs]
    if any(leg.expires for leg in legs):
        columns["expires"] = [str(leg.expires) for leg in legs]
    if any(leg.hold for leg in legs):
        columns["hold"] = [leg.hold for leg in legs]
    if any(leg.corrects for leg in legs):
        columns["corrects"] = [leg.corrects for leg in legs]
    return {"transfers": columns, "version": "1", **names}


def map_node(leaves: Sequence[bytes], level: int, index: int, unit: str) -> bytes:
    """Return a node of a unit's map."""
    if index * 16**level >= len(leaves):
        return digest(b"\x02", PADDING, level.to_bytes(1), index.to_bytes(8), unit.encode())
    if level == 0:
        return leaves[index]
    children = (map_node(leaves, level - 1, index * 16 + at, unit) for at in range(16))
    return digest(b"\x01", *children)


def tree_root(entries: Sequence[bytes]) -> bytes:
    """Return RFC 6962's tree head of some entries."""
    return root_of_hashes([digest(b"\x00", entry) for entry in entries])


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return digest(b"\x01", root_of_hashes(hashes[:half]), root_of_hashes(hashes[half:]))
