"""Addresses below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import (
    agreements,
    billing,
    certificates,
    data_files,
    gaps,
    halts,
    market,
    order_events,
    orders,
    places,
    readings,
    standing_rules,
    wallets,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/", places.Me.as_view(), name="api_me"),
    path("me/token/", places.MyToken.as_view(), name="api_my_token"),
    path("communities/", places.CommunityList.as_view(), name="api_communities"),
    path("metering-points/", places.MeteringPointList.as_view(), name="api_metering_points"),
    path("readings/", readings.ReadingList.as_view(), name="api_readings"),
    path("gaps/", gaps.GapList.as_view(), name="api_gaps"),
    path("standing-rules/", standing_rules.StandingRuleList.as_view(), name="api_standing_rules"),
    path(
        "standing-rules/<int:metering_point_id>/",
        standing_rules.StandingRuleDetail.as_view(),
        name="api_standing_rule",
    ),
    path("final-statements/", billing.FinalStatementList.as_view(), name="api_final_statements"),
    path("agreements/", agreements.AgreementList.as_view(), name="api_agreements"),
    path(
        "agreements/<int:agreement_id>/",
        agreements.AgreementDetail.as_view(),
        name="api_agreement",
    ),
    path(
        "agreements/<int:agreement_id>/accept",
        agreements.AgreementAccept.as_view(),
        name="api_agreement_accept",
    ),
    path(
        "agreements/<int:agreement_id>/close",
        agreements.AgreementClose.as_view(),
        name="api_agreement_close",
    ),
    path(
        "agreements/<int:agreement_id>/end",
        agreements.AgreementEnding.as_view(),
        name="api_agreement_end",
    ),
    path("orders/", orders.OrderList.as_view(), name="api_orders"),
    path("orders/events", order_events.OrderEvents.as_view(), name="api_order_events"),
    path("orders/cancel", orders.OrderCancellation.as_view(), name="api_orders_cancel"),
    path("orders/<int:order_id>/", orders.OrderDetail.as_view(), name="api_order"),
    path(
        "orders/<int:order_id>/cancel",
        orders.OrderDetailCancellation.as_view(),
        name="api_order_cancel",
    ),
    path("halts/", halts.HaltList.as_view(), name="api_halts"),
    path("halts/<int:halt_id>/lift", halts.HaltLift.as_view(), name="api_halt_lift"),
    path("order-book/", orders.OrderBook.as_view(), name="api_order_book"),
    path("intervals/", market.IntervalList.as_view(), name="api_intervals"),
    path("trades/", market.TradeList.as_view(), name="api_trades"),
    path("statements/", market.StatementList.as_view(), name="api_statements"),
    path("transfers/", market.TransferList.as_view(), name="api_transfers"),
    path("certificates/", certificates.BundleList.as_view(), name="api_certificates"),
    path(
        "certificates/handovers/",
        certificates.HandOverList.as_view(),
        name="api_certificate_handovers",
    ),
    path(
        "certificates/cancellations/",
        certificates.CancellationList.as_view(),
        name="api_cancellations",
    ),
    path(
        "certificates/matching/",
        certificates.Matching.as_view(),
        name="api_certificate_matching",
    ),
    path("production-devices/", certificates.DeviceList.as_view(), name="api_devices"),
    path("data/offers/", data_files.OfferList.as_view(), name="api_data_offers"),
    path(
        "data/offers/<int:offer_id>/withdraw",
        data_files.OfferWithdrawal.as_view(),
        name="api_data_offer_withdraw",
    ),
    path("data/requests/", data_files.RequestList.as_view(), name="api_data_requests"),
    path(
        "data/requests/<int:request_id>/match",
        data_files.RequestRematch.as_view(),
        name="api_data_request_match",
    ),
    path(
        "data/requests/<int:request_id>/withdraw",
        data_files.RequestWithdrawal.as_view(),
        name="api_data_request_withdraw",
    ),
    path("data/matches/", data_files.MatchList.as_view(), name="api_data_matches"),
    path(
        "data/matches/<int:match_id>/file",
        data_files.MatchFile.as_view(),
        name="api_data_match_file",
    ),
    path("wallets/", wallets.WalletList.as_view(), name="api_wallets"),
    path("wallets/deposits/", wallets.DepositList.as_view(), name="api_deposits"),
]
