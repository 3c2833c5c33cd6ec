"""The frozen vectors that the ledger wrote are followed to the same roots, byte for byte."""

import json
from base64 import b64encode
from itertools import chain
from typing import Any

import pytest

from tests.databases import PROJECT
from tests.validator.follower import Memory
from tests.validator.ledger_twin import canonical
from validator.block import apply_block, open_block
from validator.checks import Objected
from validator.merkle import CompactRange, leaf_hash
from validator.openings import Openings
from validator.state import Fresh, State

BLOCKS: list[dict[str, Any]] = json.loads(
    (PROJECT / "tests" / "vectors" / "ledger.json").read_text(encoding="utf-8")
)["blocks"]


def follow(blocks: list[dict[str, Any]]) -> State:
    """Re-execute blocks of vectors; every root on the way is compared."""
    archive = Memory()
    state: State | None = None
    tree = CompactRange()
    for vector in blocks:
        lines = chain([vector["header"]], vector["accounts"], vector["commands"])
        openings = Openings.parse("".join(canonical(line) + "\n" for line in lines).encode())
        entries = [entry.encode() for entry in vector["entries"]]
        block = open_block(entries, openings, first=tree.size)
        state = state or State(archive, openings.padding)
        apply_block(state, block, now=block.closing.time)
        archive.commands |= state.fresh.commands
        archive.documents |= state.fresh.documents
        archive.ended |= state.fresh.ended
        state.fresh = Fresh()
        tree = tree.extended(map(leaf_hash, entries))
        assert b64encode(tree.root()).decode() == vector["root"]
        assert b64encode(block.closing.state).decode() == vector["state"]
        assert state.totals_opening().decode() == canonical(vector["totals"])
    assert state is not None
    return state


def test_the_vectors_are_followed_to_their_end() -> None:
    assert follow(BLOCKS).block == len(BLOCKS)


def test_every_refusal_is_among_them() -> None:
    answers = {command["answer"] for block in BLOCKS for command in block["commands"]}

    assert answers >= {
        "booked",
        "not_canonical",
        "account_unknown",
        "units_differ",
        "hold_unknown",
        "hold_resolved",
        "hold_expired",
        "hold_differs",
        "corrected_unknown",
        "counter_overflow",
        "limit_exceeded",
    }


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_one_changed_amount_is_objected_to(number: int) -> None:
    changed = json.loads(json.dumps(BLOCKS))
    booked = [
        command
        for command in changed[number]["commands"]
        if command["answer"] == "booked" and "transfers" in command["body"]
    ]
    amounts = booked[-1]["body"]["transfers"]["amount"]
    amounts[0] = str(int(amounts[0]) + 1)

    with pytest.raises(Objected, match="commitment"):
        follow(changed)
