"""Charges, disputes and invoices of the data market over HTTP; everybody sees their own."""

import base64
import binascii
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import acting_id, own_ids, personas_of
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.data.disputes import EVIDENCE_BYTES_MAX, TEXT_MAX, Reason
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import Participant
from marketplace.queries.data.charges import STATES, ChargeLine, find_charge, list_charges
from marketplace.queries.data.disputes import DisputeView, find_dispute, list_disputes
from marketplace.queries.data.invoices import InvoiceLine, list_invoices
from marketplace.services.data.charges import retry_charge
from marketplace.services.data.disputes import (
    answer_dispute,
    concede_dispute,
    decide_dispute,
    open_dispute,
    take_back_dispute,
)

CHARGE_STATES = [(state, state) for state in STATES.values()]
SIDES = (("seller", "seller"), ("buyer", "buyer"))


class ChargeOut(serializers.Serializer[Any]):
    """The money of a contract for its file or for one period of its feed. [micro]"""

    id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    number = serializers.IntegerField(help_text="0 for a file; of a feed, the period's.")
    side = serializers.ChoiceField(choices=SIDES)
    state = serializers.ChoiceField(choices=CHARGE_STATES)
    currency = serializers.CharField()
    held_micro = serializers.IntegerField(help_text="The most it may cost.")
    due_micro = serializers.IntegerField()
    credit_micro = serializers.IntegerField()
    refund_micro = serializers.IntegerField()
    refusal = serializers.CharField(help_text="Why the ledger refused to hold or move it.")
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    window_ends_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    dispute_id = serializers.IntegerField(allow_null=True)
    is_whole = serializers.BooleanField(help_text="false: the contract is not what was signed.")


class DisputeIn(serializers.Serializer[Any]):
    """A buyer's complaint."""

    reason = serializers.ChoiceField(choices=[(each.value, each.value) for each in Reason])
    statement = serializers.CharField(max_length=TEXT_MAX, default="", allow_blank=True)
    evidence = serializers.CharField(
        default=None,
        allow_null=True,
        help_text="With bad_chunk: the client's evidence file in base64.",
    )


class DisputeAnswerIn(serializers.Serializer[Any]):
    """The provider's side."""

    answer = serializers.CharField(max_length=TEXT_MAX)


class VerdictIn(serializers.Serializer[Any]):
    """The operator's decision."""

    refund_micro = serializers.IntegerField(min_value=0)
    verdict = serializers.CharField(max_length=TEXT_MAX)


class EvidenceOut(serializers.Serializer[Any]):
    """What the hall measured or logged."""

    kind = serializers.CharField()
    figures = serializers.DictField()
    sha256 = serializers.CharField()


class DataDisputeOut(serializers.Serializer[Any]):
    """A dispute as its parties and the operator see it."""

    id = serializers.IntegerField()
    charge_id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    statement = serializers.CharField()
    answer = serializers.CharField()
    verdict = serializers.CharField()
    evidence = EvidenceOut(many=True)
    opened_at = serializers.DateTimeField()
    answer_by = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    refund_micro = serializers.IntegerField(allow_null=True)
    net_micro = serializers.IntegerField(help_text="In escrow.")
    currency = serializers.CharField()


class DataInvoiceOut(serializers.Serializer[Any]):
    """An invoice or a credit note; its lines add up to its amount. [micro]"""

    id = serializers.IntegerField()
    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=[("invoice", "invoice"), ("credit_note", "credit_note")])
    side = serializers.ChoiceField(choices=SIDES)
    charge_id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    currency = serializers.CharField()
    amount_micro = serializers.IntegerField()
    lines = serializers.ListField(child=serializers.DictField())
    issued_at = serializers.DateTimeField()


class ChargeList(APIView):
    """Your charges."""

    @extend_schema(
        operation_id="data_charges_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(ChargeOut),
    )
    def get(self, request: Request) -> Response:
        """List what you pay and are paid for data, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_charges(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            _charge,
        )


class ChargeRetry(APIView):
    """The money of a feed's period, asked for again."""

    @extend_schema(request=None, responses=ChargeOut)
    @idempotent
    def post(self, request: Request, charge_id: int) -> Response:
        """Ask again for money that the wallet did not cover, after a deposit."""
        own = own_ids(request)
        retry_charge(charge_id=charge_id, participant_ids=own, now=timezone.now())
        line = find_charge(charge_id=charge_id, participant_ids=own)
        assert line is not None, charge_id  # it was theirs a moment ago
        return Response(_charge(line))


