"""The disk of the published files is full: what is served stays whole, the log goes on later."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.models import Block, Checkpoint
from tests.embedded.processes import wait_until
from tests.faults.tiny_disk import MEBIBYTE, TinyDisk, tiny_disks
from tests.log.hall import Hall
from tests.log.test_publisher_process import Publishers, published

PAGE_BYTES = 4096


@pytest.fixture
def disk(hall: Hall, tmp_path: Path) -> Iterator[TinyDisk]:
    """Let the hall publish to a small disk."""
    place = tmp_path / "disk"
    place.mkdir()
    with tiny_disks({place: 4 * MEBIBYTE}) as (_, disks):
        hall.folder.root.symlink_to(disks[place].path)
        yield disks[place]


@pytest.fixture
def publishers(hall: Hall, disk: TinyDisk) -> Iterator[Publishers]:
    publishers = Publishers(hall)
    yield publishers
    for name in list(publishers.processes):
        publishers.kill(name)


def test_a_full_disk_tears_nothing_and_is_waited_for(
    hall: Hall, disk: TinyDisk, publishers: Publishers
) -> None:
    hall.book(200)
    publishers.start("a")
    wait_until(lambda: is_served(hall, 1))
    # Room for nothing, for a tile, for the tiles and not for the heads, in the end for all.
    moments = [when_it_was_full(hall, disk, publishers, pages) for pages in range(14)]
    publishers.end()

    assert {"before the signature", "after the signature", "never"} == set(moments)


def when_it_was_full(hall: Hall, disk: TinyDisk, publishers: Publishers, pages: int) -> str:
    """Publish a block with so much room; what is served must be whole, then and later."""
    block = Block.objects.count() + 1
    served, said = hall.checkpoint(), complaints(publishers)
    disk.fill(leave_bytes=pages * PAGE_BYTES)
    hall.book()
    wait_until(lambda: complaints(publishers) > said or is_served(hall, block))
    if complaints(publishers) == said:
        disk.make_room()
        return "never"
    is_signed = Checkpoint.objects.filter(block=block).exists()
    assert hall.checkpoint() == served
    assert hall.pending().verified([hall.signer.key])

    disk.make_room()

    wait_until(lambda: is_served(hall, block))
    hall.check_files()
    assert not [path for path in hall.files() if path.rpartition("/")[2].startswith(".")]
    return "after the signature" if is_signed else "before the signature"


def complaints(publishers: Publishers) -> int:
    return publishers.said("a").count("No space left on device")


def is_served(hall: Hall, blocks: int) -> bool:
    return published(blocks) and hall.checkpoint() == hall.pending()
