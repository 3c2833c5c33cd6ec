"""The state map against its definition, computed from scratch and by recursion."""

from hashlib import sha256

import numpy as np
import pytest

from ledger.domain.state_map import StateMap, account_hash, map_root, state_root

PADDING = bytes(range(32))


class Naive:
    """Every node by its definition."""

    def __init__(self, unit: str, leaves: list[bytes]) -> None:
        self.unit, self.leaves = unit, leaves

    def node(self, level: int, index: int) -> bytes:
        if index * 16**level >= len(self.leaves):
            place = bytes([level]) + index.to_bytes(8, "big") + self.unit.encode()
            return sha256(b"\2" + PADDING + place).digest()
        if level == 0:
            return self.leaves[index]
        children = [self.node(level - 1, index * 16 + child) for child in range(16)]
        return sha256(b"\1" + b"".join(children)).digest()

    def root(self) -> bytes:
        depth = 4
        while 16**depth < len(self.leaves):
            depth += 1
        return self.node(depth, 0)


def salt_of(account: int) -> bytes:
    return sha256(b"%d" % account).digest()


def counters_of(account: int, round_: int) -> list[int]:
    return [account % 3, account * round_, 0, account * round_ + 7]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 257, 4097])
def test_the_root_is_that_of_the_definition(count: int) -> None:
    book = StateMap(PADDING)
    ids = np.arange(1, count + 1, dtype=np.int64)
    units = ["CNY/6" if each % 4 else "data/0" for each in ids.tolist()]
    half = count // 2
    for part in (slice(0, half), slice(half, count)):
        book.add(
            ids=ids[part],
            units=units[part],
            limits=np.where(ids[part] % 2 == 0, ids[part], -1),
            salts=[salt_of(each) for each in ids[part].tolist()],
        )
    touched = ids[::3]
    for round_ in (1, 2):
        counters = np.array([counters_of(each, round_) for each in touched.tolist()]).T
        book.update(touched, counters.astype(np.int64))

    leaves: dict[str, list[bytes]] = {}
    for each, unit in zip(ids.tolist(), units, strict=True):
        leaf = account_hash(
            account=each,
            limit=None if each % 2 else each,
            salt=salt_of(each),
            counters=counters_of(each, 2) if (each - 1) % 3 == 0 else [0, 0, 0, 0],
        )
        leaves.setdefault(unit, []).append(leaf)
    roots = [(unit, Naive(unit, leaves[unit]).root()) for unit in sorted(leaves)]
    assert book.unit_roots() == roots
    assert book.root() == state_root(roots)


def test_a_map_grows_past_its_smallest_depth() -> None:
    book = StateMap(PADDING)
    leaves = []
    for first in (0, 65_530):
        ids = np.arange(first + 1, first + 65_531, dtype=np.int64)[: 65_530 if not first else 20]
        book.add(
            ids=ids,
            units=["CNY/6"] * len(ids),
            limits=np.full(len(ids), -1, dtype=np.int64),
            salts=[PADDING] * len(ids),
        )
        leaves += [
            account_hash(account=each, limit=None, salt=PADDING, counters=[0] * 4)
            for each in ids.tolist()
        ]
    assert len(leaves) == 65_550
    assert book.unit_roots() == [("CNY/6", Naive("CNY/6", leaves).root())]


def test_a_path_leads_from_an_account_to_the_root_and_a_wrong_counter_does_not() -> None:
    book = StateMap(PADDING)
    ids = np.arange(5, 305, dtype=np.int64)
    book.add(
        ids=ids,
        units=["CNY/6"] * 300,
        limits=np.full(300, 9, dtype=np.int64),
        salts=[salt_of(each) for each in ids.tolist()],
        counters=np.tile(np.array([[1], [2], [3], [4]], dtype=np.int64), 300),
    )
    path = book.path(204)

    right = account_hash(account=204, limit=9, salt=salt_of(204), counters=[1, 2, 3, 4])
    wrong = account_hash(account=204, limit=9, salt=salt_of(204), counters=[1, 2, 3, 5])
    root = dict(book.unit_roots())["CNY/6"]
    assert map_root(right, path.position, path.siblings) == root
    assert map_root(wrong, path.position, path.siblings) != root


def test_sums_and_moved_accounts_follow_the_counters() -> None:
    book = StateMap(PADDING)
    book.add(
        ids=np.array([1, 2, 3], dtype=np.int64),
        units=["CNY/6"] * 3,
        limits=np.full(3, -1, dtype=np.int64),
        salts=[PADDING] * 3,
    )
    big = 2**61
    book.update(
        np.array([1, 3], dtype=np.int64),
        np.array([[1, 0], [big, 0], [0, 1], [0, big]], dtype=np.int64),
    )
    book.update(np.array([1], dtype=np.int64), np.array([[0], [big], [0], [big]], dtype=np.int64))

    (totals,) = book.totals()
    assert (totals.accounts, totals.debits_pending, totals.debits_posted) == (3, 0, big)
    assert (totals.credits_pending, totals.credits_posted) == (1, 2 * big)
    assert book.moved_accounts("CNY/6") == 2


def test_rows_are_those_that_the_map_has() -> None:
    book = StateMap(PADDING)
    book.add(
        ids=np.array([3, 5, 8, 13], dtype=np.int64),
        units=["CNY/6", "data/0", "CNY/6", "data/0"],
        limits=np.array([-1, 2**61, 0, 300], dtype=np.int64),
        salts=[salt_of(each) for each in (3, 5, 8, 13)],
    )
    moved = np.array([[1, 0], [2, 20], [3, 0], [4, 40]], dtype=np.int64)
    book.update(np.array([5, 8], dtype=np.int64), moved)

    ids, units, limits, counters = book.rows(np.array([1, 3, 5, 8, 9, 14], dtype=np.int64))

    assert ids.tolist() == [3, 5, 8]
    assert units[0] == units[2] != units[1]
    assert limits.tolist() == [-1, 2**61, 0]
    assert counters.T.tolist() == [[0] * 4, [1, 2, 3, 4], [0, 20, 0, 40]]
    counters[:] = 7  # whoever judges on them changes a copy
    assert book.rows(ids)[3].T.tolist()[1] == [1, 2, 3, 4]
