"""Receipts verify offline, have one way to be written, and no changed character passes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.domain.log_proof import LogProof, verify
from ledger.domain.notes import Checkpoint, Note
from ledger.domain.policy import Policy
from ledger.errors import LogBroken, LogMalformed
from tests.ledger.log.published import ORIGIN, POLICY, entries_for, publish, signed

policy = Policy.parse(POLICY)
entries = entries_for(300)
TEXT = publish(entries, index=77).proof_text


def test_a_receipt_shows_its_entry_to_be_in_the_log() -> None:
    proof = LogProof.parse(TEXT.encode())

    verdict = verify(proof, entries[77], policy)

    assert (verdict.log, verdict.satisfied) == (ORIGIN, True)
    assert str(proof) == TEXT
    assert TEXT.startswith("c2sp.org/tlog-proof@v1\nindex 77\n")


def test_extra_data_is_carried_and_changes_nothing() -> None:
    proof = replace(LogProof.parse(TEXT), extra=b"opening")

    assert "\nextra b3BlbmluZw==\nindex 77\n" in str(proof)
    assert LogProof.parse(str(proof)) == proof
    assert verify(proof, entries[77], policy).satisfied


def test_the_only_entry_of_a_log_needs_no_hashes() -> None:
    proof = LogProof.parse(publish([b"{}"]).proof_text)

    assert proof.hashes == ()
    assert verify(proof, b"{}", policy).satisfied


def test_another_entry_or_place_or_too_few_cosigners_are_refused() -> None:
    proof = LogProof.parse(TEXT)
    with pytest.raises(LogBroken, match="does not lead to the root"):
        verify(proof, entries[78], policy)
    with pytest.raises(LogBroken, match="does not lead to the root"):
        verify(replace(proof, index=76), entries[77], policy)
    with pytest.raises(LogBroken, match="no leaf 300"):
        verify(replace(proof, index=300), entries[77], policy)

    lonely = signed(Checkpoint.parse(proof.checkpoint.text), by=["v1"])
    with pytest.raises(LogBroken, match="cosigned by v1"):
        verify(replace(proof, checkpoint=lonely), entries[77], policy)


def test_no_changed_character_passes() -> None:
    for at, old in enumerate(TEXT):
        for new in ("A", "0", "\n"):
            if new == old:
                continue
            changed = TEXT[:at] + new + TEXT[at + 1 :]
            try:
                proof = LogProof.parse(changed)
                verdict = verify(proof, entries[77], policy)
            except LogBroken:
                continue
            # Only a cosignature's name or id can change: then it is an unknown key's, and the
            # others were enough.
            assert len(verdict.cosigned) == 3
            assert proof.hashes == LogProof.parse(TEXT).hashes
            assert proof.checkpoint.text == LogProof.parse(TEXT).checkpoint.text


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("@v1", "@v2"),
        lambda t: "\n" + t,
        lambda t: t.replace("index 77", "index 077"),
        lambda t: t.replace("index 77", "index -7"),
        lambda t: t.replace("index 77", "index\t77"),
        lambda t: t.replace("index 77\n", ""),
        lambda t: t.replace("index 77", "extra \nindex 77"),
        lambda t: t.replace("index 77", "extra e\nindex 77"),
        lambda t: t.replace("index 77", "index 77\nextra AAAA"),
        lambda t: t.replace("index 77", "index 77\nindex 77"),
        lambda t: t.replace("\n\n", "\n", 1),
        lambda t: t.replace("\n\n", "\n\n\n", 1),
        lambda t: t.replace("=\n", "=\r\n"),
        lambda t: t.replace("=\n", "= \n", 1),
        lambda t: t.replace("index 77\n", "index 77\n" + "AAAA\n"),
        lambda t: t.replace("index 77\n", "index 77\n" + ("A" * 43 + "=\n") * 63),
        lambda t: t.rstrip("\n"),
        lambda t: t.encode() + b"\xff\n",
    ],
)
def test_another_way_to_write_a_receipt_is_refused(change: Callable[[str], str | bytes]) -> None:
    with pytest.raises(LogMalformed):
        LogProof.parse(change(TEXT))


def test_what_cannot_be_written_cannot_be_made() -> None:
    note = Note.parse(publish([b""]).checkpoint_note)
    for bad in (
        {"index": -1},
        {"hashes": (b"short",)},
        {"hashes": (bytes(32),) * 64},
        {"extra": b""},
    ):
        with pytest.raises(LogMalformed):
            replace(LogProof(0, (), note), **bad)
