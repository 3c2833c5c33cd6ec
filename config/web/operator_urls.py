"""The operator's pages."""

from django.urls import path

from config.web.operator_pages import credit, entries, home, ledger, meters, surveillance

urlpatterns = [
    path("operator/<int:participant_id>/", home.operator, name="operator"),
    path("operator/<int:participant_id>/health", home.operator_health, name="operator_health"),
    path("operator/<int:participant_id>/mails", home.operator_mails, name="operator_mails"),
    path("operator/<int:participant_id>/meters/", meters.operator_meters, name="operator_meters"),
    path(
        "operator/<int:participant_id>/meters.csv",
        meters.operator_meters_csv,
        name="operator_meters_csv",
    ),
    path("operator/<int:participant_id>/credit/", credit.operator_credit, name="operator_credit"),
    path(
        "operator/<int:participant_id>/credit/<int:member_id>/",
        credit.operator_credit_member,
        name="operator_credit_member",
    ),
    path(
        "operator/<int:participant_id>/entries/",
        entries.operator_entries,
        name="operator_entries",
    ),
    path(
        "operator/<int:participant_id>/surveillance/",
        surveillance.operator_surveillance,
        name="operator_surveillance",
    ),
    path(
        "operator/<int:participant_id>/surveillance/<int:alert_id>",
        surveillance.operator_alert,
        name="operator_alert",
    ),
    path("operator/<int:participant_id>/ledger/", ledger.operator_ledger, name="operator_ledger"),
]
