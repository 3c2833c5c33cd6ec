"""The tree equals its definition, grows in any steps, and no wrong proof is believed."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    frontier_of,
    inclusion_proof,
    leaf_hash,
    perfect_root,
    root_of,
    verify_inclusion,
)
from ledger.errors import LogBroken, LogMalformed
from tests.ledger.log import twin

SIZES = (1, 2, 3, 7, 8, 255, 256, 257)
sizes = st.integers(1, 130)


class LeafReader:
    """Computes each subtree from the leaves, every time."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.hashes = [leaf_hash(entry) for entry in entries]

    def read(self, level: int, index: int) -> bytes:
        leaves = self.hashes[index << level : (index + 1) << level]
        assert len(leaves) == 1 << level, "asked for a subtree that is not complete"
        return perfect_root(leaves)


def entries_of(size: int) -> list[bytes]:
    return [b"%d" % number for number in range(size)]


def test_a_tree_without_leaves() -> None:
    assert Frontier.empty().root() == EMPTY_ROOT == twin.root([])
    assert Frontier.empty().extended([]) == Frontier.empty()
    assert root_of(0, LeafReader([])) == EMPTY_ROOT


@pytest.mark.parametrize("size", SIZES)
def test_a_root_is_the_one_of_the_definition(size: int) -> None:
    entries = entries_of(size)
    reader = LeafReader(entries)

    assert Frontier.empty().extended(reader.hashes).root() == twin.root(entries)
    assert root_of(size, reader) == twin.root(entries)


@given(st.lists(st.integers(0, 70), max_size=6))
def test_a_tree_grows_the_same_in_any_steps(steps: list[int]) -> None:
    hashes = [leaf_hash(entry) for entry in entries_of(sum(steps))]
    tree = Frontier.empty()
    for step in steps:
        tree = tree.extended(hashes[tree.size : tree.size + step])

    assert tree == Frontier.empty().extended(hashes)
    assert tree.root() == twin.root(entries_of(sum(steps)))
    assert Frontier.from_bytes(size=tree.size, data=tree.to_bytes()) == tree


@given(st.integers(0, 300), st.integers(0, 300))
def test_growth_tells_every_subtree_it_completed(old: int, added: int) -> None:
    reader = LeafReader(entries_of(old + added))
    growth = frontier_of(old, reader).grown(reader.hashes[old:])

    assert growth.frontier == frontier_of(old + added, reader)
    for level in range((old + added).bit_length() + 1):
        first, end = old >> level, (old + added) >> level
        told = growth.levels[level] if level < len(growth.levels) else ()
        assert list(told) == [reader.read(level, index) for index in range(first, end)]


@given(st.data(), sizes)
def test_a_proof_of_a_leaf_is_that_of_the_definition(data: st.DataObject, size: int) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))

    proof = inclusion_proof(index, size, LeafReader(entries))

    assert proof == twin.path(index, entries)
    check_leaf(entries, index, proof)


@given(st.data(), sizes)
def test_a_proof_of_growth_is_that_of_the_definition(data: st.DataObject, size: int) -> None:
    entries = entries_of(size)
    old = data.draw(st.integers(0, size))

    proof = consistency_proof(old, size, LeafReader(entries))

    assert proof == twin.consistency(old, entries)


@given(st.data(), sizes)
def test_no_changed_proof_of_a_leaf_is_believed(data: st.DataObject, size: int) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = twin.path(index, entries)
    for changed in changes(data, proof):
        with pytest.raises(LogBroken):
            check_leaf(entries, index, changed)
    with pytest.raises(LogBroken):
        check_leaf(entries, index, proof, leaf=b"another")
    with pytest.raises(LogBroken):
        check_leaf(entries, index, proof, size=size + (1 << size.bit_length()))
    for other in set(range(size + 1)) - {index}:
        with pytest.raises(LogBroken):
            check_leaf(entries, other, proof, leaf=entries[index])


def test_growth_backwards_and_hashes_of_other_lengths_are_refused() -> None:
    root = twin.root(entries_of(3))
    with pytest.raises(LogBroken):
        consistency_proof(4, 3, LeafReader(entries_of(4)))
    with pytest.raises(LogMalformed):
        verify_inclusion(leaf_hash=b"", index=0, size=1, root=root, proof=[])
    with pytest.raises(LogMalformed):
        Frontier.from_bytes(size=3, data=bytes(32))
    with pytest.raises(LogMalformed):
        Frontier.empty().extended([b"short"])


def changes(data: st.DataObject, proof: list[bytes]) -> list[list[bytes]]:
    """Return proofs with one hash changed, left out, added or, if that differs, exchanged."""
    changed = [[*proof, bytes(32)], [bytes(32), *proof]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        changed.append([*proof[:at], flipped, *proof[at + 1 :]])
        changed.append([*proof[:at], *proof[at + 1 :]])
    if len(proof) > 1:
        changed.append([proof[-1], *proof[1:-1], proof[0]])
    return changed


def check_leaf(
    entries: list[bytes],
    index: int,
    proof: list[bytes],
    *,
    leaf: bytes | None = None,
    size: int | None = None,
) -> None:
    entry = leaf if leaf is not None else entries[index]
    verify_inclusion(
        leaf_hash=leaf_hash(entry),
        index=index,
        size=len(entries) if size is None else size,
        root=twin.root(entries),
        proof=proof,
    )
