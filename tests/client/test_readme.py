"""The commands of the client's README, in its order, against a hall that is served."""

import re
import shlex
import time
from pathlib import Path

import pytest

from client.hall import Hall
from client.main import _parser
from marketplace.models import Participant
from marketplace.services.data.products import list_product
from tests.client.conftest import Market
from tests.client.served import ServedHall, ended_now
from tests.data.exchanging import FUNDS_MICRO, Trader, book, trader
from tests.data.publishing import product_of, stations_csv, trips_csv
from tests.databases import PROJECT

README = (PROJECT / "client" / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in re.sub(r"^\$ ", "", block, flags=re.MULTILINE).splitlines()
]
BUYERS = {"catalogue", "buy", "receive", "receipts"}


def test_every_command_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["--help"])
    commands = set(re.findall(r"^    ([a-z-]{3,}) ", capsys.readouterr().out, re.MULTILINE))
    assert len(commands) == 18
    assert {each for each in commands if each not in README} == set()


def test_the_readme_from_gate_to_verified(
    market: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hall = market.hall
    provider = trader("Gail", Participant.Role.DATA_PROVIDER)
    buyer = trader("Hugo", Participant.Role.ENTERPRISE, funds_micro=FUNDS_MICRO)
    book(hall.now)
    product = product_of(
        provider.participant_id,
        format_="trips",
        theme="bike-sharing-availability",
        price={"form": "one_off", "price_micro": 1_000_000},
        accepts_automatically=False,
    )
    monkeypatch.chdir(tmp_path)
    Path("trips.csv").write_bytes(trips_csv())
    Path("stations.csv").write_bytes(stations_csv())
    hall.publish_log().rename("trusted-policy")
    ordered = [*COMMANDS[:5], *_of("catalogue"), *_of("buy"), *COMMANDS[5:8], *COMMANDS[10:]]
    for command in ordered:
        name = next(each for each in command if each in _names())
        if name == "sell":
            hall.go_on()
        _run(hall, buyer if name in BUYERS else provider, command, product)
        if name == "catalogue":
            assert "Cars on the ring road" in capfd.readouterr().out
        if name == "publish":
            # On its page the provider would list it now.
            own = [provider.participant_id]
            list_product(product_id=product, participant_ids=own, now=hall.now)
        if name == "use-key":
            Path("my.key").rename(hall.folder / f"{provider.participant_id}.key")
        if name == "receive":
            hall.go_on()
            hall.publish_log()
    assert Path("flows/flows.csv").read_bytes().startswith(b"period_start,")
    assert b"94107" not in Path("flows/flows.csv").read_bytes()


def _of(name: str) -> list[list[str]]:
    return [each for each in COMMANDS if name in each]


def _names() -> set[str]:
    return {"make-key", "use-key", "policy", "gate", "publish", "list", "sign", "sell"} | {
        "catalogue",
        "buy",
        "receive",
        "receipts",
        "verify",
    }


def _run(hall: ServedHall, who: Trader, command: list[str], product: int) -> None:
    """Run a command, with the worker going on beside it; the ids are those of this hall."""
    given = [str(product) if each == "1" and "publish" in command else each for each in command]
    pid = hall.start_client(who, *given)
    until = time.monotonic() + 90
    while (status := ended_now(pid)) is None:
        assert time.monotonic() < until, command
        if "--wait" in command:
            hall.go_on(rounds=1)
        time.sleep(0.05)
    assert status == 0, command


def test_a_hall_without_encryption_is_refused() -> None:
    with pytest.raises(Exception, match="https"):
        Hall("http://hall.example", "secret")
    assert "secret" not in repr(Hall("https://hall.example", "secret"))
