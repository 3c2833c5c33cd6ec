"""Signed terms: what a validator takes in, and which orders of the worked example they allow."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.validator.fake_hall import FakeHall, serving
from tests.validator.following import cosigned_sizes, following, objected, set_up
from tests.validator.interval_story import (
    Logged,
    TermsMemory,
    logged,
    objection_to,
    told_story,
)
from tests.validator.ledger_twin import base64, canonical
from tests.validator.signing_member import (
    KEY,
    OTHER_KEY,
    PARTICIPANT,
    POINT,
    STARTS,
    Act,
    Member,
    hashed,
    public,
    revoke,
    sign,
    story_of,
)
from validator.bodies import DocumentBody
from validator.checks import Objected
from validator.store import Store
from validator.terms_checks import TermsCheck
from validator.terms_store import TermsStore

HIGH: dict[str, Any] = {"sell_at_or_above_micro_per_kwh": "309000"}
DRAWN: dict[str, Any] = {"sell_at_or_above_micro_per_kwh": None}
CAN_BE = {
    "their limit": [sign()],
    "a limit that is drawn": [sign(**DRAWN)],
    "a limit of the other side": [sign(buy_at_or_below_micro_per_kwh="1")],
    "the newer of two": [sign(**HIGH), sign(minutes=-30)],
    "the older, for the newer comes later": [sign(), sign(minutes=1, **HIGH)],
    "the older, for the newer may have come later": [sign(), sign(minutes=-9, **HIGH)],
    "the newer, which may have come before": [sign(**HIGH), sign(minutes=-9)],
    "the newer, issued at that moment": [sign(**HIGH), sign(minutes=0)],
    "the default, for the first may have come later": [sign(minutes=-9, **HIGH)],
    "terms that end later": [sign(valid_until=str(STARTS + 1))],
    "terms that are paused later": [sign(), sign(minutes=1, state="paused")],
    "terms that may have been revoked later": [sign(), revoke(minutes=-9)],
    "terms after a revocation": [sign(**HIGH), revoke(), sign(minutes=-20)],
    # A draft waits for its signature while the terms before are revoked.
    "terms written before a revocation": [
        sign(minutes=-60, **HIGH),
        revoke(minutes=-20),
        sign(minutes=-22),
    ],
    "terms under a new key": [sign(**HIGH), lambda member: member.begin(OTHER_KEY), sign()],
}
CANNOT_BE = {
    "another limit": [sign(**HIGH)],
    "another limit, issued ten minutes before": [sign(minutes=-10, **HIGH)],
    "two other limits": [sign(**HIGH), sign(minutes=-5, sell_at_or_above_micro_per_kwh="0")],
    "the newer, which came later": [sign(**HIGH), sign(minutes=1)],
    "the older of two": [sign(), sign(minutes=-30, **HIGH)],
    "paused": [sign(state="paused")],
    "paused since": [sign(), sign(minutes=-30, state="paused")],
    "ended": [sign(valid_until=str(STARTS))],
    "revoked": [sign(), revoke()],
    "revoked again": [sign(**HIGH), revoke(), sign(), revoke(minutes=-11)],
}


@pytest.mark.parametrize("acts", CAN_BE.values(), ids=CAN_BE)
@pytest.mark.parametrize("blocks_apart", [True, False])
def test_an_order_that_the_terms_allow_stands(acts: Sequence[Act], blocks_apart: bool) -> None:
    story = story_of(*acts)
    story.blocks_apart = blocks_apart

    assert objection_to(story) is None


@pytest.mark.parametrize("acts", CANNOT_BE.values(), ids=CANNOT_BE)
@pytest.mark.parametrize("blocks_apart", [True, False])
def test_an_order_that_no_terms_allow_is_objected_to(
    acts: Sequence[Act], blocks_apart: bool
) -> None:
    story = story_of(*acts)
    story.blocks_apart = blocks_apart

    assert objection_to(story) == ("book:7:1", "limit")


def test_a_limit_that_nobody_names_is_one_that_a_draw_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("validator.book_checks._require_auction", lambda *_: None)
    for meter, side, low, high in (
        ("6", "sell_limit", 300_000, 310_000),
        ("1", "buy_limit", 310_000, 320_000),
    ):
        for act in (None, sign(**DRAWN, metering_point=meter)):
            limits = (low - 1, low, high, high + 1)
            assert [objects(meter, side, limit, act) for limit in limits] == [
                True,
                False,
                False,
                True,
            ]


def objects(meter: str, side: str, limit: int, act: Act | None) -> bool:
    story = story_of() if act is None else story_of(act)
    story.revisions[0].position(meter)[side] = str(limit)
    return objection_to(story) == ("book:7:1", "limit")


def test_later_books_follow_the_terms_of_the_interval() -> None:
    story = told_story()
    member = Member()
    member.begin()
    member.sign()
    member.sign(minutes=60, sell_at_or_above_micro_per_kwh="309000")
    story.signed = member.documents

    assert objection_to(story) is None


def unlogged_key(member: Member) -> None:
    member.key = OTHER_KEY
    member.sign()


def old_key(member: Member) -> None:
    member.begin(OTHER_KEY)
    member.key = KEY
    member.sign()


def anothers_key(member: Member) -> None:
    member.sign(participant="61")


def told(change: Callable[[bytes], bytes]) -> Act:
    def act(member: Member) -> None:
        member.sign()
        document = member.documents.pop()
        member.documents.append(document._replace(told=change(document.told)))

    return act


def with_text(change: Callable[[bytes], bytes]) -> Act:
    """Sign a text that is not of the form."""

    def act(member: Member) -> None:
        member.log(change(canonical(member.text(minutes=-60)).encode()))

    return act


def again(member: Member) -> None:
    member.sign()
    member.sign(**HIGH)
    first = member.documents[1]
    member.documents.append(first._replace(key="terms:9"))


def same_version(member: Member) -> None:
    member.sign()
    member.version -= 1
    member.sign(**HIGH)


def revoke_a_revocation(member: Member) -> None:
    member.sign()
    member.revoke()
    member.revoke()


def other_revocation(member: Member) -> None:
    member.sign()
    member.revoke(revokes="ab" * 32)


def revoke_twice(member: Member) -> None:
    member.sign()
    terms = hashed(member.last)
    member.revoke()
    member.revoke(revokes=terms)


def as_document(**changes: Any) -> Act:
    def act(member: Member) -> None:
        member.sign()
        member.documents.append(member.documents.pop()._replace(**changes))

    return act


def key_document(**changes: Any) -> Act:
    return lambda member: member.documents.append(
        Logged("signing-key:9", "signing-key", {"participant": "7", "public_key": "ab"})._replace(
            **changes
        )
    )


def unsigned(data: bytes) -> bytes:
    return data[: data.index(b"\n")] + b"\n" + base64(bytes(64)).encode() + b"\n"


FORGED = {
    "another text than its hash": told(lambda data: data.replace(b"304000", b"305000")),
    "no signature": told(lambda data: data[: data.index(b"\n") + 1]),
    "nobody's signature": told(unsigned),
    "a signature that is none": told(lambda data: data[: data.index(b"\n") + 1] + b"\xff\n"),
    "nothing told": told(lambda data: b""),
    "a third line": told(lambda data: data + b"more\n"),
    "a space in the text": with_text(lambda text: text.replace(b'":"', b'": "', 1)),
    "a text of another kind": sign(type="heliopolis/own-key/1"),
    "a name too many": sign(more="1"),
    "a name too few": sign(rules="absent"),
    "an unknown state": sign(state="asleep"),
    "a number that is none": sign(sell_at_or_above_micro_per_kwh="3e5"),
    "a version of nothing": sign(version="0"),
    "a key that is none": sign(key="AAAA"),
    "rules that are no hash": sign(rules="x"),
    "a key that never began to sign": unlogged_key,
    "a key that ended": old_key,
    "another member's key": anothers_key,
    "an old version again": again,
    "two texts of one version": same_version,
    "a revocation of nothing": revoke(),
    "a revocation of other terms": other_revocation,
    "a revocation twice": revoke_twice,
    "a revocation of a revocation": revoke_a_revocation,
    "a key that is not of terms": as_document(key="words:1"),
    "another kind": as_document(kind="words"),
    "a public field": as_document(public={"more": ""}),
    "a field too many": as_document(private={"terms": "ab", "more": ""}),
    "a signing key with more to say": key_document(public={"more": ""}),
    "a signing key of nobody": key_document(private={"participant": "x", "public_key": "ab"}),
    "a signing key under another name": key_document(key="keys:1"),
}


@pytest.mark.parametrize("act", FORGED.values(), ids=FORGED)
def test_forged_terms_are_objected_to(act: Act) -> None:
    story = story_of(act)

    assert objection_to(story) == (story.signed[-1].key, "terms")


def test_texts_of_one_block_follow_those_of_earlier_ones() -> None:
    member, archive = Member(), TermsMemory()
    member.begin()
    member.sign()
    member.sign()
    archive.save(taken(member.documents, archive).fresh)
    member.revoke()
    later = [member.documents[3], member.documents[1]._replace(key="terms:9")]

    with pytest.raises(Objected, match="leaf 1: terms"):
        taken(later, archive)


def taken(documents: Sequence[Logged], archive: TermsMemory) -> TermsCheck:
    """Check documents as those of one block."""
    check = TermsCheck({one.key: one.told for one in documents}, archive)
    for index, one in enumerate(documents):
        check.document(index, one.key, DocumentBody(one.kind, one.private, one.public))
    return check


def test_what_was_signed_before_a_snapshot_is_not_known() -> None:
    blind: dict[str, list[Act]] = {
        "limit": [],
        "key": [unlogged_key],
        "revocation": [lambda member: member.revoke(minutes=-5, revokes="ab" * 32)],
    }
    for name, acts in blind.items():
        story = story_of(*acts)
        story.signed = story.signed[1:]
        if name == "limit":
            story.revisions[0].position("1")["buy_limit"] = "320001"
        assert objection_to(story) is not None, name
        assert objection_to(story, from_the_start=False) is None, name

    # What is signed afterwards is known.
    assert objection_to(story_of(sign(**HIGH)), from_the_start=False) == ("book:7:1", "limit")


def test_terms_are_kept_across_restarts_and_forgotten_behind_a_snapshot(tmp_path: Path) -> None:
    story = story_of(sign(**HIGH), revoke(), sign(minutes=-20, **HIGH))
    ledger, keys = logged(story)
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        for sealed in ledger.blocks:
            hall.size = sealed.first + len(sealed.entries)
            with following(folder, hall) as follower:
                follower.step()

        ((leaf, code),) = objected(hall, folder)
        assert (keys[int(leaf)], code) == ("book:7:1", "limit")
        assert len(cosigned_sizes(hall, folder)) == len(ledger.blocks) - 2
    store = Store(folder / "state")
    terms = TermsStore(store)

    kept = terms.signed([int(POINT), 1])
    assert [one.version for one in kept.pop(int(POINT))] == [2, None, 3]
    assert (kept, terms.key_in_use(int(PARTICIPANT))) == ({}, hashed(public(KEY)))
    assert terms.is_whole
    terms.start_anew()
    assert (terms.signed([int(POINT)]), terms.key_in_use(int(PARTICIPANT))) == ({}, None)
    assert not terms.is_whole
    store.close()
