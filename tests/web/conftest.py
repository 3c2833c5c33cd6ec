from pathlib import Path

import pytest
from pytest_django import Settings

from tests.web.city import City, build_city


@pytest.fixture
def city(db: None, tmp_path: Path, settings: Settings) -> City:
    # Seven passwords a city; a slow hash protects nobody here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return build_city(tmp_path)
