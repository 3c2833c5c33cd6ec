"""A member's receipts: Alice gets hers, Bob his, Charlie nothing, and each holds."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from config.log.keys import make_signer, read_policy
from config.web.own_receipts import CODE_BYTES_MAX
from ledger.domain.receipts import ReceiptKind, verify
from ledger.queries import list_transfers
from ledger.services.attestation import attest_checkpoint
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import LogPublisher
from tests.web.city import City, signed_in
from tests.web.conftest import city

__all__ = ["city"]

Place = tuple[City, LogPublisher]


@pytest.fixture
def unpublished(city: City, tmp_path: Path, settings: Settings) -> Place:
    """Return a city whose log nobody has published yet."""
    settings.LOG_FOLDER = tmp_path / "publication"
    settings.LOG_KEY_FILE = tmp_path / "log.key"
    settings.LOG_POLICY_FILE = tmp_path / "policy"
    publisher = LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer())
    publisher.open()
    return city, publisher


@pytest.fixture
def published(unpublished: Place) -> City:
    """Return a city whose log is published, and attested by the log alone."""
    city, publisher = unpublished
    now = datetime.now(UTC)
    signed = publisher.publish_new(now=now)
    assert signed is not None
    assert attest_checkpoint(size=signed.size, policy=read_policy(), now=now)
    return city


def own(city: City, name: str) -> tuple[int, int]:
    """Return somebody's participant and the newest transfer they have a part in alone."""
    persona = city.persona(name)
    assert persona.energy_account_id is not None
    return persona.participant_id, list_transfers(account_ids=[persona.energy_account_id])[0].id


def test_a_transfer_has_a_page_a_file_and_a_code(published: City) -> None:
    alice, transfer = own(published, "alice")
    client = signed_in("alice")
    address = f"/member/{alice}/receipts/transfer/{transfer}/"

    page = client.get(address).content.decode()
    file = client.get(f"{address}file")

    shown = verify(file.content, read_policy())
    assert shown.kind == ReceiptKind.TRANSFER
    assert shown.opened["id"] == str(transfer)
    assert file.headers["Content-Disposition"].endswith(f'"transfer-{transfer}.tlog-proof"')
    assert 'class="receipt-code"' in page
    link = re.search(r'href="(/receipts/check#[^"]+)"', page)
    assert link is not None
    assert len(f"http://testserver{link[1]}") <= CODE_BYTES_MAX
    assert file.headers["Cache-Control"].startswith("max-age=0")
    assert client.get(f"{address}file?signatures=all").status_code == 200


def test_a_balance_is_proved(published: City) -> None:
    persona = published.persona("alice")
    account = persona.energy_account_id
    address = f"/member/{persona.participant_id}/receipts/balance/{account}/"
    client = signed_in("alice")

    shown = verify(client.get(f"{address}file").content, read_policy())

    assert shown.kind == ReceiptKind.BALANCE
    assert shown.opened["account"] == str(account)
    assert "Proof of my balance" in client.get(address).content.decode()


def test_my_row_of_the_book_is_proved_with_its_header(published: City) -> None:
    persona = published.persona("alice")
    pages = signed_in("alice").get(f"/member/{persona.participant_id}/statement/?day=2026-06-15")
    interval = re.search(r"/statement/(\d+)/", pages.content.decode())
    assert interval is not None
    client = signed_in("alice")
    line = client.get(f"/member/{persona.participant_id}/statement/{interval[1]}/").content.decode()
    book = re.search(r'href="(/member/\d+/receipts/book/\d+/1/)"', line)
    assert book is not None

    page = client.get(book[1]).content.decode()
    files = re.findall(r'href="(/member/\d+/receipts/book/\d+/1/(\d+)/)"', page)
    assert len(files) == 2
    rows = {
        int(at): verify(client.get(f"{url}file").content, read_policy()).opened for url, at in files
    }
    assert f'"interval":"{interval[1]}"' in rows[0]["row"]
    [(at, mine)] = [(at, opened) for at, opened in rows.items() if at]
    assert f'"account":"{persona.energy_account_id}"' in mine["row"]
    assert mine["key"] == f"book:{interval[1]}:1"
    for other in {1, 2, 3, 4, 5, 6, 7, 99} - {at}:
        assert client.get(f"{book[1]}{other}/").status_code == 404
        assert client.get(f"{book[1]}{other}/file").status_code == 404


def test_the_rules_one_trades_under_have_a_receipt(published: City) -> None:
    alice = published.participant_ids["alice"]
    client = signed_in("alice")
    page = client.get(f"/member/{alice}/receipts/").content.decode()
    address = re.search(r"/member/\d+/receipts/documents/rules:([0-9a-f]{64})/", page)
    assert address is not None

    assert "Rule set in force from" in client.get(address[0]).content.decode()
    shown = verify(client.get(f"{address[0]}file").content, read_policy())
    assert shown.kind == ReceiptKind.DOCUMENT
    assert shown.opened == {"key": f"rules:{address[1]}"}
    assert shown.entry["public"] == {"sha256": address[1]}
    for key in ("book:1:1", "rules:x", f"rules:{'0' * 64}"):
        assert client.get(f"/member/{alice}/receipts/documents/{key}/file").status_code == 404
    assert signed_in("charlie").get(address[0]).status_code == 404


