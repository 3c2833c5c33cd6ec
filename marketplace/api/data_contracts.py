"""Contracts of the data market over HTTP: drafted, signed here or by your own key, revoked."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import acting_as, own_ids, seat_of
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.data.contract import MONTHS_MAX, ContractRevocation, ContractText
from marketplace.domain.data.traders import BUYERS, SELLERS
from marketplace.domain.terms_document import PUBLIC_KEY_BYTES
from marketplace.errors import N_, Invalid, NotFound
from marketplace.queries.data.contracts import (
    BrokenContract,
    ContractLine,
    find_contract,
    list_contracts,
)
from marketplace.queries.signed_terms import get_key_in_use
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contract_ends import draft_revocation, revoke_contract
from marketplace.services.data.contracts import (
    accept_contract,
    close_proposal,
    propose_contract,
)
from marketplace.services.organisations import committing
from marketplace.services.signed_terms import use_hall_key, use_own_key

STATES = ("proposed", "agreed", "declined", "revoked", "ended")


class DraftIn(serializers.Serializer[Any]):
    """What you choose of a product; all else are its terms."""

    participant_id = serializers.IntegerField(
        required=False, help_text="Which of your buyers; the first one if absent."
    )
    product_id = serializers.IntegerField()
    months = serializers.IntegerField(default=12, min_value=1, max_value=MONTHS_MAX)
    cap_micro = serializers.IntegerField(
        default=None, allow_null=True, help_text="Of a metered feed: lower than the product's."
    )
    privacy_budget_micro_epsilon = serializers.IntegerField(default=0, min_value=0)
    version_number = serializers.IntegerField(
        default=None, allow_null=True, help_text="null: the newest."
    )
    answer_id = serializers.IntegerField(
        default=None, allow_null=True, help_text="An answer to a request of yours: its price."
    )


class ContractTextOut(serializers.Serializer[Any]):
    """A text to be signed, byte for byte as it stands."""

    body = serializers.CharField(help_text="Canonical JSON.")
    signed_by_hall = serializers.BooleanField(
        help_text="Whether the hall holds your key and signs where you send no signature."
    )


class SignatureIn(serializers.Serializer[Any]):
    """A signature of your own key; leave it out where the hall holds your key."""

    signature = serializers.CharField(
        default=None, allow_null=True, help_text="Ed25519 over the body, in base64."
    )


class ProposalIn(SignatureIn):
    """A drafted contract, signed."""

    participant_id = serializers.IntegerField(required=False)
    body = serializers.CharField(help_text="As drafted, not more than ten minutes ago.")


class RevocationIn(SignatureIn):
    """A revocation; without a body the hall writes it and signs."""

    body = serializers.CharField(default=None, allow_null=True)


class KeyIn(serializers.Serializer[Any]):
    """Who signs for you: a new key of your own, or the hall again."""

    participant_id = serializers.IntegerField(required=False)
    body = serializers.CharField(
        default=None,
        allow_null=True,
        help_text="The own-key text of docs/terms.md; null: the hall.",
    )
    signature = serializers.CharField(default=None, allow_null=True, help_text="By the new key.")


class KeyOut(serializers.Serializer[Any]):
    """The key that signs for you."""

    participant_id = serializers.IntegerField()
    public_key = serializers.CharField(allow_null=True, help_text="null: before the first text.")
    is_own = serializers.BooleanField()


class ContractOut(serializers.Serializer[Any]):
    """A contract as you see it, with the text that both sides sign."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=[(state, state) for state in STATES])
    side = serializers.ChoiceField(choices=[("seller", "seller"), ("buyer", "buyer")])
    waits_for_you = serializers.BooleanField()
    is_whole = serializers.BooleanField(
        help_text="false: the stored text is not what was signed; what it said is null."
    )
    product_id = serializers.IntegerField(allow_null=True)
    product_title = serializers.CharField()
    version_number = serializers.IntegerField(allow_null=True)
    manifest_sha256 = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    most_micro = serializers.IntegerField(
        allow_null=True, help_text="Of a file, or of a feed's month."
    )
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    proposed_at = serializers.DateTimeField()
    agreed_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    body = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField()
    log_key = serializers.CharField()
    is_logged = serializers.BooleanField()


