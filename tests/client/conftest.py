"""One served hall for the client's tests: its sellers, its buyer, its worker."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django.plugin import DjangoDbBlocker

from marketplace.models import Participant
from tests import databases
from tests.client.served import ServedHall, served_hall
from tests.data.exchanging import FUNDS_MICRO, Trader, book, trader
from tests.log.lying_operator import working_on


@dataclass(frozen=True)
class Market:
    """A hall and its traders: Ada sells in custody, Ann with her own key, Ben buys with his."""

    hall: ServedHall
    ada: Trader
    ann: Trader
    ben: Trader


@pytest.fixture(scope="module")
def market(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Market]:
    """Serve a hall on a database of its own."""
    folder, database = tmp_path_factory.mktemp("hall"), f"{databases.worker_name()}_client"
    databases.clone_template(database)
    env = {
        **os.environ,
        "DATABASE_URL": databases.url_of(os.environ["DATABASE_URL"], database),
    }
    with (
        django_db_blocker.unblock(),
        working_on(database, {}),
        served_hall(folder, env) as hall,
    ):
        role = Participant.Role
        made = Market(
            hall,
            trader("Ada", role.DATA_PROVIDER),
            trader("Ann", role.DATA_PROVIDER, has_own_key=True),
            trader("Ben", role.ENTERPRISE, funds_micro=20 * FUNDS_MICRO, has_own_key=True),
        )
        hall.keep_keys(made.ann, made.ben)
        book(hall.now)
        yield made
    databases.drop(database)
