"""Worlds that many tests begin with: built once a session, and every test has its own.

A world is a database beside the usual one, cloned for each worker. A test is inside one in a
transaction that is rolled back, as in the usual one; what it would otherwise build for itself
stands there already.
"""

import fcntl
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tests import databases

World = TypeVar("World")

# The connection of this worker to its clone, and what the builder returned.
_entered: dict[str, tuple[BaseDatabaseWrapper, bytes]] = {}


@contextmanager
def world(build: Callable[[], World]) -> Iterator[World]:
    """Be in the world that a function of no arguments builds, and leave it as it was.

    What the function returns is pickled, so that workers share it. Keys of people are files, which
    no transaction brings back: a test that erases somebody builds a world for itself.
    """
    name = f"{build.__module__}_{build.__name__}".rpartition(".")[2]
    if name not in _entered:
        _entered[name] = _enter_first(name, build)
    connection, returned = _entered[name]
    with _as_default(connection), _tests_transaction():
        try:
            yield pickle.loads(returned)  # noqa: S301 - what this session wrote
            if not connection.needs_rollback:
                connection.check_constraints()
        finally:
            transaction.set_rollback(True)


def _enter_first(name: str, build: Callable[[], World]) -> tuple[BaseDatabaseWrapper, bytes]:
    database, file = f"{databases.session_name()}_{name}", databases.session_folder() / name
    with (databases.session_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            databases.drop(database)  # half of one, of a builder that failed
            databases.clone_template(database)
            returned = pickle.dumps(_built(database, build))
            file.write_bytes(returned)
    copy = f"{databases.worker_name()}_{name}"
    databases.clone(database, copy)
    return _connection_to(copy), file.read_bytes()


def _built(database: str, build: Callable[[], World]) -> World:
    connection = _connection_to(database)
    try:
        with _as_default(connection), _tests_transaction():
            world = build()
            # As in a test, where nothing is ever committed.
            connection.run_on_commit = []
    finally:
        connection.close()
    return world


def _connection_to(database: str) -> BaseDatabaseWrapper:
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    connection.settings_dict = {**connection.settings_dict, "NAME": database}
    return connection


@contextmanager
def _as_default(connection: BaseDatabaseWrapper) -> Iterator[None]:
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


@contextmanager
def _tests_transaction() -> Iterator[None]:
    block = transaction.atomic()
    # As Django's TestCase does: services may still open what must be the outermost block.
    block._from_testcase = True  # type: ignore[attr-defined]  # Django keeps it from types
    with block:
        yield
