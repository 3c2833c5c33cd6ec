"""When commands were answered: in the time of their block."""

from collections.abc import Sequence
from datetime import datetime

from ledger.models import InboxCommand


def get_answer_times(*, keys: Sequence[str]) -> dict[str, datetime]:
    """Return the times of the blocks that answered commands, by key; one that waits is absent."""
    answered = InboxCommand.objects.filter(key__in=list(keys), block__isnull=False)
    return {
        key: at for key, at in answered.values_list("key", "block__booked_at") if at is not None
    }
