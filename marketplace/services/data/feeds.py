"""Taking from a feed: one statement of the database judges a request and counts it.

Whoever takes shows a credential of a contract. In one look it must be known and not revoked, its
contract in force, the month's money held, and the month's cap not reached; only then both counts
go up, under the lock of the month's row. So neither a cap can be exceeded by many at once, nor
does a revoked credential open anything once its revocation is committed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from marketplace.domain.data.feed_meter import Answer, limits_of
from marketplace.models import DataCharge, DataContract, FeedUse
from marketplace.queries.data.feeds import text_of, use_of

_AGREED, _HELD, _OPENING = (
    int(DataContract.State.AGREED),
    int(DataCharge.State.HELD),
    int(DataCharge.State.OPENING),
)
# The commit is not waited for: of a database that crashes, the counts of the last moment are
# forgotten, at the seller's cost and never above the buyer's cap. Waiting for the disk with every
# request would cost several times the request. Money and keys are never written so.
_TAKE: Final = """
WITH asked AS MATERIALIZED (
    SELECT
        credential.id AS credential_id,
        credential.revoked_at,
        contract.id AS contract_id,
        contract.product_id,
        contract.state = %(agreed)s AND contract.valid_from <= %(now)s
            AND %(now)s < contract.valid_until AS is_in_force,
        charge.id AS charge_id,
        charge.state AS charge_state,
        entry.id AS use_id,
        entry.closed_at,
        file.sha256,
        file.fetched_at,
        CASE WHEN %(free)s OR file.sha256 = ANY(%(known)s::varchar[]) THEN 0
            ELSE file.record_count END AS added
    FROM marketplace_feedcredential credential
    JOIN marketplace_datacontract contract ON contract.id = credential.contract_id
    LEFT JOIN marketplace_datacharge charge
        ON charge.contract_id = contract.id
        AND charge.period_start <= %(now)s AND %(now)s < charge.period_end
    LEFT JOIN marketplace_feeduse entry ON entry.charge_id = charge.id
    LEFT JOIN marketplace_feedstate file
        ON file.product_id = contract.product_id AND file.name = %(name)s
    WHERE credential.secret_sha256 = %(secret)s
), counted AS (
    UPDATE marketplace_feeduse entry
    SET request_count = entry.request_count + 1,
        record_count = entry.record_count + asked.added,
        changed_at = %(now)s
    FROM asked
    WHERE entry.id = asked.use_id AND asked.product_id = %(product)s
        AND asked.revoked_at IS NULL AND asked.is_in_force AND asked.sha256 IS NOT NULL
        AND asked.charge_state = %(held)s AND entry.closed_at IS NULL
        AND (entry.request_limit IS NULL OR entry.request_count < entry.request_limit)
        AND (entry.record_limit IS NULL OR entry.record_count + asked.added <= entry.record_limit)
    RETURNING entry.id
)
SELECT asked.credential_id, asked.revoked_at, asked.contract_id, asked.product_id,
    asked.is_in_force, asked.charge_id, asked.charge_state, asked.use_id, asked.closed_at,
    asked.sha256, asked.fetched_at, asked.added,
    EXISTS (SELECT FROM counted), set_config('synchronous_commit', 'off', true)
