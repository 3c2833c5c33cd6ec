"""Disputes: opened by the buyer within the window, answered by the seller, decided by the operator.

While one is open the seller's money stays in escrow; nothing but a verdict, the seller giving all
of it back, or the buyer taking the dispute back, moves it. A chunk that shows the seller's fault is
judged by the machine at once.
"""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.domain.documents import Document
from ledger.services import submit
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.disputes import (
    ANSWER_TIME,
    BY_MACHINE,
    CONCEDED,
    KEY_LOST,
    OF_FEEDS,
    OF_FILES,
    TEXT_MAX,
    Evidence,
    EvidenceKind,
    Reason,
    dispute_key,
    verdict_key,
)
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, ChargeClosed, DisputeClosed, Invalid, NotFound, RoleNotAllowed
from marketplace.models import DataCharge, DataDispute, Participant
from marketplace.queries.data.disputes import measured_evidence
from marketplace.services.data.charges import close_charge
from marketplace.services.data.evidence import Judged, judge_evidence
from marketplace.services.notices import notify

State = DataCharge.State
DOCUMENT_KIND: Final = "data-dispute"


@transaction.atomic
def open_dispute(
    *,
    charge_id: int,
    participant_ids: Collection[int],
    reason: str,
    statement: str,
    chunk_evidence: bytes | None = None,
    now: datetime,
) -> int:
    """Freeze a charge's money within its window, with what was measured as evidence.

    Parameters
    ----------
    reason : str
        A code of `Reason`.
    chunk_evidence : bytes, optional
        With ``bad_chunk``: the evidence file that the client wrote. It is judged at once; where it
        shows the seller's fault, the whole price goes back.

    Returns
    -------
    int
        The dispute's id.

    Raises
    ------
    NotFound
        If none of the participants is the charge's buyer.
    DisputeClosed
        If it is not in its window, or no money was paid for it.
    Invalid
        If reason, statement or evidence cannot be accepted.
    """
    charge = _locked_charge(charge_id)
    if charge is None or charge.contract.buyer_id not in participant_ids:
        raise NotFound(N_("There is no such charge of yours."))
    if (
        charge.state != State.IN_WINDOW
        or charge.window_ends_at is None
        or now >= charge.window_ends_at
    ):
        raise DisputeClosed(N_("This charge is not in its dispute window."))
    if charge.due_micro == charge.credit_micro:
        raise DisputeClosed(N_("Nothing was paid for this, so there is nothing to hold back."))
    if DataDispute.objects.filter(charge=charge).exists():
        raise DisputeClosed(N_("This charge was disputed before, and the dispute taken back."))
    text = ContractText.read(bytes(charge.contract.body))
    code = _checked_reason(reason, OF_FEEDS if text.kind == "feed" else OF_FILES)
    said = _checked_text("statement", statement, may_be_empty=code == Reason.BAD_CHUNK)
    evidence = list(measured_evidence(charge, text, now=now))
    judged = _judged(charge, chunk_evidence) if code == Reason.BAD_CHUNK else None
    if judged is not None:
        figures = {"verdict": judged.verdict.value}
        evidence.append(Evidence(EvidenceKind.CHUNK, figures, judged.sha256))
    dispute = DataDispute.objects.create(
        charge=charge,
        reason=code.value,
        statement=said,
        evidence=[each.document() for each in evidence],
        opened_at=now,
    )
    DataCharge.objects.filter(id=charge.id, state=State.IN_WINDOW).update(state=State.DISPUTED)
    charge.state = State.DISPUTED
    _log(opened_document(dispute, charge), dispute_key(dispute.pk), now=now)
    operators = Participant.objects.filter(role=Participant.Role.OPERATOR)
    for told in (charge.contract.seller_id, *operators.values_list("id", flat=True)):
        _tell(dispute, charge, told, NoticeKind.DISPUTE_OPENED, now=now)
    if judged is not None:
        _decide(
            dispute,
            charge,
            refund_micro=charge.due_micro - charge.credit_micro,
            verdict=f"{BY_MACHINE}{judged.verdict.value}",
            now=now,
        )
    return dispute.pk


