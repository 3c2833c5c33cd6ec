"""Addresses of live feeds below /api/v1/data/feeds/."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import data_feeds as views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.FeedList.as_view(), name="api_data_feeds"),
    path(
        "<int:contract_id>/credentials/",
        views.FeedCredentials.as_view(),
        name="api_data_feed_credentials",
    ),
    path(
        "credentials/<int:credential_id>/revoke",
        views.CredentialRevocation.as_view(),
        name="api_data_feed_credential_revoke",
    ),
    path("<int:contract_id>/use", views.FeedUses.as_view(), name="api_data_feed_use"),
    path("<int:contract_id>/looks", views.FeedLooks.as_view(), name="api_data_feed_looks"),
]
