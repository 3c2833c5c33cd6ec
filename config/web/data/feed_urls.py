"""Addresses of the pages of live feeds."""

from django.urls import URLPattern, URLResolver, path

from config.web.data import feeds

urlpatterns: list[URLPattern | URLResolver] = [
    path("market/feeds", feeds.feed_list, name="market_feeds"),
    path("market/feeds/<int:contract_id>", feeds.feed, name="market_feed"),
    path(
        "market/feeds/<int:contract_id>/credentials/<int:credential_id>/revoke",
        feeds.revoke,
        name="market_feed_revoke",
    ),
]
