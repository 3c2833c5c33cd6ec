"""Fixtures of all tests: the application's role on real servers, never a flush, never a mock."""

import gc
import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client, TestCase, TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as properties
from whitenoise.middleware import WhiteNoiseMiddleware

from tests import databases

# No test asserts a time, so properties have none either; what CI draws is the same every time.
properties.register_profile(
    "heliopolis",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
properties.load_profile("heliopolis")

_numbers = itertools.count(1)
_NO_FLUSH = (
    "the application's role may not truncate, so a test cannot flush the database:"
    " use the committed_db fixture instead of transaction=True, TransactionTestCase or live_server"
)


@dataclass(frozen=True)
class CommittedDatabase:
    """A database of one test, in which commits are real."""

    name: str
    app_url: str
    owner_url: str
    env: Mapping[str, str]

    def manage(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command of ``manage.py`` on this database, in a process of its own."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=databases.PROJECT,
            env=dict(self.env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    settings.PASSWORD_HASHERS = ["tests.passwords.QuickHasher"]


@pytest.fixture(scope="session", autouse=True)
def static_files_once() -> Iterator[None]:
    """Look for the static files once: each Client would, which takes longer than most pages."""
    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def remember(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_sign_in() -> Iterator[None]:
    """Sign people in by a session alone: a test that is about signing in fills in the form."""

    def sign_in(client: Client, user: Any, backend: str | None = None) -> None:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = backend or "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "force_login", sign_in)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Use a clone of the migrated template, instead of what pytest-django would make."""
    name = databases.worker_name()
    databases.clone_template(name)
    yield
    with django_db_blocker.unblock():
        connection.close()
    databases.drop(name)


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[CommittedDatabase]:
    """Switch to a fresh database for one test that needs commits, threads or processes."""
    usual = databases.worker_name()
    name = f"{usual}_{next(_numbers)}"
    databases.clone_template(name)
    urls = {
        variable: databases.url_of(os.environ[variable], name)
        for variable in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    with django_db_blocker.unblock():
        _switch(name)
        try:
            yield CommittedDatabase(
                name=name,
                app_url=urls["DATABASE_URL"],
                owner_url=urls["DATABASE_OWNER_URL"],
                env={**os.environ, **urls},
            )
        finally:
            _switch(usual)
    databases.drop(name)


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real data, or skip the test and say so."""
    folder = os.environ.get("HELIOPOLIS_REAL_DATA")
    if not folder:
        pytest.skip("no real data: HELIOPOLIS_REAL_DATA is not set")
    if not Path(folder).is_dir():
        pytest.fail(f"HELIOPOLIS_REAL_DATA={folder} is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def make_open_folder() -> Iterator[Callable[[], Path]]:
    """Make folders that PostgreSQL's user can enter: pytest's own are closed to all but root."""
    with ExitStack() as stack:

        def make() -> Path:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="heliopolis-")))
            folder.chmod(0o755)
            return folder

        yield make


@pytest.fixture
def open_folder(make_open_folder: Callable[[], Path]) -> Path:
    """Return a folder for embedded servers of one test."""
    return make_open_folder()


@pytest.fixture
def fresh_state(open_folder: Path) -> dict[str, str]:
    """Return an environment in which ``manage.py`` starts servers of its own, empty ones."""
    return environment_of(open_folder)


def environment_of(folder: Path) -> dict[str, str]:
    """Return an environment with the servers of a folder, and none that are named."""
    named = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "HELIOPOLIS_SECRET_KEY", "PORT")
    environment = {name: value for name, value in os.environ.items() if name not in named}
    return {**environment, "HELIOPOLIS_STATE": str(folder / "state")}


@pytest.fixture
def transactional_db() -> None:
    """Refuse what live_server and transaction=True are made of."""
    pytest.fail(_NO_FLUSH)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let every other worker load the modules of the whole suite from their end.

    Where nothing is compiled yet, which takes longer than loading it, each compiles one half.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if int(worker.removeprefix("gw")) % 2 == 0 or session.config.args != ["tests"]:
        return
    for file in sorted(Path(__file__).parent.rglob("test_*.py"), reverse=True):
        name = ".".join(file.relative_to(databases.PROJECT).with_suffix("").parts)
        with suppress(Exception):  # whoever collects it says what is wrong
            importlib.import_module(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, not in a million objects that stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("django_db")
        kind = getattr(item, "cls", None) or object
        flushes = issubclass(kind, TransactionTestCase) and not issubclass(kind, TestCase)
        if flushes or (marker is not None and (marker.kwargs.get("transaction") or marker.args)):
            raise pytest.UsageError(f"{item.nodeid}: {_NO_FLUSH}")


def _switch(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
