"""Addresses of the data hall."""

from django.urls import URLPattern, URLResolver, path

from config.web import data_files

urlpatterns: list[URLPattern | URLResolver] = [
    path("data", data_files.data_hall, name="data_hall"),
    path("data/provide", data_files.data_provider, name="data_provider"),
    path("data/requests", data_files.data_requests, name="data_requests"),
    path(
        "data/offers/<int:offer_id>/withdraw", data_files.withdraw_offer, name="data_offer_withdraw"
    ),
    path(
        "data/requests/<int:request_id>/match",
        data_files.rematch_request,
        name="data_request_match",
    ),
    path(
        "data/requests/<int:request_id>/withdraw",
        data_files.withdraw_request,
        name="data_request_withdraw",
    ),
    path("data/matches/<int:match_id>/file", data_files.download, name="data_match_file"),
]
