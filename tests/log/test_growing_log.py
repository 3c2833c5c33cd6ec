"""Tiles as they come out of a growing log: the same bytes however the entries arrive."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.domain.growing_log import GrowingLog, entries_in
from ledger.domain.merkle import Frontier, leaf_hash, root_of
from ledger.domain.tiles import (
    Level,
    Tile,
    TileReader,
    bundle_of,
    bundles_between,
    entries_of,
    tile_path,
    tiles_between,
)
from ledger.errors import LogBroken, LogMalformed
from ledger.services.log_folder import LogFolder

STEPS = (1, 255, 1, 256, 3, 1000, 65_536, 7, 70_000)
Files = dict[str, bytes]


def entry(index: int) -> bytes:
    return f'{{"entry":"{index}"}}'.encode()


def grow(log: GrowingLog, count: int, files: Files) -> None:
    first = log.frontier.size
    new = [entry(index) for index in range(first, first + count)]
    for file in (*log.append(new), *log.partials()):
        files[file.tile.path] = file.data


def test_every_checkpoint_finds_its_tiles_and_they_lead_to_its_root() -> None:
    log, files = GrowingLog.empty(), Files()
    for count in STEPS:
        old_size = log.frontier.size
        grow(log, count, files)
        size = log.frontier.size

        for tile in (*tiles_between(old_size, size), *bundles_between(old_size, size)):
            assert tile.path in files
        reader = TileReader(lambda level, index, width: files[tile_path(level, index, width)], size)
        expected = Frontier.empty().extended([leaf_hash(entry(index)) for index in range(size)])
        assert log.frontier == expected
        assert root_of(size, reader) == expected.root()
    assert "tile/2/000.p/2" in files
    assert entries_of(files["tile/entries/001"])[0] == entry(256)


def test_steps_do_not_show_in_the_files() -> None:
    at_once, in_steps = Files(), Files()
    grow(GrowingLog.empty(), sum(STEPS), at_once)
    log = GrowingLog.empty()
    for count in STEPS:
        grow(log, count, in_steps)
        # As after a restart: from the files alone.
        log = GrowingLog.read(log.frontier, lambda tile: in_steps[tile.path])

    assert at_once.items() <= in_steps.items()


def edited(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [edited, lambda data: data[:-1], lambda data: b""])
@pytest.mark.parametrize("kind", ["tile/0/", "tile/1/", "tile/2/", "tile/entries/"])
def test_what_is_wrong_at_the_right_edge_is_named(
    kind: str, damage: Callable[[bytes], bytes]
) -> None:
    files = Files()
    log = GrowingLog.empty()
    grow(log, 2 * 65_536 + 3 * 256 + 5, files)
    path = next(path for path in files if path.startswith(kind) and ".p/" in path)
    files[path] = damage(files[path])

    with pytest.raises(LogBroken) as caught:
        GrowingLog.read(log.frontier, lambda tile: files[tile.path])

    if kind != "tile/entries/":
        assert path in str(caught.value)


def test_entries_stand_one_behind_the_other() -> None:
    entries = [b"", b"a", b"x" * 65_535]
    assert entries_in(bundle_of(entries)) == entries
    assert entries_in(b"") == []
    for torn in (b"\x00", b"\x00\x02a", bundle_of(entries)[:-1]):
        with pytest.raises(LogMalformed):
            entries_in(torn)


def test_a_partial_tile_is_cut_from_the_full_one_when_it_is_gone(tmp_path: Path) -> None:
    files = Files()
    folder = LogFolder(tmp_path)
    log = GrowingLog.empty()
    for count in (7, 300):
        grow(log, count, files)
    for path, data in files.items():
        folder.write(path, data)
    levels: tuple[Level, ...] = (0, "entries")
    for level in levels:
        folder.remove_partials(Tile(level, 0))
        assert folder.read(f"tile/{level}/000.p/7") is None
    cut = [folder.read_tile(Tile(0, 0, 7)), folder.read_tile(Tile("entries", 0, 7))]

    assert cut == [files["tile/0/000.p/7"], files["tile/entries/000.p/7"]]
    with pytest.raises(LogMalformed, match=r"tile/0/002\.p/7 is missing"):
        folder.read_tile(Tile(0, 2, 7))


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "log")
    data = [random.randbytes(size) for size in (8192, 32)]
    for each in data:
        folder.write("tile/0/x001/000", each)
        assert folder.read("tile/0/x001/000") == each
    assert [p.name for p in (tmp_path / "log/tile/0/x001").iterdir()] == ["000"]
