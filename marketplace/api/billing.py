"""Final statements over HTTP: a member's months, line by line."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import personas_of
from marketplace.domain.billing.lines import Line
from marketplace.domain.billing.month import read_month
from marketplace.errors import N_, Invalid
from marketplace.queries.billing import ItemLine, find_final, find_statement, list_items


class FinalItemOut(serializers.Serializer[Any]):
    """A line of a statement; an amount is positive when the member receives."""

    line = serializers.ChoiceField(choices=[each.name.lower() for each in Line])
    energy_wh = serializers.IntegerField()
    price_micro_per_kwh = serializers.IntegerField(
        allow_null=True, help_text="Null where prices varied."
    )
    amount_micro = serializers.IntegerField()
    corrected_interval = serializers.IntegerField(
        allow_null=True, help_text="The interval of a final month that it corrects."
    )
    corrected_from = serializers.DateTimeField(allow_null=True)


class FinalStatementOut(serializers.Serializer[Any]):
    """A member's statement of a final month."""

    participant_id = serializers.IntegerField()
    month = serializers.CharField()
    number = serializers.IntegerField(help_text="Of the run; without gaps in a community.")
    import_wh = serializers.IntegerField()
    export_wh = serializers.IntegerField()
    bought_wh = serializers.IntegerField()
    sold_wh = serializers.IntegerField()
    agreed_bought_wh = serializers.IntegerField()
    agreed_sold_wh = serializers.IntegerField()
    alone_micro = serializers.IntegerField(help_text="With the grid alone.")
    net_micro = serializers.IntegerField(help_text="What the transfers come to.")
    correction_micro = serializers.IntegerField()
    tax_micro = serializers.IntegerField(help_text="Shown apart; in no transfer.")
    carried_micro = serializers.IntegerField()
    payable_minor = serializers.IntegerField(help_text="In the currency's minor unit.")
    items = FinalItemOut(many=True)


class FinalStatementList(APIView):
    """Your final statements."""

    @extend_schema(
        parameters=[OpenApiParameter("month", str, required=True, description="`YYYY-MM`")],
        responses=FinalStatementOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the final statements of a month of the participants you act for."""
        month = read_month(request.query_params.get("month", ""))
        if month is None:
            raise Invalid("month", N_("Write a month as YYYY-MM."))
        found = []
        for persona in personas_of(request):
            if persona.place is None:
                continue
            run = find_final(community_id=persona.place.community_id, month=month)
            if run is None:
                continue
            one = find_statement(run_id=run.id, participant_id=persona.participant_id)
            if one is None:
                continue
            items = list_items(run_id=run.id, participant_id=persona.participant_id)
            written = {
                **asdict(one),
                "month": f"{month:%Y-%m}",
                "number": run.number,
                "items": [_item(each) for each in items],
            }
            found.append(written)
        return Response(FinalStatementOut(found, many=True).data)


def _item(item: ItemLine) -> dict[str, object]:
    return {
        "line": Line(item.line).name.lower(),
        "energy_wh": item.energy_wh,
        "price_micro_per_kwh": item.price_micro_per_kwh,
        "amount_micro": item.amount_micro,
        "corrected_interval": item.interval_id,
        "corrected_from": item.corrected_at,
    }
