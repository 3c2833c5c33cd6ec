"""A household's page on a telephone: 150 kB at most, gzipped, with all its files."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.web.city import City, signed_in

LIMIT_BYTES = 150_000


@pytest.mark.parametrize("path", ["/household/{alice}/", "/member/{alice}/statement/"])
def test_a_household_page_is_light(city: City, path: str) -> None:
    page = signed_in("alice").get(path.format(**city.participant_ids)).content
    files = set(re.findall(rb'(?:href|src)="/static/([^"]+)"', page))
    weight = len(gzip.compress(page))
    for name in files:
        found = finders.find(name.decode())
        assert isinstance(found, str), name
        weight += len(gzip.compress(Path(found).read_bytes()))
    assert files
    assert weight < LIMIT_BYTES
    assert not re.search(rb'(?:href|src)="(?:https?:)?//', page)  # nothing from elsewhere
