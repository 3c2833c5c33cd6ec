"""Receipts over HTTP: the proof of a transfer of your own."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.log.receipts import found_receipt
from ledger.queries import list_transfers
from ledger.services.receipts import ReceiptState, get_transfer_receipt
from marketplace.api.asked import ID_MAX
from marketplace.api.callers import personas_of


class ReceiptOut(serializers.Serializer[Any]):
    """A receipt, or why there is none yet."""

    transfer_id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=[each.value for each in ReceiptState])
    block = serializers.IntegerField(allow_null=True)
    leaf_index = serializers.IntegerField(
        allow_null=True, help_text="Place of the transfer's entry in the log, from 0."
    )
    receipt = serializers.CharField(
        allow_null=True, help_text="A C2SP tlog-proof text, once the entry is attested."
    )


class TransferReceipt(APIView):
    """The receipt of a transfer."""

    @extend_schema(responses=ReceiptOut)
    def get(self, request: Request, transfer_id: int) -> Response:
        """Return the proof that a transfer of yours stands in the log."""
        own = [
            account
            for each in personas_of(request)
            for account in (each.energy_account_id, each.wallet_account_id)
            if account is not None
        ]
        if not 0 < transfer_id < ID_MAX:
            raise Http404
        found = list_transfers(account_ids=own, before_id=transfer_id + 1, limit=1)
        if not found or found[0].id != transfer_id:
            raise Http404
        receipt = found_receipt(lambda log: get_transfer_receipt(transfer_id=transfer_id, log=log))
        if receipt is None:
            raise Http404
        return Response(
            {
                "transfer_id": transfer_id,
                "state": receipt.state.value,
                "block": receipt.block,
                "leaf_index": receipt.index,
                "receipt": receipt.text or None,
            }
        )
