"""The witness as a process: HTTP, races, kills, a full disk, configurations."""

import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import PROJECT
from tests.validator.running import (
    PLAIN,
    Reply,
    RunningWitness,
    reply_of,
    running,
    set_up,
)
from tests.validator.small_log import LOG_KEY, ORIGIN, checkpoint, leaves, submission
from validator.errors import SetUpWrong
from validator.keys import make_key_file
from validator.notes import LOG, Note, SigningKey
from validator.witness_server import BODY_BYTES_MAX, read_config

DYING = (sys.executable, "-m", "tests.validator.dying_witness")
SETTLED = 'key = "witness.key"\nstate = "w.sqlite3"\n'
ONE_LOG = f'[[log]]\norigin = "{ORIGIN}"\nkeys = ["{LOG_KEY.verifier}"]\n'


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningWitness, SigningKey]]:
    """Return a witness that the tests of requests share; none of them is cosigned."""
    config, key = set_up(tmp_path_factory.mktemp("alice"))
    with running(config) as witness:
        yield witness, key


def request(witness: RunningWitness, method: str, path: str, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=30)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return reply_of(connection.getresponse())
    finally:
        connection.close()


def test_only_one_path_takes_posts(alice: tuple[RunningWitness, SigningKey]) -> None:
    witness, _ = alice

    assert request(witness, "POST", "/", Content_Length="0").status == 404
    assert request(witness, "POST", "/add-checkpoint/", Content_Length="0").status == 404
    assert request(witness, "GET", "/add-checkpoint").status == 405
    assert request(witness, "GET", "/").status == 404
    assert request(witness, "PUT", "/add-checkpoint").status == 501


def test_a_body_has_a_length_and_a_limit(alice: tuple[RunningWitness, SigningKey]) -> None:
    witness, _ = alice
    path = "/add-checkpoint"

    assert request(witness, "POST", path).status == 411
    assert request(witness, "POST", path, Content_Length="-1").status == 411
    assert request(witness, "POST", path, Content_Length="9" * 5000).status == 413
    assert request(witness, "POST", path, Content_Length=str(BODY_BYTES_MAX + 1)).status == 413
    assert (
        request(witness, "POST", path, Content_Length="9", Transfer_Encoding="chunked").status
        == 411
    )
    assert request(witness, "POST", path, Content_Length="0").status == 400


def test_one_connection_carries_many_requests(tmp_path: Path) -> None:
    config, key = set_up(tmp_path)
    with running(config) as witness:
        connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=30)
        connection.connect()
        socket = connection.sock
        for size in range(1, 5):
            connection.request("POST", "/add-checkpoint", submission(size - 1, leaves(size)))
            reply = reply_of(connection.getresponse())
            assert reply.content_type == "text/plain; charset=utf-8"
            assert_cosigned(reply, size, key)
            assert connection.sock is socket
        connection.request("POST", "/add-checkpoint", submission(0, leaves(9)))
        reply = reply_of(connection.getresponse())
        connection.close()

    assert reply == Reply(409, "4\n", "text/x.tlog.size")


@pytest.mark.parametrize("processes", [1, 2])
def test_of_many_at_once_exactly_one_wins(tmp_path: Path, processes: int) -> None:
    """The race of the specification: a smaller checkpoint must not undo a larger one."""
    config, key = set_up(tmp_path)
    with running(config) as one, running(config) as two, ThreadPoolExecutor(8) as pool:
        at = 0
        for _ in range(12):
            gate = threading.Barrier(8)

            def race(step: int, old: int = at, gate: threading.Barrier = gate) -> Reply:
                body = submission(old, leaves(old + step))
                gate.wait()
                return (one if processes == 1 or step % 2 else two).submit(body)

            replies = list(pool.map(race, range(8, 0, -1)))
            winners = [
                step for step, r in zip(range(8, 0, -1), replies, strict=True) if r.status == 200
            ]
            assert len(winners) == 1, replies
            at += winners[0]
            assert_cosigned(replies[8 - winners[0]], at, key)
            assert {r.body for r in replies if r.status == 409} == {f"{at}\n"}


def test_killed_between_disk_and_answer_it_remembers(tmp_path: Path) -> None:
    config, key = set_up(tmp_path)
    with running(config) as witness:
        assert_cosigned(witness.submit(submission(0, leaves(3))), 3, key)
    submit_to_a_dying_one(config, "before-answer", submission(3, leaves(7)))

    with running(config) as witness:
        assert witness.submit(submission(3, leaves(7))).body == "7\n"
        assert witness.submit(submission(3, leaves(9, story="false"))).status == 409
        assert witness.submit(submission(7, leaves(9, story="false"))).status == 422
        assert_cosigned(witness.submit(submission(7, leaves(7))), 7, key)
        assert_cosigned(witness.submit(submission(7, leaves(9))), 9, key)


