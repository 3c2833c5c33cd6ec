"""The embedded servers: found again, side by side, and never left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from config.embedded import process, unprivileged
from config.embedded.pair import Pair
from config.embedded.postgres import ADMIN, APP, OWNER
from config.embedded.process import ServerFailed
from tests.embedded.processes import wait_until

PROJECT = Path(__file__).resolve().parents[2]


def test_data_is_found_again_after_a_restart(open_folder: Path) -> None:
    first = Pair(open_folder)
    first.start()
    with psycopg.connect(first.postgres.url(OWNER)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    Redis.from_url(first.valkey.url()).set("kept", "42")
    first.stop()

    second = Pair(open_folder)
    second.start()
    try:
        with psycopg.connect(second.postgres.url(OWNER)) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]
        with Redis.from_url(second.valkey.url()) as valkey:
            assert valkey.get("kept") == b"42"
    finally:
        second.stop()
    assert not second.postgres.is_running
    assert not second.valkey.is_running


def test_servers_are_durable_and_closed_to_strangers(open_folder: Path) -> None:
    pair = Pair(open_folder)
    pair.start()
    try:
        with psycopg.connect(pair.postgres.url(ADMIN)) as connection:
            shown = {
                name: connection.execute(f"SHOW {name}".encode()).fetchone()
                for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
            }
        wrong = pair.postgres.url(APP).replace(":", ":wrong", 2).replace("wrong//", "//")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with Redis.from_url(pair.valkey.url()) as valkey:
            settings = valkey.config_get("*")
    finally:
        pair.stop()

    assert shown == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "full_page_writes": ("on",),
        "listen_addresses": ("127.0.0.1",),
    }
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    for secret in ("pg/passwords.json", "valkey/password", "valkey/valkey.conf"):
        assert (open_folder / secret).stat().st_mode & 0o077 == 0


def test_the_application_owns_nothing(open_folder: Path) -> None:
    pair = Pair(open_folder, durable=False)
    pair.start()
    try:
        with (
            psycopg.connect(pair.postgres.url(APP)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE mine (id int)")
    finally:
        pair.stop()


def test_two_pairs_run_side_by_side(open_folder: Path) -> None:
    one, two = Pair(open_folder / "one", durable=False), Pair(open_folder / "two", durable=False)
    one.start()
    two.start()
    try:
        with psycopg.connect(one.postgres.url(OWNER)) as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        with psycopg.connect(two.postgres.url(OWNER)) as connection:
            found = connection.execute("SELECT to_regclass('only_here')").fetchone()
        assert found == (None,)
    finally:
        one.stop()
        two.stop()


def test_a_killed_postgres_comes_back_on_its_port_with_its_rows(open_folder: Path) -> None:
    pair = Pair(open_folder)
    pair.start()
    try:
        with psycopg.connect(pair.postgres.url(OWNER)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        url = pair.postgres.url(OWNER)
        os.kill(pair.postgres.pid, signal.SIGKILL)
        wait_until(lambda: not pair.postgres.is_running)

        pair.postgres.start()

        assert pair.postgres.url(OWNER) == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]
    finally:
        pair.stop()


def test_half_a_cluster_of_a_killed_start_is_made_anew(open_folder: Path) -> None:
    half = open_folder / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    pair = Pair(open_folder, durable=False)
    pair.start()
    pair.stop()

    assert (open_folder / "pg" / "data" / "PG_VERSION").exists()
    assert not half.exists()


def test_lost_passwords_are_a_clear_message(open_folder: Path) -> None:
    (open_folder / "pg" / "data").mkdir(parents=True)
    (open_folder / "pg" / "data" / "PG_VERSION").write_text("18\n")

    with pytest.raises(ServerFailed, match=r"passwords\.json is gone but its database is not"):
        Pair(open_folder).start()


def test_kill_9_of_the_parent_ends_both_servers(open_folder: Path) -> None:
    program = (
        "import json, sys, time\n"
        "from pathlib import Path\n"
        "from config.embedded.pair import Pair\n"
        "pair = Pair(Path(sys.argv[1]))\n"
        "pair.start()\n"
        "print(json.dumps([pair.postgres.pid, pair.valkey.pid]), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(open_folder)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = json.loads(parent.stdout.readline())
    parent.stdout.close()
    assert all(process.is_alive(pid) for pid in pids)

    parent.kill()
    parent.wait()

    wait_until(lambda: not any(process.is_alive(pid) for pid in pids), seconds=15)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_as_root_it_runs_as_nobody_where_others_can_enter(open_folder: Path) -> None:
    identity = unprivileged.choose_identity(open_folder / "pg")

    assert identity.user is not None
    assert identity.prefix == ()
    start_and_look(open_folder, owner=identity.user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_as_root_it_runs_in_a_user_name_space_where_others_cannot(open_folder: Path) -> None:
    open_folder.chmod(0o700)
    try:
        identity = unprivileged.choose_identity(open_folder / "pg")
    except ServerFailed as failure:
        pytest.skip(f"this system has no user name spaces: {failure}")

    assert identity.user is None
    assert identity.prefix[0] == "unshare"
    start_and_look(open_folder, owner=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_a_folder_that_opens_or_closes_keeps_its_data(open_folder: Path) -> None:
    start_and_look(open_folder, owner=unprivileged.choose_identity(open_folder / "pg").files_owner)
    open_folder.chmod(0o700)
    try:
        unprivileged.choose_identity(open_folder / "pg")
    except ServerFailed as failure:
        pytest.skip(f"this system has no user name spaces: {failure}")
    start_and_look(open_folder, owner=0)


def start_and_look(folder: Path, *, owner: int) -> None:
    pair = Pair(folder, durable=False)
    pair.start()
    try:
        assert (folder / "pg" / "data").stat().st_uid == owner
        with psycopg.connect(pair.postgres.url(APP)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (APP,)
    finally:
        pair.stop()


def test_a_stale_server_is_stopped_only_when_it_is_ours(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{stranger.pid}\n")
    try:
        process.reap_stale(pid_file, marker="/not/its/folder", stop_signal=signal.SIGTERM)
        time.sleep(0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
