"""Alice, Bob and Charlie, for every test of the data market."""

import pytest
from django.test import Client

from marketplace.models import Participant
from tests.data_files.people import FUNDS_MICRO, Person, person


@pytest.fixture
def alice(db: None) -> Person:
    return person("Alice", Participant.Role.DATA_PROVIDER)


@pytest.fixture
def bob(db: None) -> Person:
    return person("Bob", Participant.Role.ENTERPRISE, funds_micro=FUNDS_MICRO)


@pytest.fixture
def charlie(db: None) -> Person:
    return person("Charlie", Participant.Role.ENTERPRISE)


@pytest.fixture
def as_alice(alice: Person) -> Client:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: Person) -> Client:
    return signed_in(bob)


@pytest.fixture
def as_charlie(charlie: Person) -> Client:
    return signed_in(charlie)


def signed_in(someone: Person) -> Client:
    client = Client()
    client.force_login(someone.user, backend="django.contrib.auth.backends.ModelBackend")
    return client
