"""Web, worker and client killed in every step of the exchange: it goes on, nothing is doubled."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from client import fetching, receiving
from client.hall import Hall
from gate.manifest import CHUNK_BYTES
from marketplace.services.data import deliveries, delivery_key, delivery_scan
from tests.client.conftest import Market
from tests.client.served import KILLED, Death, ended, fork
from tests.data.exchanging import CONTENT, PRICE_MICRO, Exchange, agree, go_on, publish_file

WAITS = 6


@pytest.fixture
def sold(market: Market) -> Exchange:
    """A delivery whose buyer's step is due."""
    return offered(market, CONTENT)


def offered(market: Market, content: bytes) -> Exchange:
    version = publish_file(market.ada, content=content)
    sold = Exchange(
        market.ada, market.ben, agree(version, market.ada, market.ben, market.hall.now).pk
    )
    market.hall.go_on()
    assert sold.state == "OFFERED"
    return sold


def is_delivered_and_paid_once(
    market: Market, sold: Exchange, folder: Path, before: int, content: bytes = CONTENT
) -> None:
    hall = market.hall
    hall.go_on()
    assert hall.client(market.ben, "receive", str(sold.id), "--into", str(folder)) == 0
    assert (folder / "counts.csv").read_bytes() == content
    hall.go_on()
    assert (sold.money, before - market.ben.balance) == ("IN_WINDOW", PRICE_MICRO)
    earned = market.ada.balance
    ends = sold.row.charge.window_ends_at
    assert ends is not None
    go_on(ends)
    assert (sold.state, market.ada.balance - earned) == ("ENDED", PRICE_MICRO)


# In the order in which one client, killed and started again, comes to them.
CLIENT_DEATHS = [
    Death(receiving, "keep", call=1),  # the contract is there, nothing else
    Death(fetching, "_read", call=2, before=True),  # one chunk is on the disk
    Death(receiving, "keep", call=3),  # the key is there, what it is named in is not
    Death(receiving, "keep", call=4),  # signed, not sent
    Death(Hall, "post"),  # sent, the answer never read
]
AFTER_THE_KEY = [
    Death(receiving, "unwrap_key"),
    Death(receiving, "open_package", before=True),
    Death(receiving, "open_package"),
    Death(Hall, "post", before=True),
    Death(Hall, "post"),  # accepted, not noted
]


def test_a_client_killed_everywhere(market: Market, sold: Exchange, tmp_path: Path) -> None:
    hall, ben = market.hall, market.ben
    before, folder = ben.balance, tmp_path / "got"
    command = ("receive", str(sold.id), "--into", str(folder))
    for death in CLIENT_DEATHS:
        assert hall.client(ben, *command, death=death) == KILLED, death
    assert sold.state == "ACKNOWLEDGED"
    keys = list((folder / "heliopolis-proofs").glob("x25519-*.key"))
    assert len(keys) == 2  # one of them was never named to anybody
    assert hall.client(ben, *command) == WAITS
    hall.go_on()
    for death in AFTER_THE_KEY:
        assert hall.client(ben, *command, death=death) == KILLED, death

    is_delivered_and_paid_once(market, sold, folder, before)


@pytest.mark.parametrize(
    "deaths",
    [
        [Death(deliveries, "log_step"), Death(deliveries, "take_money")],
        [
            Death(delivery_scan, "_advance", before=True),
            Death(delivery_key, "wrap_key"),
            Death(delivery_key, "log_step"),
            Death(delivery_scan, "_advance"),
        ],
    ],
    ids=["while it takes the proof in", "while it gives the key"],
)
def test_a_server_process_killed_inside_its_transaction(
    market: Market, sold: Exchange, tmp_path: Path, deaths: list[Death]
) -> None:
    hall, ben = market.hall, market.ben
    before, folder = ben.balance, tmp_path / "got"
    command = ("receive", str(sold.id), "--into", str(folder))
    takes_in = deaths[0].owner is deliveries
    if takes_in:
        # Where the proof is on the disk and was never sent.
        assert hall.client(ben, *command, death=Death(Hall, "post", before=True)) == KILLED
        text, now = sold.reception(hall.now), hall.now
        for death in deaths:
            pid = fork(partial(_dying, death, partial(sold.receive, text, now)))
            assert ended(pid) == KILLED, death
        assert (sold.state, sold.row.receipt_body) == ("OFFERED", None)
        assert hall.client(ben, *command) == WAITS
    else:
        assert hall.client(ben, *command) == WAITS
        for death in deaths:
            assert ended(fork(partial(_dying, death, hall.go_on))) == KILLED, death

    is_delivered_and_paid_once(market, sold, folder, before)


def test_two_workers_race_for_the_wrap(market: Market, sold: Exchange, tmp_path: Path) -> None:
    hall, ben = market.hall, market.ben
    before, folder = ben.balance, tmp_path / "got"
    assert hall.client(ben, "receive", str(sold.id), "--into", str(folder)) == WAITS
    at = time.monotonic() + 0.5

    def scan() -> None:
        time.sleep(at - time.monotonic())
        for _ in range(20):
            delivery_scan.advance_deliveries(now=hall.now)

    racing = [fork(scan), fork(scan)]
    hall.go_on()
    assert [ended(pid) for pid in racing] == [0, 0]
    wrap = sold.row.wrap
    assert wrap is not None

    is_delivered_and_paid_once(market, sold, folder, before)
    assert sold.row.wrap == wrap


def test_a_web_server_killed_while_it_serves(market: Market, tmp_path: Path) -> None:
    # More than what the system keeps between two programs.
    content = CONTENT * 12
    sold = offered(market, content)
    hall, ben = market.hall, market.ben
    before, folder = ben.balance, tmp_path / "got"
    part = folder / "heliopolis-proofs" / "package.part"
    command = ("receive", str(sold.id), "--into", str(folder))
    pid = hall.start_client(ben, *command, death=Slow(fetching, "_read"))
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > CHUNK_BYTES):
        assert time.monotonic() < until
        time.sleep(0.02)
    hall.stop(signal.SIGKILL)
    assert ended(pid) == 4
    there = part.stat().st_size
    assert CHUNK_BYTES < there < sold.manifest.package.cipher_byte_count
    hall.start()
    served = sold.row.served_bytes
    assert hall.client(ben, *command) == WAITS
    # The second answer began behind what was on the disk.
    assert 0 < sold.row.served_bytes - served <= sold.manifest.package.cipher_byte_count - there

    is_delivered_and_paid_once(market, sold, folder, before, content)


class Slow(Death):
    """Not a death: has a function wait before each call."""

    def prepare(self) -> None:
        real = getattr(self.owner, self.name)

        def waiting(*args: object, **named: object) -> object:
            time.sleep(0.1)
            return real(*args, **named)

        setattr(self.owner, self.name, waiting)


def _dying(death: Death, act: Callable[[], None]) -> int:
    death.prepare()
    act()
    return os.EX_OK
