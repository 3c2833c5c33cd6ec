"""Move data matches along by what the ledger answered, and release what was never fetched.

The scan may run twice, late, or on two hosts: rows are claimed with SKIP LOCKED, and every update
names the state it starts from.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.domain.commands import TransferKind
from ledger.queries import get_answers
from marketplace.models import Hold, Kind, Match, Settlement
from marketplace.services.data_files import end_hold

SCAN_ROWS_MAX: Final = 1000
BOOKED, REFUSED = "booked", "refused"


@dataclass(frozen=True)
class Resolved:
    """How many matches moved on in one scan."""

    held: int
    refused: int
    settled: int
    released: int


def resolve_data_matches(*, now: datetime) -> Resolved:
    """Read the ledger's answers to holds and settlements, and release overdue holds."""
    held, refused = _resolve_holds()
    return Resolved(held, refused, _resolve_settlements(), _release_overdue(now))


@transaction.atomic
def _resolve_holds() -> tuple[int, int]:
    claimed = Hold.objects.select_for_update(skip_locked=True, no_key=True)
    waiting = list(claimed.filter(state=Hold.State.SUBMITTED).order_by("id")[:SCAN_ROWS_MAX])
    answers = get_answers(keys=[hold.command_key for hold in waiting])
    booked: list[int] = []
    refused: dict[str, list[int]] = defaultdict(list)
    for hold in waiting:
        answer = answers[hold.command_key]
        if answer.state == BOOKED:
            booked.append(hold.match_id)
        elif answer.state == REFUSED:
            refused[answer.refusal].append(hold.match_id)
    Hold.objects.filter(match_id__in=booked).update(state=Hold.State.HELD)
    matches = Match.objects.filter(kind=Kind.DATA, state=Match.State.MATCHED)
    held_count = matches.filter(id__in=booked).update(state=Match.State.HELD)
    refused_count = 0
    for why, match_ids in refused.items():
        Hold.objects.filter(match_id__in=match_ids).update(state=Hold.State.REFUSED, refusal=why)
        refused_count += matches.filter(id__in=match_ids).update(state=Match.State.REFUSED)
    return held_count, refused_count


@transaction.atomic
def _resolve_settlements() -> int:
    claimed = Settlement.objects.select_for_update(skip_locked=True, no_key=True)
    waiting = claimed.filter(kind=Kind.DATA, state=Settlement.State.SUBMITTED)
    match_ids = {
        key: match_id
        for key, match_id in waiting.order_by("id").values_list("command_key", "match_id")[
            :SCAN_ROWS_MAX
        ]
        if key is not None and match_id is not None
    }
    by_state: dict[str, list[int]] = defaultdict(list)
    for answer in get_answers(keys=list(match_ids)).values():
        by_state[answer.state].append(match_ids[answer.key])
    of_data = Settlement.objects.filter(kind=Kind.DATA)
    of_data.filter(match_id__in=by_state[BOOKED]).update(state=Settlement.State.BOOKED)
    # Never expected of a hold that is booked; it stays visible to the operator as refused.
    of_data.filter(match_id__in=by_state[REFUSED]).update(state=Settlement.State.REFUSED)
    # A released match stays released: its settlement only gave the money back.
    delivered = Match.objects.filter(kind=Kind.DATA, state=Match.State.DELIVERED)
    return delivered.filter(id__in=by_state[BOOKED]).update(state=Match.State.SETTLED)


@transaction.atomic
def _release_overdue(now: datetime) -> int:
    overdue = (
        Match.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("offer__participant", "request__participant")
        .filter(kind=Kind.DATA, state=Match.State.HELD, deadline_at__lte=now)
        .order_by("deadline_at")[:SCAN_ROWS_MAX]
    )
    count = 0
    for match in overdue:
        end_hold(match=match, kind=TransferKind.RELEASE, now=now)
        count += 1
    return count