class ChargeDispute(APIView):
    """A dispute about a charge."""

    @extend_schema(request=DisputeIn, responses={201: DataDisputeOut})
    @idempotent
    def post(self, request: Request, charge_id: int) -> Response:
        """Open a dispute within the window: the money is frozen until it has ended."""
        form = DisputeIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        made = open_dispute(
            charge_id=charge_id,
            participant_ids=own_ids(request),
            reason=asked["reason"],
            statement=asked["statement"],
            chunk_evidence=_evidence(asked["evidence"]),
            now=timezone.now(),
        )
        return Response(_dispute(_view(request, made)), status=status.HTTP_201_CREATED)


class DisputeList(APIView):
    """Disputes that you are part of; the operator's are all."""

    @extend_schema(operation_id="data_disputes_list", responses=DataDisputeOut(many=True))
    def get(self, request: Request) -> Response:
        """List disputes, open ones first."""
        found = list_disputes(participant_ids=own_ids(request), is_operator=_is_operator(request))
        return Response([_dispute(view) for view in found])


class DisputeDetail(APIView):
    """One dispute."""

    @extend_schema(responses=DataDisputeOut)
    def get(self, request: Request, dispute_id: int) -> Response:
        """Return a dispute with its evidence."""
        return Response(_dispute(_view(request, dispute_id)))


class DisputeAnswer(APIView):
    """The provider's side."""

    @extend_schema(request=DisputeAnswerIn, responses=DataDisputeOut)
    @idempotent
    def post(self, request: Request, dispute_id: int) -> Response:
        """Answer a dispute about what you sold, once."""
        form = DisputeAnswerIn(data=request.data)
        form.is_valid(raise_exception=True)
        answer_dispute(
            dispute_id=dispute_id,
            participant_ids=own_ids(request),
            answer=form.validated_data["answer"],
            now=timezone.now(),
        )
        return Response(_dispute(_view(request, dispute_id)))


class DisputeConcession(APIView):
    """Everything back, by the provider's word."""

    @extend_schema(request=None, responses=DataDisputeOut)
    @idempotent
    def post(self, request: Request, dispute_id: int) -> Response:
        """Give the buyer everything back: the dispute ends, and nobody decides it."""
        concede_dispute(dispute_id=dispute_id, participant_ids=own_ids(request), now=timezone.now())
        return Response(_dispute(_view(request, dispute_id)))


class DisputeTakeBack(APIView):
    """No dispute any more."""

    @extend_schema(request=None, responses=DataDisputeOut)
    @idempotent
    def post(self, request: Request, dispute_id: int) -> Response:
        """Take your dispute back, for good: the money is paid when the window ends."""
        take_back_dispute(
            dispute_id=dispute_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return Response(_dispute(_view(request, dispute_id)))


class DisputeDecision(APIView):
    """The operator's verdict."""

    @extend_schema(request=VerdictIn, responses=DataDisputeOut)
    @idempotent
    def post(self, request: Request, dispute_id: int) -> Response:
        """Decide what the buyer gets back; operator only."""
        operator_id = acting_id(request, role=Participant.Role.OPERATOR)
        form = VerdictIn(data=request.data)
        form.is_valid(raise_exception=True)
        decide_dispute(
            dispute_id=dispute_id,
            operator_id=operator_id,
            own_ids=own_ids(request),
            **form.validated_data,
            now=timezone.now(),
        )
        return Response(_dispute(_view(request, dispute_id)))


class InvoiceList(APIView):
    """Your invoices and credit notes."""

    @extend_schema(
        operation_id="data_invoices_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(DataInvoiceOut),
    )
    def get(self, request: Request) -> Response:
        """List what you issued and received, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_invoices(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            _invoice,
        )


def _charge(line: ChargeLine) -> dict[str, Any]:
    return _fields(line, ChargeOut)


def _dispute(view: DisputeView) -> dict[str, Any]:
    return _fields(view, DataDisputeOut)


def _invoice(line: InvoiceLine) -> dict[str, Any]:
    return _fields(line, DataInvoiceOut)


def _fields(line: object, out: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    return {str(name): getattr(line, str(name)) for name in out().fields}


def _view(request: Request, dispute_id: int) -> DisputeView:
    view = find_dispute(
        dispute_id=dispute_id,
        participant_ids=own_ids(request),
        is_operator=_is_operator(request),
    )
    if view is None:
        raise NotFound(N_("There is no such dispute."))
    return view


def _is_operator(request: Request) -> bool:
    return any(each.role == Participant.Role.OPERATOR for each in personas_of(request))


def _evidence(text: str | None) -> bytes | None:
    if text is None:
        return None
    if len(text) > 2 * EVIDENCE_BYTES_MAX:
        raise Invalid("evidence", N_("This is no evidence file of heliopolis-client."))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Invalid("evidence", N_("The evidence file is sent in base64.")) from error