class ContractDraft(APIView):
    """A contract that nobody has signed."""

    @extend_schema(request=DraftIn, responses=ContractTextOut)
    @idempotent
    def post(self, request: Request) -> Response:
        """Write the text by which you would buy; nothing is stored."""
        form = DraftIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = dict(form.validated_data)
        buyer_id = acting_as(request, BUYERS, asked.pop("participant_id", None))
        product_id, now = asked.pop("product_id"), timezone.now()
        text = draft_contract(
            product_id=product_id, buyer_id=buyer_id, choice=Choice(**asked), now=now
        )
        return Response(_text(text.body(), buyer_id))


class ContractList(APIView):
    """Your contracts."""

    @extend_schema(
        operation_id="data_contracts_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(ContractOut),
    )
    def get(self, request: Request) -> Response:
        """List your contracts as buyer and as seller, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_contracts(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            _body,
        )

    @extend_schema(request=ProposalIn, responses={201: ContractOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Propose a drafted contract to its seller, signed."""
        form = ProposalIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        buyer_id = acting_as(request, BUYERS, asked.get("participant_id"))
        text, now = ContractText.read(asked["body"].encode()), timezone.now()
        with committing(
            acts_as=seat_of(request, buyer_id),
            key=f"contract:{text.bound.contract}",
            amount_micro=text.whole_micro,
            now=now,
        ):
            made = propose_contract(
                text=text,
                participant_id=buyer_id,
                signature=_signature(asked["signature"]),
                now=now,
            )
        return Response(_body(_line(made.pk, [buyer_id])), status=status.HTTP_201_CREATED)


class ContractDetail(APIView):
    """One of your contracts."""

    @extend_schema(responses=ContractOut)
    def get(self, request: Request, contract_id: int) -> Response:
        """Return a contract with the text that both sides sign."""
        return Response(_body(_line(contract_id, own_ids(request))))


class ContractPolicy(APIView):
    """What a contract lets its buyer do."""

    @extend_schema(responses=dict)
    def get(self, request: Request, contract_id: int) -> Response:
        """Return the policy as an ODRL agreement."""
        return Response(_line(contract_id, own_ids(request)).text.odrl())


class ContractAccept(APIView):
    """The seller's signature."""

    @extend_schema(request=SignatureIn, responses=ContractOut)
    @idempotent
    def post(self, request: Request, contract_id: int) -> Response:
        """Sign a proposal that waits for you; what follows begins at once."""
        form = SignatureIn(data=request.data)
        form.is_valid(raise_exception=True)
        line = _own_line(request, contract_id)
        accept_contract(
            contract_id=contract_id,
            participant_id=_reader(line),
            signature=_signature(form.validated_data["signature"]),
            now=timezone.now(),
        )
        return Response(_body(_line(contract_id, [_reader(line)])))


class ContractClose(APIView):
    """No contract."""

    @extend_schema(request=None, responses=ContractOut)
    @idempotent
    def post(self, request: Request, contract_id: int) -> Response:
        """Withdraw your proposal, or decline another's."""
        reader = _reader(_own_line(request, contract_id))
        close_proposal(contract_id=contract_id, participant_id=reader, now=timezone.now())
        return Response(_body(_line(contract_id, [reader])))


