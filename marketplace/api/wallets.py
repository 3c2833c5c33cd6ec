"""Wallets over HTTP: your own balances, and the operator's deposits."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.queries import get_balances, get_units
from marketplace.api.asked import reach_of
from marketplace.api.callers import acting_id, personas_of
from marketplace.api.idempotency import idempotent
from marketplace.models import Participant
from marketplace.queries.pages import find_persona
from marketplace.queries.reach import Reach
from marketplace.services.wallets import post_deposit

ROLE = Participant.Role


class WalletOut(serializers.Serializer[Any]):
    """A wallet as its holder sees it."""

    participant_id = serializers.IntegerField()
    currency = serializers.CharField()
    balance_micro = serializers.IntegerField()
    held_micro = serializers.IntegerField()
    available_micro = serializers.IntegerField()


class DepositIn(serializers.Serializer[Any]):
    """Money that came in at the bank."""

    participant_id = serializers.IntegerField()
    amount_micro = serializers.IntegerField(min_value=1)
    reference = serializers.CharField(max_length=100, help_text="The bank's, once per deposit.")


class DepositOut(serializers.Serializer[Any]):
    """The ledger command that books a deposit."""

    command_key = serializers.CharField()


class WalletList(APIView):
    """Your wallets."""

    @extend_schema(responses=WalletOut(many=True))
    def get(self, request: Request) -> Response:
        """List the wallets of the participants you act for."""
        wallets = {
            each.wallet_account_id: each.participant_id
            for each in personas_of(request)
            if each.wallet_account_id is not None
        }
        balances, units = get_balances(account_ids=wallets), get_units(account_ids=wallets)
        return Response(
            [
                {
                    "participant_id": participant_id,
                    "currency": units[account_id].partition("/")[0],
                    "balance_micro": balances[account_id].posted,
                    "held_micro": balances[account_id].pending_out,
                    "available_micro": balances[account_id].available,
                }
                for account_id, participant_id in wallets.items()
            ]
        )


class DepositList(APIView):
    """Money from the bank."""

    @extend_schema(request=DepositIn, responses={202: DepositOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Submit a deposit into a wallet. Operators only; the same reference counts once."""
        acting_id(request, role=ROLE.OPERATOR)
        form = DepositIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        _check_operates(reach_of(request), asked["participant_id"])
        key = post_deposit(
            participant_id=asked["participant_id"],
            amount_micro=asked["amount_micro"],
            reference=asked["reference"],
            now=timezone.now(),
        )
        return Response({"command_key": key}, status=status.HTTP_202_ACCEPTED)


def _check_operates(reach: Reach, participant_id: int) -> None:
    """Refuse money for participants outside of what one runs; the city's operator runs all."""
    if any(each.role == ROLE.OPERATOR and each.place is None for each in reach.personas):
        return
    found = find_persona(participant_id=participant_id)
    if found is None or found.place is None or found.place.community_id not in reach.operated:
        raise PermissionDenied("You operate no such participant's community.")
