"""Addresses below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import data, wallets

urlpatterns: list[URLPattern | URLResolver] = [
    path("data/offers/", data.OfferList.as_view(), name="api_data_offers"),
    path(
        "data/offers/<int:offer_id>/withdraw",
        data.OfferWithdrawal.as_view(),
        name="api_data_offer_withdraw",
    ),
    path("data/requests/", data.RequestList.as_view(), name="api_data_requests"),
    path(
        "data/requests/<int:request_id>/match",
        data.RequestRematch.as_view(),
        name="api_data_request_match",
    ),
    path(
        "data/requests/<int:request_id>/withdraw",
        data.RequestWithdrawal.as_view(),
        name="api_data_request_withdraw",
    ),
    path("data/matches/", data.MatchList.as_view(), name="api_data_matches"),
    path("data/matches/<int:match_id>/file", data.MatchFile.as_view(), name="api_data_match_file"),
    path("wallets/", wallets.WalletList.as_view(), name="api_wallets"),
    path("wallets/deposits/", wallets.DepositList.as_view(), name="api_deposits"),
]
