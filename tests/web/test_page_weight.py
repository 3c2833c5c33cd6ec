"""A household's page on a telephone: 150 kB at most, gzipped, with all its files; few queries."""

import gzip
import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.web.city import City, signed_in

LIMIT_BYTES = 150_000
COUNTS = json.loads(Path(__file__).with_name("query_counts.json").read_text())


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


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_a_page_asks_as_often_as_committed(city: City, name: str) -> None:
    """More queries than committed fail in review; fewer are committed as well."""
    path, person = name.split(" as ")
    path = path.format(community=city.community_id, **city.participant_ids)
    client = signed_in(person)
    client.get(path)  # remembers the persona in the session
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(path).status_code == 200
    assert len(queries) == COUNTS[name], [query["sql"][:120] for query in queries]
