"""A hall whose log is published: commands by name, files in a folder, everything in-process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from ledger.domain.notes import KeyType, Signer
from tests.conftest import CommittedDatabase
from tests.log.cosigners import Cosigners
from tests.log.hall import Hall


@pytest.fixture
def hall(committed_db: CommittedDatabase, tmp_path: Path, settings: Settings) -> Iterator[Hall]:
    """Return an empty hall with a key, a folder and no policy: the log alone attests."""
    settings.LOG_FOLDER = tmp_path / "publication"
    settings.LOG_KEY_FILE = tmp_path / "log.key"
    settings.LOG_POLICY_FILE = tmp_path / "policy"
    signer = Signer.generate("hall.example/log", KeyType.LOG)
    settings.LOG_KEY_FILE.write_text(signer.secret_text() + "\n")
    settings.LOG_KEY_FILE.chmod(0o600)
    places = {
        "HELIOPOLIS_LOG_FOLDER": str(settings.LOG_FOLDER),
        "HELIOPOLIS_LOG_KEY": str(settings.LOG_KEY_FILE),
        "HELIOPOLIS_LOG_POLICY": str(settings.LOG_POLICY_FILE),
    }
    hall = Hall(replace(committed_db, env={**committed_db.env, **places}), tmp_path, signer)
    yield hall
    hall.close()


@pytest.fixture
def cosigners(hall: Hall) -> Iterator[Cosigners]:
    cosigners = Cosigners(hall)
    yield cosigners
    for server in cosigners.servers:
        server.stop()
