"""Real validators and a real hall: those who were there and those who come later judge alike."""

from pathlib import Path

from ledger.services import submit
from tests.ledger.bookkeeping import command, hold, post
from tests.log.hall import Hall
from tests.privacy.in_process import follow
from tests.privacy.pruned_story import LATER, answer_of, foreign, tell


def test_old_and_new_validators_agree_after_a_period_is_gone(hall: Hall, tmp_path: Path) -> None:
    story = tell(hall)
    ada, ben, eve = (tmp_path / name for name in ("ada", "ben", "eve"))
    assert follow(ada, hall)[0] == 5

    story.prune_wholly()
    # Ada goes on, Ben starts from the snapshot.
    for each in (ada, ben):
        assert follow(each, hall)[0::2] == (6, [])
    later = [
        command("corrects", (story.bob, story.alice, 1), corrects=["gifts/0"]),
        command("corrects late", (story.bob, story.alice, 1), corrects=["less/0"]),
        post("twice", story.alice, story.bob, 1, of="ends/0"),
        post("at last", story.alice, story.bob, 40, of="stays/0"),
        post("too late", story.alice, story.bob, 40, of="stays/0"),
        hold("more", story.alice, story.bob, 11),
    ]
    submit(commands=[foreign(each) for each in later], submitted_at=LATER)
    assert answer_of(story, "corrects") == "corrected_unknown"

    ends = [follow(each, hall) for each in (ada, ben, eve)]

    size = hall.pending().text.split("\n")[1]
    assert ends == [(7, int(size), [])] * 3


def test_a_validator_that_slept_through_the_pruning_starts_from_the_snapshot(
    hall: Hall, tmp_path: Path
) -> None:
    """It has followed a part of the period, and must see that the log still extends that."""
    ada = tmp_path / "ada"
    seen: list[int] = []
    story = tell(hall, halfway=lambda _story: seen.append(follow(ada, hall)[0]))
    assert seen == [1]

    story.prune_wholly()

    assert follow(ada, hall)[0::2] == (6, [])
