"""Addresses below /feeds/: the files of live feeds, by credential."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import feed_proxy

urlpatterns: list[URLPattern | URLResolver] = [
    path("<int:product_id>/events", feed_proxy.feed_events, name="feed_events"),
    path("<int:product_id>/<str:name>", feed_proxy.feed_file, name="feed_file"),
]
