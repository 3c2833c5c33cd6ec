"""Health: what a probe sees."""

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.django_db
def test_ok_when_database_and_broker_answer() -> None:
    answer = Client().get("/healthz")
    log = {"booked": 0, "signed": 0, "attested": 0, "publishing": False}
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "log": log})


@pytest.mark.django_db
def test_unavailable_without_the_broker(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


@pytest.mark.django_db
def test_every_page_carries_the_policy() -> None:
    answer = Client().get("/accounts/sign-in")
    assert "script-src 'self';" in answer["Content-Security-Policy"]
    assert " style=" not in answer.content.decode()
