"""The tree: known roots, a naive twin, and proofs that must not pass."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.validator import trees
from validator.errors import ProofFailed
from validator.merkle import (
    EMPTY_ROOT,
    CompactRange,
    leaf_hash,
    verify_consistency,
)

# The leaves and roots that Certificate Transparency's own implementations are tested with.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
CT_LEAVES.append("606162636465666768696a6b6c6d6e6f")
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def entries(count: int) -> list[bytes]:
    return [str(n).encode() for n in range(count)]


def grown(leaves: list[bytes]) -> CompactRange:
    return CompactRange().extended(leaf_hash(leaf) for leaf in leaves)


def test_the_roots_are_those_of_certificate_transparency() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in CT_LEAVES]

    roots = [grown(leaves[: n + 1]).root().hex() for n in range(len(leaves))]

    assert roots == CT_ROOTS
    assert CompactRange().root() == EMPTY_ROOT == trees.tree_hash([])


@given(st.lists(st.integers(0, 300), max_size=6))
def test_a_range_grows_to_the_same_root_in_any_steps(steps: list[int]) -> None:
    leaves = entries(sum(steps))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    tree = CompactRange()
    for step in steps:
        tree = tree.extended(hashes[tree.size : tree.size + step])

    assert tree == grown(leaves)
    assert tree.root() == trees.tree_hash(leaves)


@pytest.mark.parametrize("size", [255, 256, 257, 70_000])
def test_a_range_around_the_width_of_a_tile(size: int) -> None:
    assert grown(entries(size)).root() == trees.tree_hash(entries(size))


def test_a_range_needs_one_peak_for_each_bit() -> None:
    with pytest.raises(ValueError, match="5 leaves do not have 1 peaks"):
        CompactRange(5, (EMPTY_ROOT,))


def test_consistency_is_proved_between_all_small_sizes() -> None:
    for size in range(66):
        leaves = entries(size)
        for old_size in range(size + 1):
            verify_consistency(
                old_size=old_size,
                old_root=trees.tree_hash(leaves[:old_size]),
                size=size,
                root=trees.tree_hash(leaves),
                proof=trees.consistency(old_size, leaves),
            )


@given(st.data(), st.integers(2, 80))
def test_consistency_is_not_proved_of_another_tree(data: st.DataObject, size: int) -> None:
    leaves = entries(size)
    old_size = data.draw(st.integers(1, size - 1))
    old_root, root = trees.tree_hash(leaves[:old_size]), trees.tree_hash(leaves)
    proof = trees.consistency(old_size, leaves)
    changed = data.draw(st.integers(0, old_size - 1))
    forked = [b"other" if n == changed else leaf for n, leaf in enumerate(leaves)]

    wrong = [
        (trees.tree_hash(forked[:old_size]), root, proof),
        (old_root, trees.tree_hash(forked), proof),
        (old_root, trees.tree_hash(forked), trees.consistency(old_size, forked)),
        (old_root, root, proof[:-1]),
        (old_root, root, []),
        (old_root, root, [*proof, root]),
        (old_root, root, broken(proof, data)),
        (old_root, root, [piece[:31] for piece in proof]),
    ]
    for old_root_, root_, proof_ in wrong:
        with pytest.raises(ProofFailed):
            verify_consistency(
                old_size=old_size, old_root=old_root_, size=size, root=root_, proof=proof_
            )


def test_where_nothing_needs_a_proof_none_may_come() -> None:
    leaves = entries(4)
    root = trees.tree_hash(leaves)

    for old_size, old_root in ((0, EMPTY_ROOT), (4, root)):
        with pytest.raises(ProofFailed, match="nothing needs a proof"):
            verify_consistency(
                old_size=old_size, old_root=old_root, size=4, root=root, proof=[root]
            )
    with pytest.raises(ProofFailed, match="differ"):
        verify_consistency(old_size=0, old_root=root, size=4, root=root, proof=[])
    with pytest.raises(ProofFailed, match="cannot extend"):
        verify_consistency(old_size=5, old_root=root, size=4, root=root, proof=[])


def test_a_proof_of_random_hashes_never_passes() -> None:
    generator = random.Random(6962)
    leaves = entries(37)
    for length in range(10):
        proof = [generator.randbytes(32) for _ in range(length)]
        with pytest.raises(ProofFailed):
            verify_consistency(
                old_size=21,
                old_root=trees.tree_hash(leaves[:21]),
                size=37,
                root=trees.tree_hash(leaves),
                proof=proof,
            )


def broken(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    """Return a proof with one bit turned."""
    at = data.draw(st.integers(0, len(proof) - 1))
    piece = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    return [*proof[:at], piece, *proof[at + 1 :]]
