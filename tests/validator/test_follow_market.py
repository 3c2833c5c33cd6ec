"""What a validator keeps of the market between two starts."""

from pathlib import Path

from tests.validator.agreeing_members import Members
from tests.validator.fake_hall import FakeHall, serving
from tests.validator.following import cosigned_sizes, following, objected, set_up
from tests.validator.interval_story import logged
from tests.validator.market_story import agreed_story
from tests.validator.signing_member import STARTS
from tests.validator.test_market import corrected_story
from validator.market_store import MarketStore
from validator.store import Store


def test_the_market_is_followed_across_restarts(tmp_path: Path) -> None:
    """A validator that forgets all but its file: agreements, holds, auction and what it amends."""
    story = corrected_story()
    signed = agreed_story().signed
    # Nothing is left for a partner of a metering point that has no position, nor after the end.
    story.signed = [one for one in signed if not one.key.startswith("agreement:")]
    members = Members()
    text = members.agree(5, "contract", 3, 1, 150)
    members.end(5, text, 101)
    story.signed += members.documents[-2:]
    story.revisions[3].body["transfers"]["amount"][0] = "1001"
    ledger, keys = logged(story)
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        for sealed in ledger.blocks[::-2][::-1]:
            hall.size = sealed.first + len(sealed.entries)
            with following(folder, hall) as follower:
                follower.step()

        ((leaf, code),) = objected(hall, folder)
        assert (keys[int(leaf)], code) == ("settle:7:4", "settlement")
        assert len(cosigned_sizes(hall, folder)) == (len(ledger.blocks) - 1) // 2
    store = Store(folder / "state")
    market = MarketStore(store)

    ended = market.agreement(5)
    assert ended is not None
    assert (ended.price, ended.maximum, market.in_force(STARTS)) == (150_000, None, {})
    assert market.in_force(STARTS - 2 * 3_600_000_000) == {5: ended}
    # Two orders of one member need all that one command held for them.
    margin = market.margin("hold:32")
    assert margin is not None
    assert margin.left == 0
    assert market.is_whole
    market.start_anew()
    assert (market.agreement(5), market.is_whole) == (None, False)
    assert market.auction(7) is not None
    store.close()
