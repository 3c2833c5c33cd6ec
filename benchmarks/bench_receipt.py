"""Check a receipt as ``verify_receipt`` does: a million entries in the log, five cosigners."""

from __future__ import annotations

import time
from base64 import b64encode
from statistics import median
from typing import Final

from benchmarks.table import Row
from ledger.domain.commands import TransferKind
from ledger.domain.leaves import commitment, leaf_salt
from ledger.domain.merkle import leaf_hash, node_hash
from ledger.domain.notes import Checkpoint, KeyType, Note, Signer, cosign, sign_note
from ledger.domain.policy import Policy
from ledger.domain.receipt_text import Place, transfer_receipt
from ledger.domain.receipts import verify

LIMIT_MS: Final = 5.0
LEVELS: Final = 20
COSIGNERS: Final = 5
TURNS: Final = 301
SEED: Final = bytes(range(32))


def measure() -> list[Row]:
    """Time the check of a transfer's receipt; what it was made of is not timed."""
    receipt, policy = _receipt()
    verify(receipt, policy)  # the first call loads what the others find
    return [
        Row(
            f"verify a receipt, {2**LEVELS:,} entries, {COSIGNERS} cosigners",
            median(_seconds(receipt, policy) for _ in range(TURNS)) * 1e3,
            "ms",
            LIMIT_MS,
        ),
        Row("size of that receipt", len(receipt), "bytes"),
    ]


def _receipt() -> tuple[str, Policy]:
    """Return a receipt with a path of twenty hashes, and the policy it is checked with."""
    index = 2**LEVELS // 3
    opening = (
        f'{{"amount":"1234567","code":"1","credit":"31007","debit":"90210","id":"54321",'
        f'"kind":"{TransferKind.POSTED.name.lower()}","time":"1782000000000000"}}'
    ).encode()
    entry = b'{"commitment":"%s","type":"transfer"}' % b64encode(
        commitment(leaf_salt(SEED, index), opening)
    )
    path = [bytes([level]) * 32 for level in range(LEVELS)]
    root = leaf_hash(entry)
    for level, other in enumerate(path):
        root = node_hash(other, root) if index >> level & 1 else node_hash(root, other)
    log = Signer.generate("bench.example/log", KeyType.LOG)
    cosigners = [Signer.generate(f"c{n}.example", KeyType.COSIGNER) for n in range(COSIGNERS)]
    names = [f"c{n}" for n in range(COSIGNERS)]
    policy = Policy.parse(
        f"log {log.key}\n"
        + "".join(f"witness {name} {one.key}\n" for name, one in zip(names, cosigners, strict=True))
        + f"group all-of-them all {' '.join(names)}\nquorum all-of-them\n"
    )
    text = Checkpoint(log.name, 2**LEVELS, root).text()
    signed = [cosign(text, one, timestamp=1_782_000_000) for one in cosigners]
    place = Place(index, tuple(path), Note(text, (sign_note(text, log), *signed)))
    return transfer_receipt(place, entry=entry, opening=opening, seed=SEED), policy


def _seconds(receipt: str, policy: Policy) -> float:
    started = time.perf_counter()
    verify(receipt, policy)
    return time.perf_counter() - started
