"""Addresses of charges, disputes and invoices in the API, below ``data/``."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import data_money

_DISPUTE = "disputes/<int:dispute_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("charges/", data_money.ChargeList.as_view(), name="api_data_charges"),
    path(
        "charges/<int:charge_id>/retry",
        data_money.ChargeRetry.as_view(),
        name="api_data_charge_retry",
    ),
    path(
        "charges/<int:charge_id>/dispute",
        data_money.ChargeDispute.as_view(),
        name="api_data_charge_dispute",
    ),
    path("disputes/", data_money.DisputeList.as_view(), name="api_data_disputes"),
    path(_DISPUTE, data_money.DisputeDetail.as_view(), name="api_data_dispute"),
    path(f"{_DISPUTE}/answer", data_money.DisputeAnswer.as_view(), name="api_data_dispute_answer"),
    path(
        f"{_DISPUTE}/concession",
        data_money.DisputeConcession.as_view(),
        name="api_data_dispute_concede",
    ),
    path(
        f"{_DISPUTE}/take-back",
        data_money.DisputeTakeBack.as_view(),
        name="api_data_dispute_take_back",
    ),
    path(
        f"{_DISPUTE}/decision",
        data_money.DisputeDecision.as_view(),
        name="api_data_dispute_decide",
    ),
    path("invoices/", data_money.InvoiceList.as_view(), name="api_data_invoices"),
]
