"""Mails of notices: collect what is due, hand it out to be sent, and note what was.

Collecting, claiming and noting are transactions of their own and follow from the tables, so that
any of it may run twice, late, or be killed. A mail whose sender dies between sending and noting is
sent again, under the same message id: a mail server offers no more than that.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from marketplace.domain.notices import MAIL_TRIES, MailMode, NoticeKind, kinds_mailed, modes_of
from marketplace.models import MailCursor, MailPreference, Membership, NoticeMail, User
from marketplace.queries.identity import MEMBERSHIPS, identity_keys
from marketplace.queries.mailed_notices import (
    MailPosition,
    Waiting,
    get_newest,
    list_after,
    list_of_digest,
)

MAILS: Final = "mails that wait"
LOOK_AT_ONCE: Final = 5_000
DIGEST_MOST: Final = 100
DIGEST_HOUR: Final = 7
CLAIM: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class DueMail:
    """A mail to send: to whom, and which notices it tells."""

    id: int
    user_id: int
    email: str
    language: str
    notice_ids: tuple[int, ...]
    is_digest: bool
    created_at: datetime


@transaction.atomic
def collect_mails(*, now: datetime) -> int:
    """Look at the notices since the last time: write the mails of those that go at once, and note
    who is due a digest.

    Returns
    -------
    int
        How many notices were looked at; fewer than `LOOK_AT_ONCE` means that nothing is left.
    """
    cursor = MailCursor.objects.select_for_update().filter(id=1).first()
    if cursor is None:
        # The first look: what was before has been seen, or is too old for a mail.
        newest = get_newest()
        MailCursor.objects.create(id=1, transaction=newest.transaction, notice_id=newest.notice_id)
        return 0
    before = MailPosition(cursor.transaction, cursor.notice_id)
    waiting = list_after(position=before, limit=LOOK_AT_ONCE)
    if not waiting:
        return 0
    acting = _people_of({each.participant_id for each in waiting})
    told: dict[int, list[Waiting]] = defaultdict(list)
    for each in waiting:
        for user_id in acting.get(each.participant_id, ()):
            told[user_id].append(each)
    people = User.objects.filter(pk__in=told, is_active=True).in_bulk()
    known = MailPreference.objects.in_bulk(list(people))
    mails: list[tuple[User, list[int]]] = []
    first_digests: list[MailPreference] = []
    due_digests: list[MailPreference] = []
    for user_id, notices in sorted(told.items()):
        if user_id not in people:
            continue
        preference = known.get(user_id)
        modes = modes_of(preference.modes if preference else {})
        at_once, digest = (
            kinds_mailed(modes, mode) for mode in (MailMode.AT_ONCE, MailMode.DIGEST)
        )
        now_ids = [each.notice_id for each in notices if NoticeKind(each.kind) in at_once]
        if now_ids:
            mails.append((people[user_id], now_ids))
        later = [each for each in notices if NoticeKind(each.kind) in digest]
        if later and (preference is None or preference.digest_due_at is None):
            row = preference or MailPreference(
                user_id=user_id,
                digest_transaction=before.transaction,
                digest_notice_id=before.notice_id,
            )
            row.digest_due_at = _next_digest(now, later[0].timezone, row.digest_days)
            (due_digests if preference else first_digests).append(row)
    _write(mails, is_digest=False, now=now)
    MailPreference.objects.bulk_create(first_digests, ignore_conflicts=True)
    MailPreference.objects.bulk_update(due_digests, ["digest_due_at"])
    cursor.transaction, cursor.notice_id = waiting[-1].transaction, waiting[-1].notice_id
    cursor.save()
    return len(waiting)


@transaction.atomic
def collect_digests(*, now: datetime, limit: int = 500) -> int:
    """Write the digests that are due; one without anything unread is none.

    Returns
    -------
    int
        How many people's turn it was.
    """
    due = list(
        MailPreference.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(digest_due_at__lte=now)
        .select_related("user")
        .order_by("digest_due_at")[:limit]
    )
    if not due:
        return 0
    newest = get_newest()
    acted_for = _acted_for([each.user for each in due])
    mails = []
    for each in due:
        ids = list_of_digest(
            participant_ids=acted_for.get(each.user_id, ()),
            kinds=kinds_mailed(modes_of(each.modes), MailMode.DIGEST),
            after=MailPosition(each.digest_transaction, each.digest_notice_id),
            limit=DIGEST_MOST,
        )
        if ids and each.user.is_active:
            mails.append((each.user, ids))
        each.digest_due_at = None
        each.digest_transaction, each.digest_notice_id = newest
    _write(mails, is_digest=True, now=now)
    MailPreference.objects.bulk_update(
        due, ["digest_due_at", "digest_transaction", "digest_notice_id"]
    )
    return len(due)


@transaction.atomic
def claim_mails(*, now: datetime, limit: int = 50) -> list[DueMail]:
    """Take mails to send; what is not noted as sent comes back after a while."""
    rows = list(
        NoticeMail.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(next_try_at__lte=now, try_count__lt=MAIL_TRIES)
        .select_related("user")
        .order_by("next_try_at", "id")[:limit]
    )
    keys = identity_keys().get(
        each.user.identity_slot for each in rows if each.user.identity_slot is not None
    )
    NoticeMail.objects.filter(id__in=[each.id for each in rows]).update(
        try_count=F("try_count") + 1, next_try_at=now + CLAIM
    )
    found = []
    for each in rows:
        key = keys.get(each.user.identity_slot) if each.user.identity_slot is not None else None
        if key is None:  # erased meanwhile: nobody can say what it was about
            each.delete()
            continue
        ids = json.loads(key.unseal(bytes(each.sealed), purpose=MAILS))
        found.append(
            DueMail(
                each.id,
                each.user_id,
                each.user.email,
                each.user.language,
                tuple(ids),
                each.is_digest,
                each.created_at,
            )
        )
    return found


def note_sent(*, mail_id: int) -> None:
    """Forget a mail that was sent."""
    NoticeMail.objects.filter(id=mail_id).delete()


def note_failed(*, mail_id: int, now: datetime) -> None:
    """Let a mail wait before the next try: longer each time, an hour at most.

    After the last try it waits for an operator; see `try_mails_again`.
    """
    row = NoticeMail.objects.filter(id=mail_id).first()
    if row is not None:
        wait = min(timedelta(minutes=2**row.try_count), timedelta(hours=1))
        due_at = now if row.try_count >= MAIL_TRIES else now + wait
        NoticeMail.objects.filter(id=mail_id).update(next_try_at=due_at)


def try_mails_again(*, now: datetime) -> int:
    """Let all mails that were given up be tried from the first time on; return how many."""
    given_up = NoticeMail.objects.filter(try_count__gte=MAIL_TRIES, next_try_at__lte=now)
    return given_up.update(try_count=0, next_try_at=now)


@transaction.atomic
def set_mail_preference(*, user_id: int, modes: Mapping[str, str], digest_days: int) -> None:
    """Remember what a person wants mailed, topic by topic."""
    chosen = {topic.value: mode.value for topic, mode in modes_of(modes).items()}
    newest = get_newest()
    preference, is_new = MailPreference.objects.select_for_update().get_or_create(
        user_id=user_id,
        defaults={
            "modes": chosen,
            "digest_days": digest_days,
            "digest_transaction": newest.transaction,
            "digest_notice_id": newest.notice_id,
        },
    )
    if not is_new:
        preference.modes, preference.digest_days = chosen, digest_days
        preference.save(update_fields=["modes", "digest_days"])


def _write(mails: Sequence[tuple[User, list[int]]], *, is_digest: bool, now: datetime) -> None:
    """Write mails, each sealed under the key of whom it goes to."""
    slots = {user.identity_slot for user, _ in mails if user.identity_slot is not None}
    keys = identity_keys().get(slots)
    NoticeMail.objects.bulk_create(
        NoticeMail(
            user=user,
            sealed=keys[user.identity_slot].seal(json.dumps(ids).encode(), purpose=MAILS),
            is_digest=is_digest,
            created_at=now,
            next_try_at=now,
        )
        for user, ids in mails
        if user.identity_slot in keys
    )


def _next_digest(now: datetime, timezone: str | None, days: int) -> datetime:
    """Return the next morning of the place, or of its next Monday."""
    local = now.astimezone(ZoneInfo(timezone or "UTC"))
    due = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    while due <= local or (days > 1 and due.weekday() != 0):
        due += timedelta(days=1)
    return due


def _people_of(participant_ids: Collection[int]) -> dict[int, list[int]]:
    """Return who acts for participants. Tags are made for everybody: 10,000 people take 0.1 s."""
    rows = Membership.objects.filter(participant__in=participant_ids)
    by_tag: dict[bytes, list[int]] = defaultdict(list)
    for tag, participant_id in rows.values_list("user_tag", "participant_id"):
        by_tag[bytes(tag)].append(participant_id)
    found: dict[int, list[int]] = defaultdict(list)
    for user_id, tag in _tags(User.objects.filter(identity_slot__isnull=False, is_active=True)):
        for participant_id in by_tag.get(tag, ()):
            found[participant_id].append(user_id)
    return found


def _acted_for(people: Iterable[User]) -> dict[int, list[int]]:
    """Return for whom people act."""
    users = {tag: user_id for user_id, tag in _tags(people)}
    found: dict[int, list[int]] = defaultdict(list)
    rows = Membership.objects.filter(user_tag__in=list(users))
    for tag, participant_id in rows.values_list("user_tag", "participant_id"):
        found[users[bytes(tag)]].append(participant_id)
    return found


def _tags(people: Iterable[User]) -> list[tuple[int, bytes]]:
    slots = {each.identity_slot: each.pk for each in people if each.identity_slot is not None}
    return [(slots[slot], key.tag(MEMBERSHIPS)) for slot, key in identity_keys().get(slots).items()]
