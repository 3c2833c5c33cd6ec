"""Publishing under kill -9 at each step, and under uploads that are large or break off."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from gate.manifest import Manifest
from gate.package import verify_package
from ledger.models import InboxCommand
from marketplace.models import DataUpload, DataVersion, Notice, User
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_version_key
from marketplace.services.data.version_work import work_waiting_versions
from marketplace.services.people import add_person, join
from tests.conftest import CommittedDatabase
from tests.data.publishing import ZIP_CODE, product_of, stations_csv, trips_csv, upload
from tests.data.trading import Trade, build_trade
from tests.databases import PROJECT

HERE = "marketplace.services.data"
# In the order in which they come: each life gets one step further than the one before.
DEATHS = (
    (f"{HERE}.raw_uploads", "check"),
    (f"{HERE}.gated_trips", "publish_trips"),  # the package is written, without its last chunk
    (f"{HERE}.gated_trips", "key_commitment"),  # it stands at its place
    (f"{HERE}.version_work", "submit"),  # ready and logged, and not committed
    (f"{HERE}.version_work", "_keep"),  # committed; the upload is still there
    (f"{HERE}.storage", "destroy_upload"),  # its file is gone, and not noted
)
MIB = 2**20
LARGE = 30 * MIB
FORM = (
    b'--heliopolis\r\nContent-Disposition: form-data; name="data"; filename="a.csv"\r\n\r\n',
    b"\r\n--heliopolis--\r\n",
)


@pytest.fixture
def trade(committed_db: CommittedDatabase, tmp_path: Path, settings: Settings) -> Trade:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    return build_trade()


def environment(database: CommittedDatabase, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return {
        **database.env,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "HELIOPOLIS_DATA_FOLDER": str(settings.DATA_FOLDER),
        "HELIOPOLIS_DATA_KEY": str(settings.DATA_KEY_FILE),
        "TMPDIR": str(tmp_path / "tmp"),
    }


def test_killed_at_each_step_a_version_is_published_once_and_nothing_can_be_read(
    trade: Trade, committed_db: CommittedDatabase, tmp_path: Path
) -> None:
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    upload(product_id, trade.alice, stations_csv(), role="stations")
    version_id = upload(product_id, trade.alice, trips_csv(), is_confirmed=True)

    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.publisher"],
        cwd=PROJECT,
        env=environment(committed_db, tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        packages = set()
        for death in DEATHS:
            process.stdin.write(json.dumps({"death": death}) + "\n")
            process.stdin.flush()
            assert int(process.stdout.readline()) == -signal.SIGKILL, death
            assert readable(tmp_path) == []
            packages |= {path.name.partition(".")[0] for path in folders_of_packages()}
    work_waiting_versions(now=timezone.now())

    version = DataVersion.objects.get(id=version_id)
    assert (version.state, version.refusal) == (DataVersion.State.READY, {})
    assert len(packages) >= 3  # never the same key twice
    assert [path.name for path in folders_of_packages()] == [version.package]
    manifest = Manifest.from_bytes(bytes(version.manifest or b""))
    with storage.package_path(version.package).open("rb") as file:
        verify_package(file, manifest.package, open_version_key(version))
    assert list(storage.quarantine_path("x").parent.iterdir()) == []
    assert not DataUpload.objects.exclude(sealed_key=None).exists()
    logged = InboxCommand.objects.filter(key__startswith="data-version:")
    assert [each.key for each in logged] == [f"data-version:{version_id}"]
    kinds = Notice.objects.order_by("id").values_list("kind", flat=True)
    assert sorted(kinds) == ["raw_deleted", "version_ready"]


def readable(folder: Path) -> list[Path]:
    """Return files in which a zip code of the raw trips can be read."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if ZIP_CODE in path.read_bytes()]


def folders_of_packages() -> list[Path]:
    folder = storage.package_path("x").parent.parent
    return list(folder.iterdir()) if folder.exists() else []


