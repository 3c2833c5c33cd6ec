"""Read notices in the order in which mails follow them: nobody can come in before one that was."""

from collections.abc import Collection
from typing import Final, NamedTuple

from django.db import connection

from marketplace.domain.notices import MailMode, Topic, modes_of
from marketplace.models import MailPreference, Notice
from marketplace.queries.notices import NoticeLine


class MailPosition(NamedTuple):
    """How far mails have come: a transaction and a notice of it."""

    transaction: int
    notice_id: int


class Waiting(NamedTuple):
    """A notice that was not looked at yet."""

    transaction: int
    notice_id: int
    participant_id: int
    kind: str
    timezone: str | None


# Numbers are given when a transaction first writes, rows are seen when it commits: what a running
# transaction could still come before waits for the next look.
_HORIZON: Final = "n.transaction_number < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_AFTER: Final = f"""
SELECT n.transaction_number, n.id, n.participant_id, n.kind, c.timezone
FROM marketplace_notice n JOIN marketplace_participant p ON p.id = n.participant_id
LEFT JOIN marketplace_community c ON c.id = p.community_id
WHERE (n.transaction_number, n.id) > (%s, %s) AND {_HORIZON}
ORDER BY n.transaction_number, n.id LIMIT %s
"""  # noqa: S608 - one constant in another
_NEWEST: Final = f"""
SELECT n.transaction_number, n.id FROM marketplace_notice n WHERE {_HORIZON}
ORDER BY n.transaction_number DESC, n.id DESC LIMIT 1
"""  # noqa: S608 - one constant in another
_OF_DIGEST: Final = f"""
SELECT n.id FROM marketplace_notice n
WHERE n.participant_id = ANY(%(participants)s) AND n.kind = ANY(%(kinds)s) AND n.read_at IS NULL
    AND (n.transaction_number, n.id) > (%(transaction)s, %(notice)s) AND {_HORIZON}
ORDER BY n.transaction_number, n.id LIMIT %(limit)s
"""  # noqa: S608 - one constant in another


def list_after(*, position: MailPosition, limit: int) -> list[Waiting]:
    """Return the notices after a position, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_AFTER, [*position, limit])
        return [Waiting(*row) for row in cursor.fetchall()]


def get_newest() -> MailPosition:
    """Return the position after all notices so far."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        row = cursor.fetchone()
    return MailPosition(*row) if row else MailPosition(0, 0)


def list_of_digest(
    *, participant_ids: Collection[int], kinds: Collection[str], after: MailPosition, limit: int
) -> list[int]:
    """Return the unread notices that a digest is about, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_DIGEST,
            {
                "participants": list(participant_ids),
                "kinds": list(kinds),
                "transaction": after.transaction,
                "notice": after.notice_id,
                "limit": limit,
            },
        )
        return [id_ for (id_,) in cursor.fetchall()]


def list_notices_of(*, notice_ids: Collection[int]) -> list[NoticeLine]:
    """Return some notices, oldest first."""
    return [
        NoticeLine(
            each.id,
            each.participant_id,
            each.kind,
            each.subject,
            each.at,
            each.read_at is not None,
        )
        for each in Notice.objects.filter(id__in=notice_ids).order_by("id")
    ]


def get_mail_choice(*, user_id: int) -> tuple[dict[Topic, MailMode], int]:
    """Return how a person wants each topic mailed, and every how many days a digest."""
    row = MailPreference.objects.filter(user=user_id).first()
    return (modes_of(row.modes), row.digest_days) if row else (modes_of({}), 1)
