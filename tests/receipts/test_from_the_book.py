"""Receipts that come out of a real book with a published log."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.log.keys import policy_text, read_policy
from ledger.domain.commands import TransferKind
from ledger.domain.documents import Document
from ledger.domain.leaves import base64_text
from ledger.domain.notes import Note, Signer, cosign
from ledger.domain.receipts import ReceiptKind, verify
from ledger.domain.rows import rows_root
from ledger.domain.tiles import Tile, entries_of
from ledger.errors import BookBroken, ReceiptRefused
from ledger.models import Transfer
from ledger.services.attestation import take_cosignatures
from ledger.services.receipts import (
    PublishedLog,
    Receipt,
    ReceiptState,
    Table,
    get_balance_receipt,
    get_document_receipt,
    get_row_receipt,
    get_transfer_receipt,
)
from tests.ledger.bookkeeping import book, command, hold, open_account, post, release
from tests.ledger.log.others import Refused, check_with_others
from tests.log.hall import Hall, cosigner

ROWS = [b'{"interval":"12"}', b'{"account":"1"}', b'{"account":"2"}']
ROWS_SEED = bytes(range(32))
READ = Table("book:7:1", lambda: ROWS)
TABLE = Document(
    "table", {"rows": base64_text(rows_root(ROWS, ROWS_SEED))}, {"seed": base64_text(ROWS_SEED)}
)
CONTRACT = Document("contract", {"sha256": "ab" * 32}, {"buyer": "Zoë", "seller": "Ada"})


def published(hall: Hall) -> PublishedLog:
    return PublishedLog(hall.folder, read_policy())


def shown(receipt: Receipt | None) -> dict[str, str]:
    """Check a receipt under the hall's policy and return what it opens."""
    assert receipt is not None
    assert receipt.state == ReceiptState.ATTESTED
    return dict(verify(receipt.text, read_policy()).opened)


def story(hall: Hall) -> tuple[int, int, int]:
    """Book transfers of every kind, and return the accounts: bank, Alice, Bob."""
    bank, alice, bob = (open_account(name) for name in ("bank", "alice", "bob"))
    book(command("deposit", (bank, alice, 1_000), (bank, bob, 70)), CONTRACT.command("contract:4"))
    book(hold("order", alice, bob, 300), hold("other", alice, bob, 40))
    book(
        post("bill", alice, bob, 250, of="order/0"), release("never", alice, bob, 40, of="other/0")
    )
    book(
        command("less", (bob, alice, 5), corrects=["bill/0"]),
        TABLE.command("book:7:1"),
    )
    return bank, alice, bob


def test_every_transfer_has_a_receipt_of_what_its_row_says(hall: Hall) -> None:
    story(hall)
    hall.step()

    for transfer in Transfer.objects.order_by("id"):
        opened = shown(get_transfer_receipt(transfer_id=transfer.pk, log=published(hall)))
        assert opened["id"] == str(transfer.pk)
        assert opened["amount"] == str(transfer.amount)
        assert opened["kind"] == transfer.get_kind_display()
        assert opened.get("hold") == (str(transfer.hold_id) if transfer.hold_id else None)
    assert {transfer.kind for transfer in Transfer.objects.all()} == set(TransferKind)
    corrected = Transfer.objects.get(corrects__isnull=False)
    opened = shown(get_transfer_receipt(transfer_id=corrected.pk, log=published(hall)))
    assert opened["corrects"] == str(corrected.corrects_id)


def test_a_document_and_a_row_have_receipts(hall: Hall) -> None:
    story(hall)
    hall.step()

    log = published(hall)
    contract = get_document_receipt(key="contract:4", names=["buyer", "key"], log=log)
    assert shown(contract) == {"buyer": "Zoë", "key": "contract:4"}
    with pytest.raises(BookBroken, match="other rows"):
        get_row_receipt(Table("book:7:1", lambda: ROWS[::-1]), row=ROWS[1], index=1, log=log)
    row = get_row_receipt(READ, row=ROWS[1], index=1, log=log)
    assert shown(row) == {"index": "1", "row": '{"account":"1"}', "key": "book:7:1"}
    assert row is not None
    assert verify(row.text, read_policy()).kind == ReceiptKind.ROW
    with pytest.raises(BookBroken, match="other rows"):
        get_row_receipt(READ, row=ROWS[2], index=1, log=log)
    assert get_document_receipt(key="nothing", names=[], log=log) is None
    assert get_document_receipt(key="deposit", names=[], log=log) is None


