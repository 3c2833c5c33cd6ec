"""Books and their money followed over HTTP, by a validator that forgets all but its file."""

from pathlib import Path

import pytest

from tests.validator.fake_hall import FakeHall, serving
from tests.validator.following import cosigned_sizes, following, objected, set_up
from tests.validator.interval_story import Story, logged, told_story
from validator.errors import HallSilent
from validator.interval_store import IntervalStore
from validator.store import Store


def test_revisions_are_followed_across_restarts(tmp_path: Path) -> None:
    ledger, _ = logged(told_story())
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        for sealed in ledger.blocks:
            hall.size = sealed.first + len(sealed.entries)
            with following(folder, hall) as follower:
                follower.step()

        assert cosigned_sizes(hall, folder)[-1] == len(ledger.entries)
        assert len(hall.cosignatures) == len(ledger.blocks)
        assert hall.objections == []


def test_a_book_that_waits_for_its_money_is_known(tmp_path: Path) -> None:
    story = told_story()
    story.revisions = story.revisions[:1]
    story.revisions[0].body = None
    ledger, _ = logged(story)
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        with following(folder, hall) as follower:
            follower.step()
    store = Store(folder / "state")

    assert IntervalStore(store).waiting() == [(7, 1)]
    store.close()


def test_a_book_that_is_kept_back_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validator.client.PAUSE_SECONDS", 0.001)
    ledger, _ = logged(told_story())
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        hall.silent = ("openings/documents/book:7:2",)
        with following(folder, hall) as follower:
            with pytest.raises(HallSilent):
                follower.step()
            assert hall.cosignatures == []
            hall.silent = ()
            follower.step()

        assert cosigned_sizes(hall, folder) == [len(ledger.entries)]


def test_a_lie_in_a_revision_is_objected_to_after_a_restart(tmp_path: Path) -> None:
    story: Story = told_story()
    story.revisions[1].body["transfers"]["amount"][0] = "1"
    ledger, keys = logged(story)
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        for sealed in ledger.blocks:
            hall.size = sealed.first + len(sealed.entries)
            with following(folder, hall) as follower:
                follower.step()

        ((leaf, code),) = objected(hall, folder)
    assert (keys[int(leaf)], code) == ("settle:7:2", "settlement")
