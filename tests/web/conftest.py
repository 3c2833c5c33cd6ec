from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.web.city import City, build_city
from tests.worlds import world


@pytest.fixture
def city(db: None) -> Iterator[City]:
    with world(settled_city) as city:
        yield city


def settled_city() -> City:
    with TemporaryDirectory() as folder:
        return build_city(Path(folder))
