"""What a page weighs, gzipped and with all its files: 150 kB on a telephone, 500 kB to analyse."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.web.city import City, signed_in

HOUSEHOLD_BYTES = 150_000
ANALYSIS_BYTES = 500_000


@pytest.mark.parametrize(
    ("name", "path", "limit"),
    [
        ("alice", "/household/{alice}/", HOUSEHOLD_BYTES),
        ("alice", "/household/{alice}/day/2026-06-15/", HOUSEHOLD_BYTES),
        ("alice", "/member/{alice}/statement/", HOUSEHOLD_BYTES),
        ("alice", "/member/{alice}/months/", HOUSEHOLD_BYTES),
        ("alice", "/member/{alice}/privacy/", HOUSEHOLD_BYTES),
        ("paul", "/planner/{paul}/", ANALYSIS_BYTES),
        ("paul", "/planner/{paul}/flows", ANALYSIS_BYTES),
        ("paul", "/planner/{paul}/prices", ANALYSIS_BYTES),
        ("olga", "/operator/{olga}/", ANALYSIS_BYTES),
    ],
)
def test_a_page_is_light(city: City, name: str, path: str, limit: int) -> None:
    answer = signed_in(name).get(path.format(**city.participant_ids))
    assert answer.status_code == 200
    page = answer.content
    files = set(re.findall(rb'(?:href|src)="/static/([^"]+)"', page))
    weight = len(gzip.compress(page))
    for each in files:
        found = finders.find(each.decode())
        assert isinstance(found, str), each
        weight += len(gzip.compress(Path(found).read_bytes()))
    assert files
    assert weight < limit
    # Nothing is fetched from elsewhere.
    assert not re.search(rb'<(?:link|script|img)[^>]*(?:href|src)="(?:https?:)?//', page)
