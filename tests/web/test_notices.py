"""Notices: every kind has words and a place, one's own only, new until they were seen."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import get_resolver

from config.notices.words import TOPICS, WORDS
from marketplace.domain.notices import TOPIC_OF, NoticeKind, Topic
from marketplace.models import Notice, User
from marketplace.services.notices import notify
from marketplace.services.people import add_participant, join

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_every_kind_has_words_and_a_page_that_exists() -> None:
    assert set(WORDS) == set(NoticeKind) == set(TOPIC_OF)
    assert set(TOPICS) == set(Topic)
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert {words.page for words in WORDS.values() if words.page} <= names


@pytest.mark.django_db
def test_notices_are_ones_own_and_new_until_they_were_seen() -> None:
    clients = {}
    for name in ("alice", "bob"):
        participant_id = add_participant(role="enterprise", name=name)
        user = User.objects.create_user(email=f"{name}@heliopolis.example", password="sunny-37")
        join(user_id=user.pk, participant_id=participant_id)
        clients[name] = Client()
        clients[name].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        for _ in range(2):  # told twice, told once
            notify(
                participant_id=participant_id,
                kind=NoticeKind.DEMAND_MATCHED,
                key="1:2026-11",
                subject={"title": f"Flows of {name}", "product": 1},
                now=NOW,
            )
    assert Notice.objects.count() == 2
    assert "Notices (1)" in clients["alice"].get("/market/requests").content.decode()
    page = clients["alice"].get("/notices").content.decode()
    assert "Flows of alice" in page
    assert "Flows of bob" not in page
    assert "Notices (1)" not in clients["alice"].get("/market/requests").content.decode()
    assert "Notices (1)" in clients["bob"].get("/market/requests").content.decode()
