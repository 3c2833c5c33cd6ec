"""Credit lines: accounts that the margins of orders are held on, never overdrawn.

The line is what the participant may come to owe: the member's own limit, else the rule set's. It
stands in the ledger as a transfer from the community's margin account; another limit is a transfer
of the difference. Where less is granted while orders hold more, the ledger refuses it, and it is
asked for again with the next orders.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from django.db import transaction
from django.db.models import F

from ledger.domain.commands import Command, Transfers
from ledger.queries import get_answers
from ledger.services import open_accounts, submit
from marketplace.domain.transfer_codes import TransferCode
from marketplace.models import Community, CreditLine
from marketplace.services.places import money_unit

# Who has no limit gets this line: a billion of the currency.
UNLIMITED_MICRO: Final = 10**15
SCAN_ROWS_MAX: Final = 1000


@transaction.atomic
def grant_credit_lines(
    *, community: Community, limits_micro: Mapping[int, int | None], now: datetime
) -> dict[int, CreditLine]:
    """Bring the credit lines of participants to their limits; open those that are new.

    The caller holds the participants' rows, so that two changes of a line take turns. The ledger
    gets the change before any hold that the caller submits afterwards.

    Parameters
    ----------
    limits_micro : mapping of int to int or None
        Credit limit by participant; None: no limit. [micro]
    """
    _open_missing(community, list(limits_micro))
    lines = {
        line.participant_id: line
        for line in CreditLine.objects.select_for_update(no_key=True)
        .filter(participant__in=list(limits_micro))
        .order_by("participant")
    }
    changed = []
    for participant_id, limit in limits_micro.items():
        line = lines[participant_id]
        wanted = UNLIMITED_MICRO if limit is None else min(limit, UNLIMITED_MICRO)
        if line.pending_micro == 0 and line.line_micro != wanted:
            line.pending_micro = wanted - line.line_micro
            line.line_micro = wanted
            line.change_count += 1
            changed.append(line)
    submit(commands=[_change(line) for line in changed], submitted_at=now)
    CreditLine.objects.bulk_update(
        changed, ["pending_micro", "line_micro", "change_count"], batch_size=1000
    )
    return lines


def _open_missing(community: Community, participant_ids: Sequence[int]) -> None:
    known = CreditLine.objects.filter(participant__in=participant_ids)
    missing = sorted(set(participant_ids) - set(known.values_list("participant_id", flat=True)))
    if not missing:
        return
    unit = money_unit(community.currency)
    margin_path = f"community:{community.name}:margin"
    margin = open_accounts(paths=[margin_path], unit=unit)[margin_path]
    paths = {id_: f"participant:{id_}:credit" for id_ in missing}
    accounts = open_accounts(paths=list(paths.values()), unit=unit, overdraft_limit=0)
    CreditLine.objects.bulk_create(
        [
            CreditLine(participant_id=id_, account_id=accounts[path], margin_account_id=margin)
            for id_, path in paths.items()
        ],
        ignore_conflicts=True,
    )


def _change(line: CreditLine) -> Command:
    accounts = (line.margin_account_id, line.account_id)
    debit, credit = accounts if line.pending_micro > 0 else accounts[::-1]
    transfers = Transfers(
        debit=np.array([debit]),
        credit=np.array([credit]),
        amount=np.array([abs(line.pending_micro)], dtype=np.int64),
        code=np.array([TransferCode.CREDIT_LINE], dtype=np.int64),
    )
    return Command.of(_key(line), transfers)


def _key(line: CreditLine) -> str:
    return f"credit:{line.participant_id}:{line.change_count}"


@transaction.atomic
def note_credit_lines(*, limit: int = SCAN_ROWS_MAX) -> int:
    """Note what the ledger answered to changes of credit lines; return how many it answered."""
    waiting = list(
        CreditLine.objects.select_for_update(skip_locked=True, no_key=True)
        .exclude(pending_micro=0)
        .order_by("participant")[:limit]
    )
    answers = get_answers(keys=[_key(line) for line in waiting])
    states = {line.participant_id: answers[_key(line)].state for line in waiting}
    booked = [id_ for id_, state in states.items() if state == "booked"]
    refused = [id_ for id_, state in states.items() if state == "refused"]
    # What was refused is as if it had not been asked for.
    CreditLine.objects.filter(participant__in=refused).update(
        line_micro=F("line_micro") - F("pending_micro"), pending_micro=0
    )
    CreditLine.objects.filter(participant__in=booked).update(pending_micro=0)
    return len(booked) + len(refused)