@pytest.mark.parametrize("suffix", ["", "file"])
def test_nobody_gets_what_is_anothers(published: City, suffix: str) -> None:
    alice, transfer = own(published, "alice")
    bob, bobs = own(published, "bob")
    account = published.persona("alice").energy_account_id
    bobs_account = published.persona("bob").energy_account_id
    place = published.place()
    for name, address in (
        ("bob", f"/member/{alice}/receipts/transfer/{transfer}/"),  # her page
        ("bob", f"/member/{bob}/receipts/transfer/{transfer}/"),  # her transfer on his
        ("alice", f"/member/{alice}/receipts/transfer/{bobs}/"),
        ("alice", f"/member/{alice}/receipts/transfer/99999999/"),
        ("alice", f"/member/{alice}/receipts/transfer/9{'0' * 30}/"),
        ("charlie", f"/member/{alice}/receipts/transfer/{transfer}/"),
        ("olga", f"/member/{alice}/receipts/transfer/{transfer}/"),
        ("bob", f"/member/{alice}/receipts/balance/{account}/"),
        ("bob", f"/member/{bob}/receipts/balance/{account}/"),
        ("alice", f"/member/{alice}/receipts/balance/{bobs_account}/"),
        ("alice", f"/member/{alice}/receipts/balance/{place.pool_account_id}/"),
        ("charlie", f"/member/{alice}/receipts/balance/{account}/"),
        ("charlie", f"/member/{alice}/receipts/book/1/1/0/"),
        ("alice", f"/member/{alice}/receipts/book/999999/1/0/"),
    ):
        assert signed_in(name).get(address + suffix).status_code == 404, (name, address)
    stranger = Client().get(f"/member/{alice}/receipts/transfer/{transfer}/{suffix}")
    assert stranger.status_code == 302
    for name in ("bob", "charlie"):
        assert signed_in(name).get(f"/member/{alice}/receipts/").status_code == 404


def test_what_is_booked_and_not_attested_says_so(unpublished: Place) -> None:
    city, _publisher = unpublished
    alice, transfer = own(city, "alice")
    client = signed_in("alice")
    address = f"/member/{alice}/receipts/transfer/{transfer}/"

    page = client.get(address).content.decode()

    assert "booked, not attested yet" in page
    assert "receipt-code" not in page
    assert client.get(f"{address}file").status_code == 404


def test_a_torn_log_is_not_handed_out(published: City, settings: Settings) -> None:
    alice, transfer = own(published, "alice")
    for tile in Path(settings.LOG_FOLDER).glob("tile/0/**/*"):
        if tile.is_file():
            tile.write_bytes(bytes(len(tile.read_bytes())))
    client = signed_in("alice")
    address = f"/member/{alice}/receipts/transfer/{transfer}/"

    assert "no receipt can be made right now" in client.get(address).content.decode()
    assert client.get(f"{address}file").status_code == 404


def test_the_list_leads_to_every_receipt(published: City) -> None:
    alice, _newest = own(published, "alice")
    client = signed_in("alice")
    seen: list[str] = []
    address: str | None = f"/member/{alice}/receipts/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(rf"/member/{alice}/receipts/transfer/(\d+)/", page)
        older = re.search(r'href="(\?before=\d+)"', page)
        address = f"/member/{alice}/receipts/{older[1]}" if older else None
    account = published.persona("alice").energy_account_id
    assert account is not None
    every = list_transfers(account_ids=[account], limit=None)
    assert seen == [str(line.id) for line in every]
    assert client.get(f"/member/{alice}/receipts/?before={'9' * 5000}").status_code == 200


def test_the_api_gives_the_same_receipt(published: City) -> None:
    alice, transfer = own(published, "alice")
    address = f"/api/v1/transfers/{transfer}/receipt"

    answer = signed_in("alice").get(address).json()

    file = signed_in("alice").get(f"/member/{alice}/receipts/transfer/{transfer}/file")
    assert answer["receipt"] == file.content.decode()
    assert (answer["transfer_id"], answer["state"]) == (transfer, "attested")
    assert answer["leaf_index"] == verify(file.content, read_policy()).index
    for name in ("bob", "charlie", "olga"):
        assert signed_in(name).get(address).status_code == 404
    assert Client().get(address).status_code == 401
    huge = signed_in("alice").get(f"/api/v1/transfers/9{'0' * 40}/receipt")
    assert huge.status_code == 404


def test_the_api_says_what_is_not_attested_yet(unpublished: Place) -> None:
    city, _publisher = unpublished
    _alice, transfer = own(city, "alice")

    answer = signed_in("alice").get(f"/api/v1/transfers/{transfer}/receipt").json()

    assert (answer["state"], answer["receipt"]) == ("booked", None)
