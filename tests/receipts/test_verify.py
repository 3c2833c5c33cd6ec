"""A receipt holds as it was made, and with any one character changed it does not."""

import base64
import json
import random
import zlib
from dataclasses import replace

import pytest

from ledger.domain.log_proof import LogProof
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from ledger.domain.receipt_text import link_text, smallest_size, with_quorum_only
from ledger.domain.receipts import ReceiptKind, Step, verify
from ledger.errors import ReceiptRefused
from tests.receipts import paper

KINDS = ("transfer", "document", "row", "balance")


def refused(text: bytes | str, policy: Policy = paper.POLICY) -> str:
    with pytest.raises(ReceiptRefused) as refusal:
        verify(text, policy)
    return refusal.value.step


def with_extra(receipt: str, change: dict[str, object]) -> str:
    """Return a receipt whose extra data says something else."""
    proof = LogProof.parse(receipt)
    assert proof.extra is not None
    extra = json.loads(proof.extra) | change
    written = json.dumps(extra, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return str(replace(proof, extra=written.encode()))


def test_a_transfer_is_shown_whole() -> None:
    shown = verify(paper.receipts()["transfer"], paper.POLICY)

    assert (shown.kind, shown.index, shown.size) == (ReceiptKind.TRANSFER, 58, 62)
    assert shown.opened == {
        "amount": "2000",
        "code": "4",
        "corrects": "4",
        "credit": "9",
        "debit": "8",
        "id": "32",
        "kind": "posted",
        "time": str(paper.TIME),
    }
    assert shown.attested
    assert len(shown.cosigners) == 4


def test_a_document_shows_the_fields_it_was_asked_for() -> None:
    shown = verify(paper.receipts()["document"], paper.POLICY)

    assert shown.kind == ReceiptKind.DOCUMENT
    assert shown.opened == {"buyer": "Zoë 的合同"}
    assert "Ada" not in paper.receipts()["document"]
    assert shown.entry["public"] == {"sha256": "ab" * 32}


def test_a_row_is_shown_without_the_others() -> None:
    shown = verify(paper.receipts()["row"], paper.POLICY)

    assert shown.kind == ReceiptKind.ROW
    assert shown.opened == {"key": "book:7:1", "index": "2", "row": '{"account":"7"}'}


def test_a_balance_is_shown_under_the_state_root() -> None:
    shown = verify(paper.receipts()["balance"], paper.POLICY)

    assert shown.kind == ReceiptKind.BALANCE
    assert shown.opened == {
        "account": "39",
        "unit": "CNY/6",
        "limit": "5000000",
        "debits_pending": "39",
        "debits_posted": "390",
        "credits_pending": "3900",
        "credits_posted": "39000",
    }
    assert shown.entry["block"] == "3"


@pytest.mark.parametrize("kind", KINDS)
def test_no_character_can_change(kind: str) -> None:
    """Every place once, each with another character of what may stand there."""
    receipt = paper.receipts()[kind]
    chosen = random.Random(kind)
    places = list(range(len(receipt)))
    if len(receipt) > 4_000:
        places = sorted(chosen.sample(places, 1_500))
    for place in places:
        other = chosen.choice([c for c in "A7+/=b \n—{" if c != receipt[place]])
        refused(receipt[:place] + other + receipt[place + 1 :])
        refused(receipt[:place] + receipt[place + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_cannot_change(kind: str) -> None:
    """Inside the extra data too, where base64 hides the characters."""
    receipt = paper.receipts()[kind]
    proof = LogProof.parse(receipt)
    assert proof.extra is not None
    extra = proof.extra.decode()
    chosen = random.Random(kind)
    places = list(range(len(extra)))
    if len(extra) > 3_000:
        places = sorted(chosen.sample(places, 1_000))
    for place in places:
        other = chosen.choice([c for c in '019Aa"{}:,' if c != extra[place]])
        changed = extra[:place] + other + extra[place + 1 :]
        refused(str(replace(proof, extra=changed.encode())))


def test_the_step_that_failed_is_named() -> None:
    receipt = paper.receipts()["transfer"]
    lines = receipt.split("\n")

    assert refused(receipt.replace("tlog-proof@v1", "tlog-proof@v2")) == Step.FORM
    assert refused(receipt.replace("index 58", "index 57")) == Step.PATH
    assert refused(receipt.replace("\n62\n", "\n63\n")) == Step.LOG_SIGNATURE
    assert refused(receipt.replace("— ben", "— bob")) == Step.COSIGNATURES
    extra = json.loads(base64.b64decode(lines[1].removeprefix("extra ")))
    richer = extra["opening"].replace('"2000"', '"3000"')
    assert refused(with_extra(receipt, {"opening": richer})) == Step.CONTENT
    other = paper.entries()[57].decode()
    assert refused(with_extra(receipt, {"entry": other})) == Step.PATH
    assert refused(with_extra(receipt, {"row": "0"})) == Step.ENTRY
    assert refused(with_extra(receipt, {"salt": 1})) == Step.FORM


def test_an_entry_of_another_type_proves_no_transfer() -> None:
    """An opening under a document's leaf, though the path and all signatures hold."""
    document, transfer = paper.receipts()["document"], paper.receipts()["transfer"]
    extra = json.loads(LogProof.parse(transfer).extra or b"")
    entry = json.loads(LogProof.parse(document).extra or b"")["entry"]
    mixed = str(
        replace(
            LogProof.parse(document),
            extra=json.dumps(
                extra | {"entry": entry}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            ).encode(),
        )
    )

    assert refused(mixed) == Step.ENTRY


def test_a_quorum_must_have_signed() -> None:
    three = paper.checkpoint(("ada", "ben", "cem"))
    assert refused(paper.receipts(three)["transfer"]) == Step.COSIGNATURES
    assert refused(paper.receipts(paper.checkpoint(()))["transfer"]) == Step.COSIGNATURES
    enough = paper.checkpoint(("witness", "dan", "ben", "cem"))
    assert verify(paper.receipts(enough)["transfer"], paper.POLICY).attested


def test_a_false_cosignature_spoils_the_receipt_though_others_would_do() -> None:
    note = paper.checkpoint()
    *kept, last = note.signatures
    false = replace(last, blob=last.blob[:-1] + bytes([last.blob[-1] ^ 1]))

    spoilt = Note(note.text, (*kept, false))

    assert refused(paper.receipts(spoilt)["transfer"]) == Step.COSIGNATURES


def test_a_policy_without_cosigners_attests_nothing() -> None:
    shown = verify(paper.receipts()["transfer"], paper.ALONE)

    assert not shown.attested
    assert shown.cosigners == ()


def test_a_receipt_carries_no_more_signatures_than_needed() -> None:
    kept = with_quorum_only(paper.checkpoint(), paper.POLICY)

    assert [one.name for one in kept.signatures] == [
        "paper.example/log",
        "witness.example",
        "ada.example",
        "ben.example",
        "cem.example",
    ]


def test_the_size_of_a_table_has_one_form() -> None:
    """The first of four rows has the path of the first of three: one of the two is refused."""
    receipt = paper.row_of(0)
    assert verify(receipt, paper.POLICY).opened["index"] == "0"
    extra = json.loads(LogProof.parse(receipt).extra or b"")
    assert extra["row"]["rows"] == "3"
    for size in ("2", "4", "5"):
        assert refused(with_extra(receipt, {"row": extra["row"] | {"rows": size}})) == Step.CONTENT
    assert {smallest_size(0, size) for size in (5, 6, 7, 8)} == {5}
    assert smallest_size(4, 5) == 5


def test_a_link_carries_the_whole_receipt() -> None:
    receipt = paper.receipts()["transfer"]
    packed = link_text(receipt)
    data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))

    assert zlib.decompress(data, -zlib.MAX_WBITS).decode() == receipt
    assert len(packed) < len(receipt)
