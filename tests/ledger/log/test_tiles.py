"""Tiles and bundles have the names, widths and bytes of tlog-tiles, and prove what leaves prove."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_inclusion,
)
from ledger.domain.tiles import (
    Level,
    Tile,
    TileReader,
    bundle_of,
    bundles_between,
    entries_of,
    parse_tile_path,
    tile_path,
    tiles_between,
)
from ledger.errors import LogBroken, LogMalformed
from tests.ledger.log import twin
from tests.ledger.log.published import entries_for, publish, reader_of
from validator.merkle import verify_consistency

levels = st.integers(0, 63) | st.just("entries")


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (0, 1234, 17, "tile/0/x001/234.p/17"),
        (63, 999, 255, "tile/63/999.p/255"),
        ("entries", 1000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_a_tile_is_named_as_the_specification_names_it(
    level: Level, index: int, width: int, path: str
) -> None:
    assert tile_path(level, index, width) == path
    assert parse_tile_path(path) == Tile(level, index, width)


@given(levels, st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_a_path_names_one_tile(level: Level, index: int, width: int) -> None:
    tile = Tile(level, index, width)

    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/x000/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/data/000",
        "tile/0/٠٠٠",
        "tile/0/" + "x999/" * 30 + "999",
    ],
)
def test_another_way_to_write_a_path_is_refused(path: str) -> None:
    with pytest.raises(LogMalformed):
        parse_tile_path(path)


def test_seventy_thousand_entries_need_the_tiles_of_the_specification() -> None:
    tiles = tiles_between(0, 70_000)
    full = {level: sum(t.level == level and t.width == 256 for t in tiles) for level in (0, 1, 2)}
    partial = {t.level: t.width for t in tiles if t.width < 256}

    assert full == {0: 273, 1: 1, 2: 0}
    assert partial == {0: 112, 1: 17, 2: 1}
    assert tiles_between(0, 256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_between(0, 0) == bundles_between(0, 0) == []
    assert len(bundles_between(0, 70_000)) == 274


@given(st.integers(0, 70_000), st.integers(0, 3000))
def test_new_tiles_are_those_that_the_old_size_did_not_need(old: int, added: int) -> None:
    before, after = set(tiles_between(0, old)), set(tiles_between(0, old + added))

    assert set(tiles_between(old, old + added)) == after - before
    assert set(bundles_between(old, old + added)) == (
        set(bundles_between(0, old + added)) - set(bundles_between(0, old))
    )


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000])
def test_tiles_prove_what_the_leaves_prove(size: int) -> None:
    entries = entries_for(size)
    reader = publish(entries).reader()
    root = twin.root(entries)

    assert root_of(size, reader) == root
    for index in {0, size // 2, size - 1}:
        proof = inclusion_proof(index, size, reader)
        assert proof == twin.path(index, entries)
        verify_inclusion(
            leaf_hash=leaf_hash(entries[index]), index=index, size=size, root=root, proof=proof
        )
    for old in {0, 1, size // 3, size - 1, size}:
        assert consistency_proof(old, size, reader) == twin.consistency(old, entries)


def test_seventy_thousand_entries_prove_themselves_from_tiles() -> None:
    log = publish(entries_for(70_000))
    reader, root = log.reader(), twin.root(log.entries)

    assert root_of(70_000, reader) == root
    for index in (0, 65_535, 65_536, 69_887, 69_888, 69_999):
        proof = inclusion_proof(index, 70_000, reader)
        leaf = leaf_hash(log.entries[index])
        verify_inclusion(leaf_hash=leaf, index=index, size=70_000, root=root, proof=proof)
    for old in (1, 256, 65_536, 69_999):
        proof = consistency_proof(old, 70_000, reader)
        old_root = twin.root(log.entries[:old])
        verify_consistency(old_size=old, old_root=old_root, size=70_000, root=root, proof=proof)


def test_a_torn_tile_and_a_subtree_beyond_the_log_are_refused() -> None:
    log = publish(entries_for(300))
    torn = log.tiles | {"tile/0/000": log.tiles["tile/0/000"][:-1]}

    with pytest.raises(LogMalformed, match="tile/0/000 has 8191 bytes, not 8192"):
        reader_of(torn, 300).read(0, 3)
    with pytest.raises(LogBroken):
        log.reader().read(0, 300)
    with pytest.raises(LogBroken):
        TileReader(lambda *_: b"", 511).read(8, 1)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    bundle = bundle_of(entries)

    assert entries_of(bundle) == entries_of(bundle, width=len(entries)) == entries
    with pytest.raises(LogMalformed):
        entries_of(bundle + b"\x00")
    with pytest.raises(LogMalformed):
        entries_of(bundle, width=len(entries) + 1)


def test_a_bundle_has_bounds() -> None:
    longest = bytes(65_535)
    assert entries_of(bundle_of([longest, b""])) == [longest, b""]

    for entries in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(LogMalformed):
            bundle_of(entries)
    for bundle in (b"", b"\x00", b"\x00\x02a", b"\x00\x00" * 257):
        with pytest.raises(LogMalformed):
            entries_of(bundle)
