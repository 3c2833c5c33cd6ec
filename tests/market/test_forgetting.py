"""Notices and looks are forgotten after their time, and never before their bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.utils import ProgrammingError

from config.settings import _days
from marketplace.domain.accesses import AccessKind
from marketplace.domain.notices import NoticeKind
from marketplace.models import Access, Notice
from marketplace.services.accesses import note_access
from marketplace.services.forgetting import forget_old_accesses, forget_old_notices
from marketplace.services.notices import notify
from marketplace.services.people import add_participant
from marketplace.tasks import prune_notices

AGES = (0, 89, 91, 364, 366, 1095, 1100)


def ages() -> tuple[list[int], list[int]]:
    """Return how old what is left is, notices and looks. [d]"""
    now = datetime.now(UTC)
    kept = Notice.objects.values_list("at", flat=True), Access.objects.values_list("first_at")
    return (
        sorted((now - at).days for at in kept[0]),
        sorted((now - at).days for (at,) in kept[1]),
    )


@pytest.mark.django_db
def test_what_is_old_goes_and_nothing_else() -> None:
    now = datetime.now(UTC)
    alice = add_participant(role="household", name="Alice")
    olga = add_participant(role="operator", name="Olga")
    for age in reversed(AGES):
        at = now - timedelta(days=age)
        notify(participant_id=alice, kind=NoticeKind.READING_GAP, key=str(age), subject={}, now=at)
        note_access(
            participant_ids=[alice],
            viewer_id=olga,
            viewer_role="operator",
            what=AccessKind.READINGS,
            now=at,
        )
    # Whatever the application asks for, and whatever it says the time is.
    assert forget_old_notices(now=now, kept=timedelta(days=400), at_once=1) == 1
    prune_notices()
    prune_notices()
    assert ages() == ([0, 89, 91, 364], [0, 89, 91, 364, 366, 1095])
    assert forget_old_notices(now=now + timedelta(days=9999), kept=timedelta(0)) == 2
    assert forget_old_accesses(now=now + timedelta(days=9999), kept=timedelta(0)) == 0
    assert ages() == ([0, 89], [0, 89, 91, 364, 366, 1095])
    for rows in (Notice.objects.all(), Access.objects.all()):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            rows._raw_delete(rows.db)


@pytest.mark.parametrize("text", ["1095", "three years", "1096.5", "-1", "٣٣٣٣"])
def test_a_period_is_a_number_of_days_and_not_too_short(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOPOLIS_KEEP_ACCESSES", text)
    with pytest.raises(ImproperlyConfigured, match=r"HELIOPOLIS_KEEP_ACCESSES is .* from 1096"):
        _days("HELIOPOLIS_KEEP_ACCESSES", 1096, 1096)
