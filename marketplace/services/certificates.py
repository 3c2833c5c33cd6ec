"""Issue certificates for metered export, and bring them in line with corrections."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from marketplace.domain.certificates.bundles import Move, Moves, lay_out
from marketplace.domain.certificates.corrections import correct
from marketplace.models import (
    CertificateBundle,
    CertificateDebt,
    CertificateEvent,
    CertificateIssuance,
)
from marketplace.queries.certificates import (
    DueInterval,
    get_before,
    list_debts,
    list_exports,
    list_issued_before,
    list_sales,
    lock_due_intervals,
    targets_of,
)
from marketplace.services.certificate_store import (
    BundlePart,
    NewEvent,
    copy_bundles,
    owed_field,
    rearrange,
    record_event,
)

_ISSUING_LOCK = 0x6C  # with the community: any number, as long as nobody else locks it
State = CertificateBundle.State


@transaction.atomic
def issue_due_certificates(*, community_id: int, now: datetime, limit: int = 100) -> int:
    """Issue the certificates of booked intervals that have none, and correct what was corrected.

    All of it is one event with one document and one ledger command. Safe to repeat, late, or on
    two hosts at once: an interval's revision is issued for once, and one at a time issues in a
    community.

    Returns
    -------
    int
        How many intervals have their certificates now; 0 if none is due or somebody else is at it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_ISSUING_LOCK, community_id])
        if not cursor.fetchone()[0]:
            return 0
    due = lock_due_intervals(community_id=community_id, limit=limit)
    if not due:
        return 0
    ends = list_issued_before(interval_ids=[each.interval_id for each in due])
    again = [each for each in due if each.interval_id in ends]
    if again:
        # Alone: what one correction owes, the next issue has to know.
        _correct(again[0], ends[again[0].interval_id], community_id=community_id, now=now)
        return 1
    _issue(due, community_id=community_id, now=now)
    return len(due)


def _issue(due: Sequence[DueInterval], *, community_id: int, now: datetime) -> None:
    """Issue for intervals that have no certificates yet, all as one event."""
    ids = [each.interval_id for each in due]
    exports, sales = list_exports(interval_ids=ids), list_sales(interval_ids=ids)
    layout = lay_out(exports, sales, list_debts())
    repaid = [(interval, device, -wh) for interval, device, wh in layout.repaid]
    event = _record(layout.moves, repaid, community_id=community_id, now=now)
    copy_bundles(layout.bundles)
    CertificateIssuance.objects.bulk_create(
        CertificateIssuance(
            interval_id=each.interval_id,
            revision=each.revision,
            event=event if each.interval_id in layout.ends else None,
            end_wh=layout.ends.get(each.interval_id, 0),
        )
        for each in due
    )


def _correct(due: DueInterval, end_wh: int, *, community_id: int, now: datetime) -> None:
    """Bring the certificates of one interval in line with its latest revision."""
    ids = [due.interval_id]
    before = get_before(interval_id=due.interval_id, end_wh=end_wh)
    known = {each.device_id for each in before.bundles} | set(before.interval_debts)
    targets = targets_of(
        interval_id=due.interval_id,
        exports=list_exports(interval_ids=ids),
        sales=list_sales(interval_ids=ids),
        known_devices=known,
    )
    correction = correct(before, targets)
    owed = [(due.interval_id, device, wh) for device, wh in correction.debts.items()]
    moves = Moves.of_rows(correction.moves)
    event = _record(moves, owed, community_id=community_id, now=now)
    rearrange(
        [
            BundlePart(
                part.bundle_id,
                due.interval_id,
                part.device_id,
                part.holder_id,
                part.first_wh,
                part.last_wh,
                State.WITHDRAWN if part.is_withdrawn else State.ACTIVE,
            )
            for part in correction.parts
        ]
    )
    CertificateIssuance.objects.create(
        interval_id=due.interval_id, revision=due.revision, event=event, end_wh=correction.end_wh
    )


def _record(
    moves: Moves, owed: Sequence[tuple[int, int, int]], *, community_id: int, now: datetime
) -> CertificateEvent | None:
    """Record an issue with what devices owe more or less since; None if nothing changes.

    Parameters
    ----------
    moves : Moves
        What changes hands.
    owed : sequence of (int, int, int)
        Interval, device, Wh.
    community_id : int
        Where.
    now : datetime
        Time of submission.
    """
    if not len(moves) and not owed:
        return None
    event = record_event(
        NewEvent(
            kind=CertificateEvent.Kind.ISSUE,
            community_id=community_id,
            moves=moves,
            quantity_wh=int(moves.wh[moves.kinds == Move.ISSUED].sum()),
            private=owed_field([wh for _, _, wh in owed]),
        ),
        now=now,
    )
    CertificateDebt.objects.bulk_create(
        CertificateDebt(event=event, interval_id=interval, device_id=device, wh=wh)
        for interval, device, wh in owed
    )
    return event
