"""Tell participants what happened; joins the caller's transaction."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from marketplace.domain.notices import NoticeKind
from marketplace.models import Notice, Participant

_TELL = """
INSERT INTO marketplace_notice (participant_id, key, kind, subject, at)
SELECT id, %(key)s, %(kind)s, %(subject)s::jsonb || jsonb_build_object('participant', id), %(now)s
FROM unnest(%(participants)s::bigint[]) AS told(id)
ON CONFLICT (participant_id, key) DO NOTHING
"""


def notify(
    *,
    participant_id: int,
    kind: NoticeKind,
    key: str,
    subject: Mapping[str, object],
    now: datetime,
) -> None:
    """Tell a participant something, once.

    Parameters
    ----------
    key : str
        What makes the notice itself, e.g. ``version:12``; the same one again changes nothing.
    subject : mapping
        Names the words need (``title``, ``product``, ``contract`` …); never data of a third person.
    """
    Notice.objects.bulk_create(
        [
            Notice(
                participant_id=participant_id,
                key=f"{kind.value}:{key}",
                kind=kind.value,
                subject=dict(subject),
                at=now,
            )
        ],
        ignore_conflicts=True,
    )


def mark_read(*, participant_ids: Collection[int], up_to_id: int, now: datetime) -> None:
    """Note that somebody has seen all notices up to one."""
    Notice.objects.filter(
        participant__in=participant_ids, id__lte=up_to_id, read_at__isnull=True
    ).update(read_at=now)


def notify_many(
    *,
    participant_ids: Collection[int],
    kind: NoticeKind,
    key: str,
    subject: Mapping[str, object],
    now: datetime,
) -> int:
    """Tell many participants the same, each once, in one statement.

    ``subject`` gets the id of each as ``participant``.

    Returns
    -------
    int
        How many were not told before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TELL,
            {
                "participants": sorted(participant_ids),
                "kind": kind.value,
                "key": f"{kind.value}:{key}",
                "subject": json.dumps(dict(subject)),
                "now": now,
            },
        )
        told: int = cursor.rowcount
    return told


def notify_members(
    *, community_id: int, kind: NoticeKind, key: str, subject: Mapping[str, object], now: datetime
) -> int:
    """Tell all members of a community the same; return how many were not told before."""
    members = Participant.objects.filter(community=community_id, energy_account_id__isnull=False)
    return notify_many(
        participant_ids=list(members.values_list("id", flat=True)),
        kind=kind,
        key=key,
        subject=subject,
        now=now,
    )
