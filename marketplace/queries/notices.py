"""Read what participants were told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.models import Notice


@dataclass(frozen=True)
class NoticeLine:
    """One notice as its participant sees it."""

    id: int
    participant_id: int
    kind: str
    subject: Mapping[str, Any]
    at: datetime
    is_read: bool


def list_notices(
    *, participant_ids: Collection[int], before_id: int | None = None, limit: int = 50
) -> list[NoticeLine]:
    """Return the newest notices to any of these participants, before an id if given."""
    found = Notice.objects.filter(participant__in=participant_ids)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    return [_line(each) for each in found.order_by("-id")[:limit]]


def list_unread(*, participant_id: int, limit: int) -> list[NoticeLine]:
    """Return the newest notices to a participant that nobody has looked at."""
    found = Notice.objects.filter(participant=participant_id, read_at__isnull=True)
    return [_line(each) for each in found.order_by("-id")[:limit]]


def count_unread(*, participant_ids: Collection[int]) -> int:
    """Return how many notices nobody has looked at."""
    return Notice.objects.filter(participant__in=participant_ids, read_at__isnull=True).count()


def _line(notice: Notice) -> NoticeLine:
    return NoticeLine(
        notice.id,
        notice.participant_id,
        notice.kind,
        notice.subject,
        notice.at,
        notice.read_at is not None,
    )