class ContractRevocationView(APIView):
    """The end of a contract by one side."""

    @extend_schema(responses=ContractTextOut)
    def get(self, request: Request, contract_id: int) -> Response:
        """Write the text by which you would revoke; nothing is stored."""
        reader = _reader(_own_line(request, contract_id))
        text = draft_revocation(contract_id=contract_id, participant_id=reader, now=timezone.now())
        return Response(_text(text.body(), reader))

    @extend_schema(request=RevocationIn, responses=ContractOut)
    @idempotent
    def post(self, request: Request, contract_id: int) -> Response:
        """Revoke a contract at once, with the consequences that its text states."""
        form = RevocationIn(data=request.data)
        form.is_valid(raise_exception=True)
        reader, now = _reader(_own_line(request, contract_id)), timezone.now()
        body = form.validated_data["body"]
        revocation = (
            draft_revocation(contract_id=contract_id, participant_id=reader, now=now)
            if body is None
            else ContractRevocation.read(body.encode())
        )
        revoke_contract(
            contract_id=contract_id,
            participant_id=reader,
            revocation=revocation,
            signature=_signature(form.validated_data["signature"]),
            now=now,
        )
        return Response(_body(_line(contract_id, [reader])))


class SigningKeyView(APIView):
    """Who signs for you."""

    @extend_schema(responses=KeyOut)
    def get(self, request: Request) -> Response:
        """Return the key that signs for the first of your traders."""
        return Response(_key(acting_as(request, BUYERS | SELLERS, None)))

    @extend_schema(request=KeyIn, responses=KeyOut)
    @idempotent
    def post(self, request: Request) -> Response:
        """Sign with a key of your own from now on, or let the hall hold one again."""
        form = KeyIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked, now = form.validated_data, timezone.now()
        participant_id = acting_as(request, BUYERS | SELLERS, asked.get("participant_id"))
        if asked["body"] is None:
            use_hall_key(participant_id=participant_id, now=now)
        else:
            use_own_key(
                participant_id=participant_id,
                body=asked["body"].encode(),
                signature=_signature(asked["signature"]) or b"",
                now=now,
            )
        return Response(_key(participant_id))


def _text(body: bytes, participant_id: int) -> dict[str, Any]:
    key = get_key_in_use(participant_id=participant_id)
    values = {"body": body.decode(), "signed_by_hall": key is not None and not key.is_own}
    return dict(ContractTextOut(values).data)


def _key(participant_id: int) -> dict[str, Any]:
    key = get_key_in_use(participant_id=participant_id)
    values = {
        "participant_id": participant_id,
        "public_key": None if key is None else key.public_base64,
        "is_own": key is not None and key.is_own,
    }
    return dict(KeyOut(values).data)


def _signature(text: str | None) -> bytes | None:
    """Return a signature that was sent, None if none was."""
    if text is None:
        return None
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("signature", N_("Send 64 bytes in base64.")) from error
    if len(signature) != 2 * PUBLIC_KEY_BYTES:
        raise Invalid("signature", N_("Send 64 bytes in base64."))
    return signature


def _own_line(request: Request, contract_id: int) -> ContractLine:
    return _line(contract_id, own_ids(request))


def _line(contract_id: int, own: Sequence[int]) -> ContractLine:
    line = find_contract(contract_id=contract_id, participant_ids=own)
    if line is None:
        raise NotFound(N_("There is no such contract."))
    return line


def _reader(line: ContractLine) -> int:
    """Return whom the caller acts for in a contract."""
    if line.reader_id is None:
        raise PermissionDenied("Only the two sides sign a contract.")
    return line.reader_id


def _body(line: ContractLine | BrokenContract) -> dict[str, Any]:
    if isinstance(line, BrokenContract):
        unsaid = dict.fromkeys(map(str, ContractOut().fields))
        own = {"waits_for_you": False, "is_logged": False, "log_key": line.log_key}
        return dict(ContractOut({**unsaid, **vars(line), **own}).data)
    text = line.text
    values = {
        **vars(line),
        "waits_for_you": line.waits_for_me,
        "is_whole": True,
        "product_id": text.product_id,
        "version_number": text.version_number,
        "manifest_sha256": text.manifest_sha256,
        "currency": text.currency,
        "most_micro": text.most_micro,
        "valid_from": text.valid_from,
        "valid_until": text.valid_until,
        "body": text.body().decode(),
        "log_key": line.log_key,
    }
    return dict(ContractOut(values).data)
