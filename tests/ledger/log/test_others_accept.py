"""Implementations that nobody here wrote accept our log and receipt, and refuse a tampered one."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.domain.notes import Checkpoint
from tests.ledger.log.others import Refused, check_with_others
from tests.ledger.log.published import ORIGIN, PublishedLog, entries_for, publish, signed

ALL = {"tlog-scales", "proofbundle", "metamorphic-log", "pymerkle"}
READ_SIGNATURES = ALL - {"pymerkle"}
READ_COSIGNATURES = READ_SIGNATURES - {"metamorphic-log"}
READ_TILES = {"tlog-scales"}

PLACE = 4
small = publish(entries_for(11), index=PLACE)


def check(log: PublishedLog, by: str) -> None:
    check_with_others(
        log.entries, log.checkpoint_note, log.tiles, log.proof_text, log.policy, by=[by]
    )


@pytest.mark.parametrize("by", sorted(ALL))
@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 700])
def test_others_accept_the_log(by: str, size: int) -> None:
    for index in {0, size // 2, size - 1}:
        check(publish(entries_for(size), index=index), by)


@pytest.mark.parametrize("by", sorted(ALL))
def test_others_accept_an_earlier_receipt_and_that_the_log_grew_from_it(by: str) -> None:
    earlier = publish(entries_for(300), index=256)
    later = publish(entries_for(600))

    check(replace(later, proof_text=earlier.proof_text), by)


@pytest.mark.parametrize("by", sorted(ALL))
def test_others_accept_a_log_that_one_cosigner_did_not_sign(by: str) -> None:
    note = str(
        signed(Checkpoint.parse(small.checkpoint_note.partition("\n\n")[0] + "\n"), by=["v2"])
    )

    check(replace(small, checkpoint_note=note), by)


def tampered_leaf(log: PublishedLog) -> PublishedLog:
    """Edit an entry wherever it stands as itself; its hashes stay as they were signed."""
    entries = list(log.entries)
    old, entries[PLACE] = entries[PLACE], entries[PLACE].replace(b"4", b"5")
    bundles = {path: data.replace(old, entries[PLACE]) for path, data in log.tiles.items()}
    return replace(log, entries=entries, tiles=bundles)


def swapped_leaves(log: PublishedLog) -> PublishedLog:
    entries = list(log.entries)
    entries[PLACE], entries[PLACE + 1] = entries[PLACE + 1], entries[PLACE]
    return replace(publish(entries, index=PLACE), checkpoint_note=log.checkpoint_note)


def flipped_tile(log: PublishedLog) -> PublishedLog:
    path = "tile/0/000.p/11"
    tile = bytearray(log.tiles[path])
    tile[32 * PLACE] ^= 1
    return replace(log, tiles=log.tiles | {path: bytes(tile)})


def other_receipt_hash(log: PublishedLog) -> PublishedLog:
    line = log.proof_text.split("\n")[2]
    return replace(
        log, proof_text=log.proof_text.replace(line, base64.b64encode(bytes(32)).decode())
    )


def other_receipt_place(log: PublishedLog) -> PublishedLog:
    return replace(log, proof_text=log.proof_text.replace("index 4", "index 5"))


def unsigned_size(log: PublishedLog) -> PublishedLog:
    """Claim a size that nobody signed, in the receipt."""
    return replace(log, proof_text=log.proof_text.replace("\n11\n", "\n12\n"))


def forged_log_signature(log: PublishedLog) -> PublishedLog:
    return replace(log, checkpoint_note=with_flipped_signature(log.checkpoint_note, ORIGIN))


def forged_cosignature(log: PublishedLog) -> PublishedLog:
    return replace(log, checkpoint_note=with_flipped_signature(log.checkpoint_note, "v3.example"))


def later_cosignature(log: PublishedLog) -> PublishedLog:
    """Move the time that a cosigner signed."""
    return replace(
        log, checkpoint_note=with_flipped_signature(log.checkpoint_note, "w1.example", 11)
    )


def with_flipped_signature(note: str, name: str, at: int = -1) -> str:
    (line,) = [line for line in note.split("\n") if line.startswith(f"— {name} ")]
    blob = bytearray(base64.b64decode(line.split(" ")[2]))
    blob[at] ^= 1
    return note.replace(line, f"— {name} {base64.b64encode(bytes(blob)).decode()}")


CHANGES: list[tuple[Callable[[PublishedLog], PublishedLog], set[str]]] = [
    (tampered_leaf, ALL),
    (swapped_leaves, ALL),
    (flipped_tile, READ_TILES),
    (other_receipt_hash, ALL),
    (other_receipt_place, ALL),
    (unsigned_size, ALL),
    (forged_log_signature, READ_SIGNATURES),
    (forged_cosignature, READ_COSIGNATURES),
    (later_cosignature, READ_COSIGNATURES),
]


@pytest.mark.parametrize(
    ("change", "by"),
    [(change, by) for change, readers in CHANGES for by in sorted(readers)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_others_refuse_what_was_tampered_with(
    change: Callable[[PublishedLog], PublishedLog], by: str
) -> None:
    check(small, by)

    with pytest.raises(Refused, match=by):
        check(change(small), by)
