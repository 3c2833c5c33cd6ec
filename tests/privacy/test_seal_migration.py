"""A database from before identity keys: its names and roles are sealed, not lost."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests import databases

BEFORE = "0004_sealed_intervals"
ROWS = """
INSERT INTO marketplace_user (id, email, password, language, is_superuser, first_name, last_name,
    is_staff, is_active, date_joined)
SELECT n, 'p' || n || '@heliopolis.example', '!', 'en', false, '', '', false, true, now()
FROM generate_series(1, 3) n;
INSERT INTO marketplace_participant (id, role, name) VALUES
    (7, 'household', 'Familie Müller'), (8, 'enterprise', '面包店'), (9, 'household', '');
INSERT INTO marketplace_membership (user_id, participant_id) VALUES (1, 7), (1, 8), (2, 8);
"""
READ = """
from marketplace.models import Participant, User
from marketplace.queries.identity import names_of
from marketplace.queries.pages import list_personas
print(names_of(Participant.objects.all()))
for user in User.objects.order_by("id"):
    print([(each.participant_id, each.name) for each in list_personas(user_id=user.pk)])
"""


@pytest.fixture
def old_database(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    name = f"{databases.worker_name()}_old"
    servers = databases.url_of(os.environ["DATABASE_OWNER_URL"], "postgres")
    databases.drop(name)
    with psycopg.connect(servers, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    urls = ("DATABASE_URL", "DATABASE_OWNER_URL")
    yield {
        **os.environ,
        **{each: databases.url_of(os.environ[each], name) for each in urls},
        "HELIOPOLIS_IDENTITY_KEYS": str(tmp_path / "identity"),
    }
    databases.drop(name)


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=databases.PROJECT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_what_stood_in_the_clear_is_sealed(old_database: Mapping[str, str]) -> None:
    manage(old_database, "migrate", "--verbosity=0", "--skip-checks", "marketplace", BEFORE)
    with psycopg.connect(old_database["DATABASE_OWNER_URL"]) as connection:
        connection.execute(ROWS)
    manage(old_database, "migrate", "--verbosity=0", "--skip-checks")
    assert manage(old_database, "shell", "--no-imports", "-c", READ).splitlines() == [
        "{7: 'Familie Müller', 8: '面包店', 9: ''}",
        "[(7, 'Familie Müller'), (8, '面包店')]",
        "[(8, '面包店')]",
        "[]",
    ]
