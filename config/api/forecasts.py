"""Forecasts over HTTP: a meter's surplus and demand for its owner, zone prices for members."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.domain.forecast import Method
from analytics.queries import SubjectForecast, find_energy_forecast, find_price_forecast
from marketplace.api.asked import asked_for, id_field, reach_of
from marketplace.queries.metering import find_metering_point
from marketplace.queries.pages_community import list_zone_names

METHODS = {Method.MIX: "mix", Method.LAST_DAY: "last_day", Method.LAST_WEEK: "last_week"}


class ExpectedOut(serializers.Serializer[Any]):
    """An interval; null where there is no past to look at."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    expected = serializers.IntegerField(allow_null=True)
    low = serializers.IntegerField(allow_null=True, help_text="One in ten came out lower.")
    high = serializers.IntegerField(allow_null=True, help_text="One in ten came out higher.")


class QualityOut(serializers.Serializer[Any]):
    """How a block of 24 hours was forecast, and how wrong such forecasts were when tried out."""

    starts_at = serializers.DateTimeField()
    method = serializers.ChoiceField(
        choices=list(METHODS.values()),
        help_text="last_day and last_week are the naive forecasts, used where nothing beat them.",
    )
    error = serializers.IntegerField(allow_null=True, help_text="Mean absolute error.")
    naive_error = serializers.IntegerField(
        allow_null=True, help_text="Of the better naive forecast, on the same intervals."
    )
    points = serializers.IntegerField(help_text="Intervals that the errors are means of.")


class ForecastOut(serializers.Serializer[Any]):
    """A forecast from where readings end. [Wh], of prices [micro/kWh]"""

    starts_at = serializers.DateTimeField()
    made_at = serializers.DateTimeField()
    interval_minutes = serializers.IntegerField()
    intervals = ExpectedOut(many=True)
    qualities = QualityOut(many=True)


class EnergyForecastOut(serializers.Serializer[Any]):
    """What a metering point is expected to send and to draw; null before the first forecast."""

    metering_point_id = serializers.IntegerField()
    export_wh = ForecastOut(allow_null=True)
    import_wh = ForecastOut(allow_null=True)


class PriceForecastOut(serializers.Serializer[Any]):
    """The prices expected in a zone; null before the first forecast."""

    zone_id = serializers.IntegerField()
    zone = serializers.CharField()
    price_micro_per_kwh = ForecastOut(allow_null=True)


class EnergyAsked(serializers.Serializer[Any]):
    """Of which meter."""

    metering_point = id_field("The metering point.", required=True)


class PricesAsked(serializers.Serializer[Any]):
    """Of which community."""

    community = id_field("The community.", required=True)


class EnergyForecast(APIView):
    """A metering point's forecast."""

    @extend_schema(parameters=[EnergyAsked], responses=EnergyForecastOut)
    def get(self, request: Request) -> Response:
        """Return what one of your metering points is expected to send and to draw."""
        point_id = asked_for(request, EnergyAsked)["metering_point"]
        if find_metering_point(reach=reach_of(request), metering_point_id=point_id) is None:
            raise Http404
        found = find_energy_forecast(metering_point_id=point_id)
        export, import_ = found if found is not None else (None, None)
        values = {
            "metering_point_id": point_id,
            "export_wh": _body(export),
            "import_wh": _body(import_),
        }
        return Response(EnergyForecastOut(values).data)


class PriceForecasts(APIView):
    """A community's price forecasts."""

    @extend_schema(parameters=[PricesAsked], responses=PriceForecastOut(many=True))
    def get(self, request: Request) -> Response:
        """Return the prices expected in each zone of a community you belong to or operate."""
        community_id = asked_for(request, PricesAsked)["community"]
        if community_id not in reach_of(request).current:
            raise Http404
        values = [
            {
                "zone_id": zone_id,
                "zone": name,
                "price_micro_per_kwh": _body(find_price_forecast(zone_id=zone_id)),
            }
            for zone_id, name in list_zone_names(community_id=community_id).items()
        ]
        return Response(PriceForecastOut(values, many=True).data)


def _body(forecast: SubjectForecast | None) -> dict[str, object] | None:
    if forecast is None:
        return None
    return {
        "starts_at": forecast.starts_at,
        "made_at": forecast.made_at,
        "interval_minutes": forecast.minutes,
        "intervals": forecast.intervals,
        "qualities": [
            {
                "starts_at": each.starts_at,
                "method": METHODS[each.method],
                "error": each.error,
                "naive_error": each.naive_error,
                "points": each.points,
            }
            for each in forecast.qualities
        ],
    }
