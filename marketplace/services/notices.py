"""Tell participants what happened; joins the caller's transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime

from marketplace.domain.notices import NoticeKind
from marketplace.models import Notice


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
