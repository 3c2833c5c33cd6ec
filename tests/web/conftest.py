from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.cache import cache
from django.test import override_settings

from tests.web.city import City, build_city
from tests.web.totals_city import build_totals_city
from tests.worlds import world


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Forget what pages kept in Redis: the database is taken back after each test, Redis is not."""
    cache.clear()


@pytest.fixture
def city(db: None) -> Iterator[City]:
    with world(settled_city) as city:
        yield city


def settled_city() -> City:
    with TemporaryDirectory() as folder:
        return build_city(Path(folder))


@pytest.fixture
def totals_city(db: None) -> Iterator[City]:
    with world(month_of_totals) as city:
        yield city


def month_of_totals() -> City:
    with TemporaryDirectory() as folder:
        files = Path(folder)
        with override_settings(DATA_FOLDER=files / "data", DATA_KEY_FILE=files / "data.key"):
            return build_totals_city(files)
