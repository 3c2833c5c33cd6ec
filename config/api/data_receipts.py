"""Receipts of a delivery: that the log has its version, its contract and each step."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.log.receipts import found_receipt
from ledger.services.receipts import get_document_receipt
from marketplace.api.callers import own_ids
from marketplace.queries.data.deliveries import find_delivery


class DeliveryReceiptOut(serializers.Serializer[Any]):
    """The receipt of one document, or why there is none yet."""

    key = serializers.CharField(help_text="Of the document in the log.")
    state = serializers.CharField(
        help_text="As of any receipt; unknown: nobody handed it to the ledger."
    )
    receipt = serializers.CharField(
        allow_null=True, help_text="A C2SP tlog-proof text, once the entry is attested."
    )


class DeliveryReceipts(APIView):
    """What of a delivery stands in the log."""

    @extend_schema(responses=DeliveryReceiptOut(many=True))
    def get(self, request: Request, delivery_id: int) -> Response:
        """Return the proofs that version, contract and steps of your delivery are logged."""
        found = find_delivery(delivery_id=delivery_id, participant_ids=own_ids(request))
        if found is None:
            raise Http404
        return Response([_body(key, names) for key, names in found.documents.items()])


def _body(key: str, names: tuple[str, ...]) -> dict[str, Any]:
    receipt = found_receipt(lambda log: get_document_receipt(key=key, names=names, log=log))
    return {
        "key": key,
        "state": "unknown" if receipt is None else receipt.state.value,
        "receipt": None if receipt is None else receipt.text or None,
    }
