"""A contract that was changed behind everybody's back is told, and hides nothing beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from marketplace.models import DataContract
from tests.conftest import CommittedDatabase
from tests.data.charged import charge_of, deliver, settle
from tests.data.test_contracts_api import signed_in
from tests.data.trading import NOW, Trade, build_trade
from tests.log.lying_operator import as_owner

SAID = "The stored contract is not what was signed"
# Pages, and how many rows of each are of a forged contract.
LISTS = {"/market/contracts": 2, "/market/deliveries": 1, "/market/charges": 2}


@pytest.fixture
def trade(committed_db: CommittedDatabase, tmp_path: Path, settings: Any) -> Trade:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    return build_trade()


def forge(contract: DataContract, body: bytes) -> None:
    """Change a text that nobody may change, as the owner of the tables."""
    connection.close()
    with as_owner():
        DataContract.objects.filter(id=contract.pk).update(body=body)
        connection.close()


def test_a_broken_contract_is_said_to_be_and_the_others_are_shown(trade: Trade) -> None:
    kinds = (False, True)
    sound = [trade.agree(trade.product(is_feed=each, title="Sound")) for each in kinds]
    forged = [trade.agree(trade.product(is_feed=each, title="Forged")) for each in kinds]
    settle(NOW)
    for contract in (*sound, *forged):
        deliver(charge_of(contract), due=1_000_000)
    people = [signed_in("bob", trade.bob), signed_in("alice", trade.alice)]
    bodies = [bytes(contract.body) for contract in forged]
    for old, new in ((b'"months"', b'"monthz"'), (b'"months":"3"', b'"months":"2"')):
        for contract, body in zip(forged, bodies, strict=True):
            assert old in body
            forge(contract, body.replace(old, new))
        for person in people:
            check_pages(person, sound, forged)
            check_api(person, sound, forged)


def check_pages(person: Any, sound: Sequence[DataContract], forged: Sequence[DataContract]) -> None:
    for address, rows in LISTS.items():
        shown = person.get(address)
        assert shown.status_code == 200, address
        page = shown.content.decode()
        assert page.count(SAID) == rows, address
        assert page.count("Sound") >= rows
    feeds = person.get("/market/feeds").content.decode()
    assert "Sound" in feeds and "Forged" not in feeds
    assert person.get("/market").status_code == 200
    for contract in forged:
        detail = person.get(f"/market/contracts/{contract.pk}")
        assert detail.status_code == 409
        assert f"data-contract:{contract.pk} is not" in detail.content.decode()
    for contract in sound:
        assert person.get(f"/market/contracts/{contract.pk}").status_code == 200


def check_api(person: Any, sound: Sequence[DataContract], forged: Sequence[DataContract]) -> None:
    expected = {each.pk: each in sound for each in (*sound, *forged)}
    for name in ("contracts", "charges"):
        rows = person.get(f"/api/v1/data/{name}/").json()["results"]
        assert {row.get("contract_id", row["id"]): row["is_whole"] for row in rows} == expected
    rows = person.get("/api/v1/data/deliveries/").json()["results"]
    assert {row["contract_id"]: row["is_whole"] for row in rows} == {
        sound[0].pk: True,
        forged[0].pk: False,
    }
    answer = person.get(f"/api/v1/data/contracts/{forged[0].pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "terms_broken")