@transaction.atomic
def answer_dispute(
    *, dispute_id: int, participant_ids: Collection[int], answer: str, now: datetime
) -> None:
    """Put the seller's side, once.

    Raises
    ------
    NotFound, DisputeClosed, Invalid
        If it is not of their sales, is decided or answered, or the text is empty or too long.
    """
    dispute, charge = _locked_dispute(dispute_id)
    if charge.contract.seller_id not in participant_ids:
        raise NotFound(N_("There is no such dispute of yours."))
    if dispute.state != DataDispute.State.OPEN or dispute.answered_at is not None:
        raise DisputeClosed(N_("This dispute was answered or decided."))
    dispute.answer, dispute.answered_at = _checked_text("answer", answer), now
    dispute.save(update_fields=["answer", "answered_at"])
    _tell(dispute, charge, charge.contract.buyer_id, NoticeKind.DISPUTE_ANSWERED, now=now)


@transaction.atomic
def take_back_dispute(*, dispute_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """End a dispute by its buyer's word: the window goes on, and where it is over money is paid.

    Raises
    ------
    NotFound, DisputeClosed
        If it is not of their purchases, or is decided.
    """
    dispute, charge = _locked_dispute(dispute_id)
    if charge.contract.buyer_id not in participant_ids:
        raise NotFound(N_("There is no such dispute of yours."))
    if dispute.state != DataDispute.State.OPEN:
        raise DisputeClosed(N_("This dispute has ended."))
    dispute.state, dispute.decided_at = DataDispute.State.TAKEN_BACK, now
    dispute.save(update_fields=["state", "decided_at"])
    DataCharge.objects.filter(id=charge.id, state=State.DISPUTED).update(state=State.IN_WINDOW)
    _log(ended_document(dispute, charge), verdict_key(dispute.pk), now=now)


@transaction.atomic
def decide_dispute(
    *,
    dispute_id: int,
    operator_id: int,
    own_ids: Collection[int] = (),
    refund_micro: int,
    verdict: str,
    now: datetime,
) -> None:
    """Give back all, a part or nothing, with the reasons; the rest is paid out.

    Parameters
    ----------
    own_ids : collection of int
        Everybody whom the person acts for who decides.

    Raises
    ------
    RoleNotAllowed
        If it is not the operator who decides, or a person who acts for one of the parties too.
    NotFound, DisputeClosed
        If there is no such dispute, it has ended, or the seller still has time to answer.
    Invalid
        If the refund is more than what is in escrow, or no reasons are given.
    """
    decides = Participant.objects.filter(id=operator_id, role=Participant.Role.OPERATOR)
    if not decides.exists():
        raise RoleNotAllowed(N_("Disputes are decided by the operator."))
    dispute, charge = _locked_dispute(dispute_id)
    if {charge.contract.buyer_id, charge.contract.seller_id} & set(own_ids):
        raise RoleNotAllowed(N_("Nobody decides a dispute of their own."))
    if dispute.state != DataDispute.State.OPEN:
        raise DisputeClosed(N_("This dispute has ended."))
    if dispute.answered_at is None and now < dispute.opened_at + ANSWER_TIME:
        raise DisputeClosed(
            N_("The provider has {days} days to answer; decide after that, or after the answer."),
            days=ANSWER_TIME.days,
        )
    most = charge.due_micro - charge.credit_micro
    if not 0 <= refund_micro <= most:
        raise Invalid(
            "refund_micro",
            N_("A refund lies in 0..{maximum} micro-units: what is in escrow."),
            maximum=most,
        )
    reasons = _checked_text("verdict", verdict)
    dispute.decided_by_id = operator_id
    _decide(dispute, charge, refund_micro=refund_micro, verdict=reasons, now=now)


@transaction.atomic
def concede_dispute(*, dispute_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """Give everything back by the seller's word: both sides agree, so nobody has to decide.

    Raises
    ------
    NotFound, DisputeClosed
        If it is not of their sales, or has ended.
    """
    dispute, charge = _locked_dispute(dispute_id)
    if charge.contract.seller_id not in participant_ids:
        raise NotFound(N_("There is no such dispute of yours."))
    if dispute.state != DataDispute.State.OPEN:
        raise DisputeClosed(N_("This dispute has ended."))
    whole = charge.due_micro - charge.credit_micro
    _decide(dispute, charge, refund_micro=whole, verdict=f"{BY_MACHINE}{CONCEDED}", now=now)


@transaction.atomic
def refund_undelivered(*, charge_id: int, now: datetime) -> None:
    """Give back all of a file whose key the hall cannot give out; that decides a dispute too.

    Raises
    ------
    ChargeClosed
        If its money is not in escrow.
    """
    charge = _locked_charge(charge_id)
    if charge is None or charge.state not in (State.IN_WINDOW, State.DISPUTED):
        raise ChargeClosed(N_("The money of this charge is not in escrow."))
    whole = charge.due_micro - charge.credit_micro
    dispute = DataDispute.objects.filter(charge=charge, state=DataDispute.State.OPEN).first()
    if dispute is None:
        close_charge(charge, refund_micro=whole, now=now)
    else:
        verdict = f"{BY_MACHINE}{KEY_LOST}"
        _decide(dispute, charge, refund_micro=whole, verdict=verdict, now=now)


def _decide(
    dispute: DataDispute, charge: DataCharge, *, refund_micro: int, verdict: str, now: datetime
) -> None:
    dispute.state, dispute.decided_at = DataDispute.State.DECIDED, now
    dispute.refund_micro, dispute.verdict = refund_micro, verdict
    dispute.save(update_fields=["state", "decided_at", "decided_by", "refund_micro", "verdict"])
    close_charge(charge, refund_micro=refund_micro, now=now)
    _log(ended_document(dispute, charge), verdict_key(dispute.pk), now=now)
    for participant_id in (charge.contract.buyer_id, charge.contract.seller_id):
        _tell(dispute, charge, participant_id, NoticeKind.DISPUTE_DECIDED, now=now)


def _judged(charge: DataCharge, body: bytes | None) -> Judged:
    """Return what evidence about a chunk shows, if it shows the seller's fault."""
    if not body:
        raise Invalid("evidence", N_("Add the evidence file that heliopolis-client wrote."))
    judged = judge_evidence(contract_id=charge.contract_id, body=body)
    if not judged.is_sellers_fault:
        raise Invalid(
            "evidence",
            N_("The evidence shows no fault of the provider: {code}."),
            code=judged.verdict.value,
        )
    return judged


def opened_document(dispute: DataDispute, charge: DataCharge) -> Document:
    """Return the document by which the log knows that a charge is disputed."""
    return Document(
        DOCUMENT_KIND,
        public={"step": "opened"},
        private={
            "contract": charge.contract.sha256,
            "charge": str(charge.number),
            "reason": dispute.reason,
            "statement": _sha256(dispute.statement),
            "evidence": _sha256(json.dumps(dispute.evidence, sort_keys=True)),
        },
    )


def ended_document(dispute: DataDispute, charge: DataCharge) -> Document:
    """Return the document by which the log knows how a dispute ended."""
    return Document(
        DOCUMENT_KIND,
        public={"step": "ended"},
        private={
            "contract": charge.contract.sha256,
            "charge": str(charge.number),
            "answer": _sha256(dispute.answer),
            "refund": "" if dispute.refund_micro is None else str(dispute.refund_micro),
            "verdict": _sha256(dispute.verdict),
        },
    )


def _log(document: Document, key: str, *, now: datetime) -> None:
    submit(commands=[document.command(key)], submitted_at=now)


def _tell(
    dispute: DataDispute,
    charge: DataCharge,
    participant_id: int,
    kind: NoticeKind,
    *,
    now: datetime,
) -> None:
    notify(
        participant_id=participant_id,
        kind=kind,
        key=f"dispute:{dispute.pk}",
        subject={"dispute": dispute.pk, "title": charge.contract.product.title},
        now=now,
    )


def _locked_charge(charge_id: int) -> DataCharge | None:
    return (
        DataCharge.objects.select_for_update(no_key=True, of=("self",))
        .select_related("contract__product")
        .filter(id=charge_id)
        .first()
    )


def _locked_dispute(dispute_id: int) -> tuple[DataDispute, DataCharge]:
    """Return a dispute and its charge; whoever changes either holds the charge."""
    of = DataDispute.objects.filter(id=dispute_id).values_list("charge", flat=True).first()
    charge = None if of is None else _locked_charge(of)
    if charge is None:
        raise NotFound(N_("There is no such dispute."))
    return DataDispute.objects.get(id=dispute_id), charge


def _checked_reason(reason: str, allowed: Collection[Reason]) -> Reason:
    if reason not in {each.value for each in allowed}:
        raise Invalid(
            "reason",
            N_("Write one of: {reasons}."),
            reasons=", ".join(each.value for each in allowed),
        )
    return Reason(reason)


def _checked_text(field: str, text: str, *, may_be_empty: bool = False) -> str:
    said = text.strip()
    if len(said) > TEXT_MAX or "\0" in said or not (said or may_be_empty):
        raise Invalid(field, N_("A text of 1 to {maximum} characters is needed."), maximum=TEXT_MAX)
    return said


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