FROM asked
"""


@dataclass(frozen=True)
class Taken:
    """What becomes of a request; of one that is answered, whose it is and which bytes it gets."""

    answer: Answer
    credential_id: int = 0
    contract_id: int = 0
    charge_id: int = 0
    record_count: int = 0
    sha256: str = ""
    fetched_at: datetime | None = None


def secret_hash(secret: str) -> str:
    """Return what is stored of a credential's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def take(
    *,
    secret_sha256: str,
    product_id: int,
    name: str,
    known: Sequence[str] = (),
    takes_records: bool = True,
    now: datetime,
) -> Taken:
    """Judge a request for a file of a feed, and count it if it is answered.

    Parameters
    ----------
    known : sequence of str
        SHA-256 of copies that the asker has; they cost a request, but no records.
    takes_records : bool
        False: only a request is counted, as for news of what changed.
    """
    arguments: dict[str, Any] = {
        "secret": secret_sha256,
        "product": product_id,
        "name": name,
        "known": list(known),
        "free": not takes_records,
        "now": now,
        "agreed": _AGREED,
        "held": _HELD,
    }
    row = _asked(arguments)
    if row is not None and row.answer is None:
        _open_use(charge_id=row.taken.charge_id, now=now)
        row = _asked(arguments)
    if row is not None and row.answer is Answer.CAP_REACHED:
        # Or the month was closed while this request waited for its row: then that is the answer.
        row = _asked(arguments)
    if row is None:
        return Taken(Answer.UNKNOWN_CREDENTIAL)
    if row.answer is Answer.SERVED and row.taken.sha256 in known:
        return replace(row.taken, answer=Answer.UNCHANGED)
    return row.taken


def give_back(*, taken: Taken, now: datetime) -> None:
    """Undo the count of a request that was to be answered and could not be, by the hall's fault."""
    FeedUse.objects.filter(charge=taken.charge_id, closed_at=None, request_count__gt=0).update(
        request_count=F("request_count") - 1,
        record_count=Greatest(F("record_count") - taken.record_count, 0),
        changed_at=now,
    )


@dataclass(frozen=True)
class _Row:
    answer: Answer | None  # None: the month has no row to count in yet
    taken: Taken


def _asked(arguments: dict[str, Any]) -> _Row | None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, arguments)
        found = cursor.fetchone()
    if found is None:
        return None
    asked = _Asked(*found)
    answer = _answer(asked, product_id=arguments["product"])
    taken = Taken(
        answer or Answer.CAP_REACHED,
        asked.credential_id,
        asked.contract_id,
        asked.charge_id or 0,
        asked.added or 0,
        asked.sha256 or "",
        asked.fetched_at,
    )
    return _Row(answer, taken)


class _Asked(NamedTuple):
    """A row of `_TAKE`."""

    credential_id: int
    revoked_at: datetime | None
    contract_id: int
    product_id: int
    is_in_force: bool
    charge_id: int | None
    charge_state: int | None
    use_id: int | None
    closed_at: datetime | None
    sha256: str | None
    fetched_at: datetime | None
    added: int | None
    is_counted: bool
    is_fast: str


def _answer(asked: _Asked, *, product_id: object) -> Answer | None:
    if asked.is_counted:
        return Answer.SERVED
    if asked.revoked_at is not None:
        return Answer.REVOKED
    if asked.product_id != product_id:
        return Answer.OTHER_FEED
    if not asked.is_in_force:
        return Answer.NOT_IN_FORCE
    if asked.charge_state == _OPENING:
        return Answer.PAYMENT_PENDING
    if asked.charge_state != _HELD or asked.closed_at is not None:
        return Answer.NOT_PAID
    if asked.sha256 is None:
        return Answer.NO_FILE
    return None if asked.use_id is None else Answer.CAP_REACHED


@transaction.atomic
def _open_use(*, charge_id: int, now: datetime) -> None:
    """Make the row in which a month is counted; twice, or by two at once, makes one."""
    open_use(charge=DataCharge.objects.select_related("contract").get(pk=charge_id), now=now)


def open_use(*, charge: DataCharge, now: datetime) -> FeedUse:
    """Return the row in which a charge's month is counted, with its limits; made if need be."""
    found = FeedUse.objects.filter(charge=charge).first()
    if found is not None:
        return found
    before = use_of(charge, requests=0, records=0, until=charge.period_end)
    limits = limits_of(
        text_of(charge.contract).price,
        taken_before=before.taken_before,
        is_trial=before.is_trial,
    )
    use, _ = FeedUse.objects.get_or_create(
        charge=charge,
        defaults={
            "request_limit": limits.requests,
            "record_limit": limits.records,
            "changed_at": now,
        },
    )
    return use
