"""Mails of notices: by preference, in the reader's language, one's own only, lost to no kill."""

import re
from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client

from config.notices.mails import send_due_mails
from marketplace.domain.notices import NoticeKind
from marketplace.models import NoticeMail, User
from marketplace.services import notice_mails
from marketplace.services.erasure import erase_subject, plan_erasure_of_person
from marketplace.services.notices import notify, notify_many
from marketplace.services.people import add_participant, add_person, join
from tests.conftest import CommittedDatabase
from tests.embedded.processes import wait_until
from tests.web.city import address

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
PEOPLE = {"alice": "en", "bob": "zh-hans", "charlie": "en"}


@pytest.fixture
def participants(committed_db: CommittedDatabase) -> dict[str, int]:
    """Alice and Bob act for Shared Works, each of the three for somebody of their own."""
    own = {name: add_participant(role="enterprise", name=name) for name in PEOPLE}
    own["shared"] = add_participant(role="enterprise", name="Shared Works")
    for name, language in PEOPLE.items():
        user_id = add_person(email=address(name), password="sunny-37", language=language)
        join(user_id=user_id, participant_id=own[name])
        if name != "charlie":
            join(user_id=user_id, participant_id=own["shared"])
    notice_mails.collect_mails(now=NOW)  # what was before is of no mail
    return own


def tell(participant_id: int, kind: NoticeKind, title: str, key: str = "1") -> None:
    notify(
        participant_id=participant_id,
        kind=kind,
        key=key,
        subject={"title": title, "contract": 7, "product": 3, "number": 2},
        now=NOW,
    )


def run(now: datetime) -> list[mail.EmailMessage]:
    """Collect and send as the task does, and return what was sent."""
    wait_until(_is_seen, seconds=120)
    before = len(mail.outbox)
    notice_mails.collect_mails(now=now)
    notice_mails.collect_digests(now=now)
    while send_due_mails(now=now):
        pass
    return mail.outbox[before:]


def _is_seen() -> bool:
    """Return whether nobody can come in before our notices: transactions of other tests end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(transaction_number), 0)"
            " < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM marketplace_notice"
        )
        (is_seen,) = cursor.fetchone()
    return bool(is_seen)


def test_what_waits_goes_at_once_the_rest_with_the_morning(participants: dict[str, int]) -> None:
    tell(participants["shared"], NoticeKind.CONTRACT_PROPOSED, "Flows")
    tell(participants["alice"], NoticeKind.SERVICE_BREACH, "Bikes")
    tell(participants["alice"], NoticeKind.VERSION_READY, "Counts")
    sent = {message.to[0]: message for message in run(NOW)}
    assert set(sent) == {address("alice"), address("bob")}
    assert sent[address("alice")].subject == "Heliopolis: A buyer proposes a contract for “Flows”."
    assert "/market/contracts/7" in sent[address("alice")].body
    assert "Bikes" not in sent[address("alice")].body
    assert re.search("[一-鿿]", str(sent[address("bob")].subject))
    assert run(NOW + timedelta(minutes=1)) == []

    [digest] = run(NOW + timedelta(days=1))
    assert digest.to == [address("alice")]
    assert "Bikes" in digest.body
    assert "Counts" in digest.body
    assert "Flows" not in digest.body
    assert run(NOW + timedelta(days=3)) == []
    assert NoticeMail.objects.count() == 0


def test_what_was_read_or_is_not_wanted_is_not_mailed(participants: dict[str, int]) -> None:
    clients = {}
    for name in ("alice", "bob"):
        clients[name] = Client()
        clients[name].force_login(
            User.objects.get(email=address(name)), "django.contrib.auth.backends.ModelBackend"
        )
    page = clients["bob"].get("/notices/mails")
    topics = re.findall(r'name="(\w+)" value="never"', page.content.decode())
    assert len(topics) > 10
    clients["bob"].post("/notices/mails", {**dict.fromkeys(topics, "never"), "digest_days": "1"})
    tell(participants["shared"], NoticeKind.CONTRACT_AGREED, "Flows")
    tell(participants["shared"], NoticeKind.SERVICE_BREACH, "Bikes")
    assert [message.to for message in run(NOW)] == [[address("alice")]]
    clients["alice"].get("/notices")
    assert run(NOW + timedelta(days=1)) == []


def test_the_link_of_a_mail_ends_them_for_whom_it_was_sent_to(
    participants: dict[str, int],
) -> None:
    tell(participants["shared"], NoticeKind.CONTRACT_AGREED, "Flows")
    sent = {message.to[0]: message for message in run(NOW)}
    link = sent[address("bob")].extra_headers["List-Unsubscribe"].strip("<>")
    path = re.sub(r"^https?://[^/]+", "", link)
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.get(path).status_code == 200  # a look alone ends nothing
    assert stranger.get(path[:-2] + "xx").status_code == 404
    tell(participants["shared"], NoticeKind.CONTRACT_REVOKED, "Flows")
    assert len(run(NOW)) == 2
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    tell(participants["shared"], NoticeKind.CONTRACT_DECLINED, "Flows")
    assert [message.to for message in run(NOW)] == [[address("alice")]]


def test_a_refusing_server_and_a_killed_sender_lose_nothing(
    participants: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(participants["charlie"], NoticeKind.CONTRACT_AGREED, "Flows\r\nBcc: all@example.org")
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> int:
            raise SMTPServerDisconnected("gone")

        patch.setattr(EmailBackend, "send_messages", refuse)
        assert run(NOW) == []
    notice_mails.claim_mails(now=NOW + timedelta(minutes=5))  # and its sender is killed
    assert run(NOW + timedelta(minutes=6)) == []
    [message] = run(NOW + timedelta(minutes=15))
    assert message.to == [address("charlie")]
    assert "\n" not in message.subject


def test_an_erasure_takes_the_mails_that_wait(participants: dict[str, int]) -> None:
    tell(participants["charlie"], NoticeKind.CONTRACT_AGREED, "Flows")
    notice_mails.collect_mails(now=NOW)
    assert b"Flows" not in bytes(NoticeMail.objects.get().sealed)
    erase_subject(plan=plan_erasure_of_person(email=address("charlie")), now=NOW)
    assert run(NOW) == []
    assert NoticeMail.objects.count() == 0


def test_many_are_told_in_one_statement_and_once(participants: dict[str, int]) -> None:
    for expected in (4, 0):
        told = notify_many(
            participant_ids=participants.values(),
            kind=NoticeKind.STATEMENT_FINAL,
            key="12",
            subject={"month": "2026-10-01"},
            now=NOW,
        )
        assert told == expected
    [alice, *_] = sorted(run(NOW + timedelta(days=1)) or run(NOW + timedelta(days=2)), key=str)
    assert "October 2026" in alice.body or "2026年10月" in alice.body