def test_a_balance_is_that_of_the_attested_block(hall: Hall) -> None:
    """What is booked afterwards, of every kind, is not in it yet."""
    _bank, alice, bob = story(hall)
    hall.step()
    log = published(hall)
    before = shown(get_balance_receipt(account_id=alice, log=log))
    assert (before["credits_posted"], before["debits_posted"]) == ("1005", "250")
    assert before["debits_pending"] == "0"

    book(hold("second", alice, bob, 60), hold("third", alice, bob, 11))
    hall.step()
    pending = shown(get_balance_receipt(account_id=alice, log=log))
    assert pending["debits_pending"] == "71"

    open_account("late")
    book(
        command("more", (alice, bob, 9)),
        post("part", alice, bob, 20, of="second/0"),
        release("gone", alice, bob, 11, of="third/0"),
        hold("fourth", bob, alice, 2),
    )
    assert shown(get_balance_receipt(account_id=alice, log=log)) == pending
    hall.step()
    after = shown(get_balance_receipt(account_id=alice, log=log))
    assert (after["debits_posted"], after["debits_pending"]) == ("279", "0")
    assert (after["credits_pending"], after["credits_posted"]) == ("2", "1005")


def test_what_nobody_has_attested_yet_has_no_receipt(hall: Hall) -> None:
    _bank, alice, _bob = story(hall)
    log = published(hall)
    for receipt in (
        get_transfer_receipt(transfer_id=1, log=log),
        get_balance_receipt(account_id=alice, log=log),
    ):
        assert receipt is not None
        assert (receipt.state, receipt.text) == (ReceiptState.BOOKED, "")
    assert get_transfer_receipt(transfer_id=99, log=log) is None


def test_cosigners_are_those_of_the_policy(hall: Hall) -> None:
    witness, ada, ben = cosigner("w.example"), cosigner("ada.example"), cosigner("ben.example")
    hall.write_policy(
        "group witnesses any w\ngroup validators any ada ben\n"
        "group both all witnesses validators\nquorum both\n",
        {"w": witness, "ada": ada, "ben": ben},
    )
    story(hall)
    hall.step()
    log = published(hall)
    waiting = get_transfer_receipt(transfer_id=1, log=log)
    assert waiting is not None
    assert waiting.state == ReceiptState.BOOKED

    cosigned(hall, witness, ada, ben)
    receipt = get_transfer_receipt(transfer_id=1, log=log)
    assert receipt is not None
    verified = verify(receipt.text, read_policy())
    assert verified.attested
    assert {each.name for each in verified.cosigners} == {"w", "ada"}
    every = get_transfer_receipt(transfer_id=1, log=replace(log, with_all_signatures=True))
    assert every is not None
    cosigners = verify(every.text, read_policy()).cosigners
    assert {each.name for each in cosigners} == {"w", "ada", "ben"}


def test_others_accept_real_receipts_and_refuse_a_changed_entry(hall: Hall) -> None:
    """Implementations by others read the hall's files and each kind of receipt."""
    witness, ada = cosigner("w.example"), cosigner("ada.example")
    hall.write_policy(
        "group witnesses any w\ngroup validators any ada\n"
        "group both all witnesses validators\nquorum both\n",
        {"w": witness, "ada": ada},
    )
    _bank, alice, _bob = story(hall)
    signed = hall.step()
    assert signed is not None
    cosigned(hall, witness, ada)
    hall.step()
    note, log = hall.checkpoint(), published(hall)
    assert note is not None
    tiles = {path: data for path, data in hall.files().items() if path.startswith("tile/")}
    entries = entries_of(hall.folder.read_tile(Tile("entries", 0, signed.size)))
    policy = policy_text().decode()
    for receipt in (
        get_transfer_receipt(transfer_id=2, log=log),
        get_document_receipt(key="contract:4", names=["buyer"], log=log),
        get_row_receipt(READ, row=ROWS[2], index=2, log=log),
        get_balance_receipt(account_id=alice, log=log),
    ):
        assert receipt is not None
        assert receipt.index is not None
        check_with_others(entries, str(note), tiles, receipt.text, policy)
        changed = list(entries)
        changed[receipt.index] = changed[receipt.index].replace(b'"type"', b'"tyqe"')
        with pytest.raises(Refused):
            check_with_others(changed, str(note), tiles, receipt.text, policy)


def test_a_torn_tile_gives_no_receipt(hall: Hall) -> None:
    story(hall)
    signed = hall.step()
    assert signed is not None
    tile = Path(hall.folder.root) / Tile(0, 0, signed.size).path
    data = bytearray(tile.read_bytes())
    data[32 * (signed.size - 1)] ^= 1
    tile.write_bytes(data)

    with pytest.raises(ReceiptRefused):
        get_transfer_receipt(transfer_id=1, log=published(hall))


def cosigned(hall: Hall, *signers: Signer) -> None:
    """Hand in the cosignatures of the newest checkpoint."""
    now = datetime.now(UTC)
    text = hall.pending().text
    lines = [cosign(text, signer, timestamp=int(now.timestamp())) for signer in signers]
    policy = read_policy()
    take_cosignatures(
        note=Note(text, tuple(lines)), policy=policy, among=list(policy.witnesses), now=now
    )
