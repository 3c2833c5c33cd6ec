"""Addresses of the data market's pages, a file a topic."""

from django.urls import URLPattern, URLResolver, include, path

from config.web.data import hub

urlpatterns: list[URLPattern | URLResolver] = [
    path("market", hub.market, name="market"),
    path("", include("config.web.data.catalogue_urls")),
    path("", include("config.web.data.contract_urls")),
    path("", include("config.web.data.feed_urls")),
    path("", include("config.web.data.delivery_urls")),
    path("", include("config.web.data.money_urls")),
    path("", include("config.web.data.product_urls")),
    path("", include("config.web.data.question_urls")),
    path("", include("config.web.data.wish_urls")),
]