def test_killed_before_the_disk_it_never_said_anything(tmp_path: Path) -> None:
    config, key = set_up(tmp_path)
    with running(config) as witness:
        assert_cosigned(witness.submit(submission(0, leaves(3))), 3, key)
    submit_to_a_dying_one(config, "before-commit", submission(3, leaves(7)))

    with running(config) as witness:
        assert witness.submit(submission(7, leaves(9))).body == "3\n"
        assert_cosigned(witness.submit(submission(3, leaves(7))), 7, key)


def submit_to_a_dying_one(config: Path, moment: str, body: bytes) -> None:
    with running(config, command=(*DYING, moment)) as witness:
        with pytest.raises((OSError, http.client.HTTPException)):
            witness.submit(body)
        assert witness.process.wait(timeout=30) == -signal.SIGKILL


def test_a_full_disk_costs_an_answer_and_no_promise(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("limits the files of another process: Linux only")
    import resource

    config, key = set_up(tmp_path)
    with running(config) as witness:
        assert_cosigned(witness.submit(submission(0, leaves(3))), 3, key)
        pid = witness.process.pid
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        full = (tmp_path / "witness.sqlite3-wal").stat().st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, unlimited[1]))

        reply = witness.submit(submission(3, leaves(7)))
        assert reply.status == 503
        assert "\u2014" not in reply.body

        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        assert witness.submit(submission(7, leaves(9))).body == "3\n"
        assert_cosigned(witness.submit(submission(3, leaves(7))), 7, key)


def test_a_stop_is_clean(tmp_path: Path) -> None:
    config, _ = set_up(tmp_path)
    for stop in (signal.SIGTERM, signal.SIGINT):
        with running(config) as witness:
            witness.process.send_signal(stop)
            assert witness.process.wait(timeout=30) == 0
            assert witness.process.stderr is not None
            assert witness.process.stderr.read() == ""


def test_it_listens_on_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    config, _ = set_up(tmp_path)
    config.write_text(SETTLED + ONE_LOG)

    assert (read_config(config).host, read_config(config).port) == ("127.0.0.1", 7380)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key = ", "cannot be read"),
        (SETTLED, r"add a \[\[log\]\]"),
        ('state = "w.sqlite3"\n' + ONE_LOG, "key is missing"),
        ('key = "witness.key"\n' + ONE_LOG, "state is missing"),
        ('key = "other.key"\nstate = "w"\n' + ONE_LOG, "cannot be read"),
        ('key = "log.key"\nstate = "w"\n' + ONE_LOG, "the key is a log's"),
        (SETTLED + "quiet = true\n" + ONE_LOG, "quiet is not a setting"),
        (SETTLED + 'listen = "7380"\n' + ONE_LOG, "not host:port"),
        (SETTLED + 'listen = "127.0.0.1:70000"\n' + ONE_LOG, "not host:port"),
        (SETTLED + ONE_LOG + ONE_LOG, "named twice"),
        (SETTLED + ONE_LOG + 'url = "x"\n', "nothing else"),
        (SETTLED + f'[[log]]\norigin = "{ORIGIN}"\nkeys = []\n', "has no keys"),
        (SETTLED + f'[[log]]\norigin = "{ORIGIN}"\nkeys = ["abc"]\n', "not a verifier key"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    config, _ = set_up(tmp_path)
    make_key_file(tmp_path / "log.key", name=ORIGIN, algorithm=LOG)
    config.write_text(text)

    with pytest.raises(SetUpWrong, match=message):
        read_config(config)


def test_a_cosigner_s_key_is_no_log_s(tmp_path: Path) -> None:
    config, key = set_up(tmp_path)
    config.write_text(SETTLED + f'[[log]]\norigin = "{ORIGIN}"\nkeys = ["{key.verifier}"]\n')

    with pytest.raises(SetUpWrong, match="a cosigner's, not the log's"):
        read_config(config)


def test_a_wrong_set_up_ends_the_program_with_its_reason(tmp_path: Path) -> None:
    config, _ = set_up(tmp_path)
    (tmp_path / "witness.sqlite3").write_text("not a database " * 100)

    run = subprocess.run(
        [*PLAIN, "--config", str(config)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    assert run.stderr.startswith("heliopolis-witness: the state file ")
    assert "Traceback" not in run.stderr


def assert_cosigned(reply: Reply, size: int, key: SigningKey) -> None:
    assert reply.status == 200, reply
    note = Note.parse(f"{checkpoint(leaves(size))}\n{reply.body}".encode())
    (found,) = note.verified([key.verifier])
    assert found.time is not None
    assert abs(found.time - time.time()) < 60
