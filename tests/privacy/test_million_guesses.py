"""What is public tells nobody who guesses anything, and receipts outlive an erasure."""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from pytest_django import Settings

from config.log.keys import make_signer, read_policy
from ledger.domain.leaves import leaf_salt
from ledger.domain.receipts import verify
from ledger.domain.sealing import unpacked_entries
from ledger.models import Block, BlockSeed, Transfer
from ledger.queries import list_transfers
from ledger.services.attestation import attest_checkpoint
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import LogPublisher
from ledger.services.receipts import PublishedLog, get_transfer_receipt
from marketplace.services.erasure import erase_subject, plan_erasure_of_person
from tests.data.trading import book
from tests.town import NOW, Town, build_town, rows_of_hour, run_market, send

GUESSES = 1_000_000
_HASH = re.compile(rb'"([A-Za-z0-9+/]{43}=)"')


@pytest.fixture
def town(db: None) -> Town:
    town = build_town()
    send(town, [row for hour in range(3) for row in rows_of_hour(hour)])
    run_market(town)
    return town


def erase_alice(town: Town) -> None:
    erase_subject(plan=plan_erasure_of_person(email=town.alice.email), now=NOW)
    book(now=NOW)


def public_hashes() -> set[bytes]:
    """Return everything in the public log that could be a commitment."""
    entries = [
        entry
        for block in Block.objects.order_by("number")
        for entry in unpacked_entries(bytes(block.entries))
    ]
    assert len(entries) > 40
    return {b64decode(found) for entry in entries for found in _HASH.findall(entry)}


def confirmed(hashes: set[bytes], openings: Iterable[bytes], salts: list[bytes]) -> list[bytes]:
    """Return the guesses that the public log confirms: the attack."""
    prefixes = [sha256(salt) for salt in salts]
    found = []
    for opening in openings:
        for prefix in prefixes:
            digest = prefix.copy()
            digest.update(opening)
            if digest.digest() in hashes:
                found.append(opening)
    return found


def opening_of(transfer: Transfer, amount: int) -> bytes:
    """Return what a transfer's leaf would commit to if its amount were this."""
    time = int(transfer.command.block.booked_at.timestamp()) * 10**6  # type: ignore[union-attr]  # booked
    time += transfer.command.block.booked_at.microsecond  # type: ignore[union-attr]  # booked
    return (
        f'{{"amount":"{amount}","code":"{transfer.code}","credit":"{transfer.credit_account_id}",'
        f'"debit":"{transfer.debit_account_id}","id":"{transfer.pk}","kind":"posted","time":"{time}"}}'
    ).encode()


def test_a_million_guesses_confirm_nothing_and_the_salt_does(town: Town) -> None:
    """The attacker knows everything of Alice's transfer but its amount, and guesses that too."""
    account = town.participant("alice-1").energy_account_id
    erase_alice(town)
    transfer = Transfer.objects.select_related("command__block").filter(debit_account=account)[0]
    hashes = public_hashes()
    first = max(0, transfer.amount - GUESSES // 2)

    def guesses() -> Iterator[bytes]:
        return (opening_of(transfer, amount) for amount in range(first, first + GUESSES))

    # Salts that somebody without the seed could think of.
    assert confirmed(hashes, guesses(), [b"", bytes(32)]) == []

    # The truth was among the guesses, and whoever was given its salt can confirm it.
    block, leaf = transfer.command.block, transfer.command.leaf_index
    assert block is not None and leaf is not None
    seed = bytes(BlockSeed.objects.get(block=block).seed)
    salt = leaf_salt(seed, leaf + 1 + transfer.leg)
    near = (opening_of(transfer, transfer.amount + off) for off in range(-500, 500))
    assert confirmed(hashes, near, [salt]) == [opening_of(transfer, transfer.amount)]


def test_nothing_public_names_a_person_or_an_account(town: Town) -> None:
    participant, point = town.participant("alice-1"), town.point("alice-1")
    erase_alice(town)
    log = b"\n".join(
        entry
        for block in Block.objects.order_by("number")
        for entry in unpacked_entries(bytes(block.entries))
    )
    for text in (b"Alice", b"alice", b"example", b"participant", b'"account":', b'"debit"'):
        assert text not in log, text
    [redaction] = [line for line in log.splitlines() if b'"redaction"' in line]
    # Its key names the participant, so it is committed to like everything private.
    assert str(participant.id).encode() not in _HASH.sub(b"", redaction)
    assert f"redaction:{participant.id}".encode() not in log
    guesses = (f"redaction:{number}".encode() for number in range(GUESSES // 10))
    assert confirmed(public_hashes(), guesses, [b"", bytes(32), sha256(b"key").digest()]) == []
    assert point.pk > 0


def test_a_counterparty_s_receipt_outlives_the_erasure(
    town: Town, tmp_path: Path, settings: Settings
) -> None:
    settings.LOG_FOLDER = tmp_path / "publication"
    settings.LOG_KEY_FILE = tmp_path / "log.key"
    settings.LOG_POLICY_FILE = tmp_path / "policy"
    publisher = LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer())
    publisher.open()
    bob = town.participant("bob-1").energy_account_id
    assert bob is not None
    number = list_transfers(account_ids=[bob])[0].id

    def receipt() -> str:
        signed = publisher.publish_new(now=datetime.now(UTC))
        if signed is not None:
            assert attest_checkpoint(size=signed.size, policy=read_policy(), now=datetime.now(UTC))
        log = PublishedLog(LogFolder(settings.LOG_FOLDER), read_policy())
        found = get_transfer_receipt(transfer_id=number, log=log)
        assert found is not None
        return found.text

    before = receipt()
    opened = dict(verify(before, read_policy()).opened)
    erase_alice(town)
    after = receipt()
    assert dict(verify(before, read_policy()).opened) == opened
    assert dict(verify(after, read_policy()).opened) == opened
