"""A running city: silent validators, strangers who read and follow it, and its owner's lies."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from pytest_django.plugin import DjangoDbBlocker

from config.log.receipts import published_log
from ledger.domain.policy import Policy
from ledger.services.receipts import get_transfer_receipt
from tests.embedded.processes import wait_until
from tests.ledger.log.others import Refused, check_with_others
from tests.log.lies import exchange_entries, flip
from tests.log.lying_operator import working_on
from tests.log.running_city import RunningCity, entries_of, running_city, status_of
from tests.validator.test_package import programs
from validator.client import Hall
from validator.follow import Follower
from validator.keys import make_key_file
from validator.policy import read_policy
from validator.store import Store

__all__ = ["programs"]  # a fixture of another module


@pytest.fixture(scope="module")
def city(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningCity]:
    folder = tmp_path_factory.mktemp("running") / "state"
    with django_db_blocker.unblock(), running_city(folder) as city:
        yield city


def test_silent_validators_hold_nothing_up_until_there_are_too_many(city: RunningCity) -> None:
    policy = Policy.parse(city.get("policy") or b"")
    validators = set(policy.cosigners().validators)
    verdict = policy.verify(city.note("checkpoint"))
    assert verdict.satisfied
    assert len(verdict.cosigned & validators) >= 3

    city.pause(1)
    city.book("with-one-silent")
    wait_until(city.is_attested, seconds=60)

    city.pause(2)
    attested = city.size("checkpoint")
    city.book("with-two-silent")
    time.sleep(2)
    assert city.size("checkpoint") == attested < city.size("pending")

    city.go_on(2)
    wait_until(city.is_attested, seconds=60)
    city.go_on(1)
    assert policy.verify(city.note("checkpoint")).satisfied


def receipt_of(city: RunningCity, transfer: int) -> str:
    """Return the receipt of a transfer, with all signatures: others have policies of their own."""
    with working_on(city.database, city.places()):
        log = published_log(with_all_signatures=True)
        assert log is not None
        receipt = get_transfer_receipt(transfer_id=transfer, log=log)
    assert receipt is not None
    assert receipt.text
    return receipt.text


def test_four_implementations_of_others_accept_it_and_refuse_a_tampered_leaf(
    city: RunningCity,
) -> None:
    wait_until(city.is_attested, seconds=60)
    tiles, note = city.tiles(), str(city.note("checkpoint"))
    policy = (city.get("policy") or b"").decode()
    entries, receipt = entries_of(tiles), receipt_of(city, 3)

    check_with_others(entries, note, tiles, receipt, policy)

    index = int(receipt.split("index ")[1].split("\n")[0])
    tampered = list(entries)
    tampered[index] = tampered[index].replace(b"transfer", b"transfer ")
    for name in ("tlog-scales", "proofbundle", "metamorphic-log", "pymerkle"):
        with pytest.raises(Refused, match=name):
            check_with_others(tampered, note, tiles, receipt, policy, by=[name])


def test_a_validator_installed_by_a_stranger_follows_it(
    city: RunningCity, programs: Path, tmp_path: Path
) -> None:
    wait_until(city.is_attested, seconds=60)
    program, folder = programs / "heliopolis-validator", tmp_path / "stranger"
    words = ("init", folder, "--log", f"{city.address}/log", "--name", "stranger.example/v1")
    subprocess.run([program, *words], cwd="/", check=True, stdout=subprocess.DEVNULL)
    (folder / "policy.txt").write_bytes(city.get("policy") or b"")
    (folder / "credential").write_text(city.credential("stranger") + "\n")
    config = folder / "validator.toml"
    with subprocess.Popen(
        [program, "--config", config], cwd="/", stdout=subprocess.DEVNULL
    ) as stranger:
        try:
            wait_until(lambda: leaves_of(status_of(program, config)) == city.size("pending"))
            city.book("seen-by-a-stranger")
            wait_until(lambda: leaves_of(status_of(program, config)) == city.size("pending"))
        finally:
            stranger.terminate()
    assert status_of(program, config)["objections"] == []


def leaves_of(status: dict[str, object]) -> int:
    followed = status.get("followed")
    return int(followed["leaves"]) if isinstance(followed, dict) else 0


def objections(city: RunningCity, folder: Path, name: str) -> list[tuple[int, str]]:
    """Follow the city from its first leaf, over HTTP, and return what is objected to."""
    key = make_key_file(folder / f"{name}.key", name="newcomer.example/v1")
    policy = read_policy(city.state / "policy")
    with (
        closing(Store(folder / name)) as store,
        closing(Hall(f"{city.address}/log", city.credential(name))) as hall,
    ):
        follower = Follower(hall=Newcomer(hall), store=store, key=key, policy=policy)
        while follower.step():
            pass
        return [(each.leaf, each.code) for each in follower.journal.standing()]


class Newcomer(Hall):
    """A client whose statements stay at home: the policy does not know them yet."""

    def __init__(self, hall: Hall) -> None:
        self.__dict__.update(vars(hall))

    def post(self, path: str, body: bytes) -> None:
        """Hand nothing in."""


@pytest.mark.parametrize(
    ("files", "change"),
    [("tile/0", flip), ("tile/entries", flip), ("tile/entries", exchange_entries)],
    ids=["a flipped byte in a tile", "a flipped byte in a bundle", "swapped leaves"],
)
def test_what_is_wrong_in_a_file_is_named_from_inside_and_outside(
    city: RunningCity, tmp_path: Path, files: str, change: Callable[[bytes], bytes]
) -> None:
    wait_until(city.is_attested, seconds=60)
    width = city.size("pending")
    file = city.folder / f"{files}/000.p/{width}"
    before = file.read_bytes()
    file.write_bytes(change(before))
    try:
        inside = city.verify()
        found = objections(city, tmp_path, f"{change.__name__}-{files}".replace("/", "-"))
    finally:
        file.write_bytes(before)

    assert f"{files}/000.p/{width} differs from the book at byte" in inside
    ((leaf, code),) = found
    assert code == "tile"
    assert leaf >= width - 2
    assert city.verify() == ""


def test_a_transfer_changed_by_the_owner_is_named_from_inside_and_by_every_validator(
    city: RunningCity,
) -> None:
    with psycopg.connect(city.environment["DATABASE_OWNER_URL"]) as owner:
        for table in ("ledger_transfer", "ledger_account"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        owner.execute("UPDATE ledger_transfer SET amount = amount + 5 WHERE id = 3")
    assert "transfer 3: amount is" in city.verify()
    with psycopg.connect(city.environment["DATABASE_OWNER_URL"]) as owner:
        # So that balances agree with it.
        owner.execute(
            "UPDATE ledger_account a SET debits_posted = debits_posted + 5 FROM ledger_transfer t"
            " WHERE t.id = 3 AND a.id = t.debit_account_id"
        )
        owner.execute(
            "UPDATE ledger_account a SET credits_posted = credits_posted + 5 FROM ledger_transfer t"
            " WHERE t.id = 3 AND a.id = t.credit_account_id"
        )
    attested = city.size("checkpoint")
    restart(city, "settlement")
    city.book("after-the-change")

    assert "transfer 3: amount is" in city.verify()
    wait_until(lambda: (city.get("objections") or b"").count(b"\nstate_root\n") == 4, seconds=60)
    assert city.size("checkpoint") == attested


def restart(city: RunningCity, name: str) -> None:
    """Let the worker load the book anew: it keeps what it has in memory."""
    city.processes[name].terminate()
    city.processes[name].wait(20)
    city.spawn(name, "manage.py", "settlement_worker", "--skip-checks")
