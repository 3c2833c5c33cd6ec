"""Every lie about who agreed on what, and until when."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.validator.agreeing_members import Members, key_of
from tests.validator.interval_story import Logged, Story, objection_to
from tests.validator.ledger_twin import base64
from tests.validator.market_story import agreed_story
from tests.validator.signing_member import STARTS, hashed, public

Change = Callable[[Story], None]


def agreement(
    number: int = 7,
    kind: str = "contract",
    *,
    price: int | None = 150,
    signers: tuple[int, ...] | None = None,
    document: dict[str, Any] | None = None,
    **changes: Any,
) -> Change:
    """Log one more agreement, of which something is not as it should be."""

    def change(story: Story) -> None:
        members = Members()
        text = members.agree(number, kind, 3, 1, price, **changes)
        if signers is not None:
            members.log(f"agreement:{number}", text, *signers)
        story.signed.append(members.documents[-1]._replace(**document or {}))

    return change


def end(number: int = 5, by: int = 103, *, of: str = "agreement:5", **changes: Any) -> Change:
    """Log the end of an agreement, of which something is not as it should be."""

    def change(story: Story) -> None:
        told = next(one.told for one in story.signed if one.key == of)
        members = Members()
        members.end(number, told.split(b"\n")[0], by, **changes)
        story.signed.append(members.documents[-1])

    return change


def new_key(story: Story) -> None:
    """Metering point 3's member begins another key; an agreement is signed with the old one."""
    private = {"participant": "103", "public_key": hashed(public(key_of(999)))}
    story.signed.append(Logged("signing-key:999", "signing-key", private))
    agreement()(story)


def told_otherwise(change: Callable[[bytes], bytes]) -> Change:
    def act(story: Story) -> None:
        agreement()(story)
        story.signed.append(story.signed.pop()._replace(told=change(story.signed[-1].told)))

    return act


def swapped(told: bytes) -> bytes:
    text, seller, buyer, _ = told.split(b"\n")
    return b"\n".join((text, buyer, seller, b""))


FORGED = [
    ("another text than its hash", told_otherwise(lambda told: told.replace(b"150000", b"150001"))),
    ("signed by the seller alone", agreement(signers=(103,))),
    ("signed by the seller twice", agreement(signers=(103, 103))),
    ("signatures exchanged", told_otherwise(swapped)),
    ("a third signature", agreement(signers=(103, 101, 101))),
    ("nobody's signature", told_otherwise(lambda told: told[:-90] + base64(bytes(64)).encode())),
    ("a key that ended", new_key),
    ("a name too many", agreement(more="1")),
    ("a name too few", agreement(rank="absent")),
    ("of a kind that there is not", agreement(kind="barter")),
    ("a gift that costs", agreement(kind="gift")),
    ("a contract without a price", agreement(price=None)),
    ("a contract with a rank", agreement(rank="1")),
    ("a fourth partner", agreement(kind="partner", rank="4")),
    ("with oneself", agreement(buyer_metering_point="3")),
    ("a maximum below nothing", agreement(maximum_wh="-1")),
    ("of another type", agreement(type="heliopolis/agreement/2")),
    ("another kind of document", agreement(document={"kind": "treaty"})),
    ("a public field", agreement(document={"public": {"more": ""}})),
    ("under another key", agreement(document={"key": "treaty:7"})),
]
ENDED = [
    ("ended by a stranger", end(by=102)),
    ("ended for another", end(by=103, participant="101")),
    ("an end of another agreement", end(of="agreement:6")),
    ("an end of no agreement", end(number=77)),
    ("an end of another type", end(type="heliopolis/revocation/1")),
]
UNBOUND = [
    ("go on after the end", end()),
    ("an agreement before its time", agreement(valid_from=str(STARTS))),
]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *((change, "agreement") for _, change in (*FORGED, *ENDED)),
        *((change, "matches") for _, change in UNBOUND),
    ],
    ids=[name for name, _ in (*FORGED, *ENDED, *UNBOUND)],
)
def test_a_lie_about_an_agreement_is_caught_by_its_check(change: Change, code: str) -> None:
    story = agreed_story()
    change(story)

    leaf = story.signed[-1].key if code == "agreement" else "book:7:1"
    assert objection_to(story) == (leaf, code)
