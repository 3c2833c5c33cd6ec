"""Tiles: the specification's own examples, and what is torn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.errors import BadTile
from validator.tiles import (
    Piece,
    bundles_between,
    entries_of,
    hashes_of,
)


@pytest.mark.parametrize(
    ("piece", "path"),
    [
        (Piece(0, 0), "tile/0/000"),
        (Piece(0, 273, 112), "tile/0/273.p/112"),
        (Piece(1, 1_234_067), "tile/1/x001/x234/067"),
        (Piece(None, 999), "tile/entries/999"),
        (Piece(None, 1000, 1), "tile/entries/x001/000.p/1"),
        (Piece(63, 123_456, 255), "tile/63/x123/456.p/255"),
    ],
)
def test_paths(piece: Piece, path: str) -> None:
    assert piece.path == path
    assert piece.whole.path == path.partition(".p/")[0]


def test_bundles_between_two_sizes() -> None:
    assert list(bundles_between(0, 0)) == []
    assert list(bundles_between(0, 256)) == [Piece(None, 0)]
    assert list(bundles_between(300, 513)) == [Piece(None, 1), Piece(None, 2, 1)]
    assert list(bundles_between(255, 256)) == [Piece(None, 0)]
    with pytest.raises(BadTile):
        list(bundles_between(2, 1))


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_a_bundle_gives_back_its_entries_and_refuses_any_cut(entries: list[bytes]) -> None:
    bundle = b"".join(len(entry).to_bytes(2) + entry for entry in entries)

    assert entries_of(bundle, width=len(entries)) == entries
    for cut in range(len(bundle)):
        with pytest.raises(BadTile):
            entries_of(bundle[:cut], width=len(entries))
    for width in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(BadTile):
            entries_of(bundle, width=width)


def test_the_length_of_an_entry_is_two_bytes_big_endian() -> None:
    bundle = b"\x01\x02" + b"x" * 258 + b"\x00\x00" + b"\xff\xff" + b"y" * 0xFFFF

    assert entries_of(bundle, width=3) == [b"x" * 258, b"", b"y" * 0xFFFF]


def test_a_tile_has_its_width_and_no_more() -> None:
    tile = bytes(range(64))

    assert hashes_of(tile, width=2) == [tile[:32], tile[32:]]
    for wrong in (tile[:-1], tile + b"\x00", b""):
        with pytest.raises(BadTile):
            hashes_of(wrong, width=2)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_tiles_that_cannot_exist(level: int, index: int, width: int) -> None:
    with pytest.raises(BadTile):
        Piece(level, index, width)
