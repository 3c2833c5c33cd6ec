"""Addresses below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from analytics.api import rollups

urlpatterns: list[URLPattern | URLResolver] = [
    path("rollups/", rollups.RollupList.as_view(), name="api_rollups"),
    path("rollups/totals/", rollups.RollupTotals.as_view(), name="api_rollup_totals"),
]