def test_a_large_upload_leaves_the_web_process_as_small_as_it_was(
    trade: Trade, committed_db: CommittedDatabase, tmp_path: Path
) -> None:
    user_id = add_person(email="alice@heliopolis.example", password="sunny-day-37")
    join(user_id=user_id, participant_id=trade.alice)
    alice = User.objects.get(id=user_id)
    token = Token.objects.create(user=alice).key
    client = Client()
    client.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    products = [product_of(trade.alice) for _ in range(4)]
    with web(committed_db, tmp_path) as (port, process):
        api = {"Authorization": f"Token {token}", "Content-Type": "application/octet-stream"}
        addresses = [f"/api/v1/data/products/{each}/uploads/" for each in products]
        # A body that breaks off leaves nothing: neither a version nor a file.
        with socket.create_connection(("127.0.0.1", port)) as line:
            lines = [f"POST {addresses[0]} HTTP/1.1", f"Content-Length: {LARGE}"]
            lines += [f"{name}: {value}" for name, value in {**api, "Host": "127.0.0.1"}.items()]
            line.sendall("\r\n".join([*lines, "", ""]).encode() + os.urandom(MIB))
        wait_until(lambda: not any(quarantined()) and not DataVersion.objects.exists())
        csrf = "c" * 32
        form = {
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; csrftoken={csrf}",
            "X-CSRFToken": csrf,
            "Content-Type": "multipart/form-data; boundary=heliopolis",
        }
        pages = [f"/market/products/{each}/upload" for each in products]
        for size, by_api, by_page in ((MIB, 0, 1), (LARGE, 2, 3)):
            before = peak_bytes(process)
            # The turn of the one that broke off may end a moment after what it left is gone.
            wait_until(partial(was_taken, port, addresses[by_api], api, size))
            assert post(port, pages[by_page], form, size, around=FORM) == 302
        # The first time, much is imported; a large one takes nothing more.
        grown = peak_bytes(process) - before
    assert grown < 8 * MIB
    sizes = DataUpload.objects.order_by("id").values_list("byte_count", flat=True)
    assert list(sizes) == [MIB, MIB, LARGE, LARGE]
    assert all(size > MIB for size in quarantined())


def quarantined() -> list[int]:
    """Return the sizes of the files in quarantine."""
    folder = storage.quarantine_path("x").parent
    return [path.stat().st_size for path in folder.iterdir()] if folder.exists() else []


def was_taken(port: int, address: str, headers: dict[str, str], size: int) -> bool:
    """Send a body; return whether it was taken in, or only has to wait for its turn."""
    status = post(port, address, headers, size)
    assert status in (201, 409)
    return status == 201


def post(
    port: int,
    address: str,
    headers: dict[str, str],
    size: int,
    *,
    around: tuple[bytes, bytes] = (b"", b""),
) -> int:
    """Send a body of so many bytes, in pieces, between two others; return the status."""
    head, tail = around
    length = str(len(head) + size + len(tail))
    body = [head, *(bytes(MIB) for _ in range(size // MIB)), tail]
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", address, iter(body), {**headers, "Content-Length": length})
        answer = connection.getresponse()
        answer.read()  # to its end: until then this upload has its provider's turn
        return answer.status


@contextmanager
def web(
    database: CommittedDatabase, tmp_path: Path
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a web server of one worker on the database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "2"]
    command += ["--log-level", "error", "--no-control-socket", "config.wsgi"]
    with subprocess.Popen(command, cwd=PROJECT, env=environment(database, tmp_path)) as process:
        try:
            wait_until(lambda: is_up(port))
            yield port, process
        finally:
            process.terminate()


def is_up(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/accounts/sign-in")
            return connection.getresponse().status == 200
    except OSError:
        return False


def peak_bytes(process: subprocess.Popen[bytes]) -> int:
    """Return the most memory that the server's worker has had resident."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [worker] = children
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) * 1024


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in 30 s")
