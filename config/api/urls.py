"""Addresses below /api/: the API, its description, and an answer in its own form to all others."""

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import analytics, data_receipts, forecasts, receipts, rollups, what_ifs


@extend_schema(exclude=True)
class UnknownAddress(APIView):
    """Whatever is not an address of the API."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Say that nothing is here, whichever the method."""
        super().initial(request, *args, **kwargs)
        raise Http404

    def get(self, request: Request, **_: object) -> Response:
        """Never reached; makes the view one that reads."""
        raise Http404


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/rollups/", rollups.RollupList.as_view(), name="api_rollups"),
    path("v1/rollups/totals/", rollups.RollupTotals.as_view(), name="api_rollup_totals"),
    *(
        path(f"v1/analytics/{name}/", view.as_view(), name=f"api_analytics_{name}")
        for name, view in analytics.VIEWS.items()
    ),
    path("v1/analytics/what-ifs/", what_ifs.WhatIfList.as_view(), name="api_what_ifs"),
    path(
        "v1/analytics/what-ifs/<int:what_if_id>/",
        what_ifs.WhatIfDetail.as_view(),
        name="api_what_if",
    ),
    path("v1/open/", include("config.api.open.urls")),
    path("v1/forecasts/energy/", forecasts.EnergyForecast.as_view(), name="api_energy_forecast"),
    path("v1/forecasts/prices/", forecasts.PriceForecasts.as_view(), name="api_price_forecasts"),
    path(
        "v1/transfers/<int:transfer_id>/receipt",
        receipts.TransferReceipt.as_view(),
        name="api_transfer_receipt",
    ),
    path(
        "v1/data/deliveries/<int:delivery_id>/receipts",
        data_receipts.DeliveryReceipts.as_view(),
        name="api_data_delivery_receipts",
    ),
    path("v1/", include("marketplace.api.urls")),
    # Our own permission, since the package's default shows the description to everybody.
    path(
        "schema/",
        SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]),
        name="api_schema",
    ),
    # People read it, so that they are asked to sign in rather than told 401.
    path(
        "docs/",
        login_required(
            SpectacularSwaggerView.as_view(
                url_name="api_schema", permission_classes=[IsAuthenticated]
            )
        ),
        name="api_docs",
    ),
    re_path(r"", UnknownAddress.as_view(), name="api_unknown"),
]
