"""What a page weighs on its way, with all its files: 150 kB on a telephone, 500 kB to analyse."""

import gzip
import re
from pathlib import Path

from django.contrib.staticfiles import finders

from tests.web.city import City, signed_in

HOUSEHOLD_BYTES = 150_000
ANALYSIS_BYTES = 500_000


PAGES = [
    ("alice", "/household/{alice}/", HOUSEHOLD_BYTES),
    ("alice", "/household/{alice}/day/2026-06-15/", HOUSEHOLD_BYTES),
    ("alice", "/member/{alice}/statement/", HOUSEHOLD_BYTES),
    ("alice", "/member/{alice}/months/", HOUSEHOLD_BYTES),
    ("alice", "/member/{alice}/privacy/", HOUSEHOLD_BYTES),
    ("paul", "/planner/{paul}/", ANALYSIS_BYTES),
    ("paul", "/planner/{paul}/flows", ANALYSIS_BYTES),
    ("paul", "/planner/{paul}/prices", ANALYSIS_BYTES),
    ("olga", "/operator/{olga}/", ANALYSIS_BYTES),
]


def test_pages_are_light(city: City) -> None:
    for name, path, limit in PAGES:
        answer = signed_in(name).get(path.format(**city.participant_ids))
        assert answer.status_code == 200, path
        files = set(re.findall(rb'(?:href|src)="/static/([^"]+)"', answer.content))
        assert files, path
        weight = len(gzip.compress(answer.content))
        for each in files:
            found = finders.find(each.decode())
            assert isinstance(found, str), each
            # Files travel as they are; only pages are packed.
            weight += Path(found).stat().st_size
        assert weight < limit, path
        # Nothing is fetched from elsewhere.
        assert not re.search(
            rb'<(?:link|script|img)[^>]*(?:href|src)="(?:https?:)?//', answer.content
        )


def test_a_page_travels_packed_and_a_file_as_it_is(city: City) -> None:
    client = signed_in("alice")
    statement = f"/member/{city.participant_ids['alice']}/statement/"
    packed = client.get(statement, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert b"</html>" in gzip.decompress(packed.content)
    assert len(packed.content) < len(client.get(statement).content) / 2
    plain = client.get("/log/checkpoint", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
