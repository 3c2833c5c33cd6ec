"""A hall's files in a folder of each test's own, and who sells and buys in the fair exchange."""

from pathlib import Path

import pytest
from pytest_django import Settings

from marketplace.models import Participant
from tests.data.exchanging import FUNDS_MICRO, Exchange, Trader, exchange, trader
from tests.data.trading import NOW

Role = Participant.Role


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Settings) -> Path:
    """Keep packages, uploads and the deposit key away from those of this checkout."""
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    return tmp_path / "data"


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of pages where no month ends and no deadline of a test has passed."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def ada(db: None) -> Trader:
    return trader("Ada", Role.DATA_PROVIDER)


@pytest.fixture
def ben(db: None) -> Trader:
    return trader("Ben", Role.ENTERPRISE, funds_micro=FUNDS_MICRO, has_own_key=True)


@pytest.fixture
def sold(ada: Trader, ben: Trader) -> Exchange:
    return exchange(ada, ben)
