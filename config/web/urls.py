"""The personas' pages."""

from django.urls import path

from config.web import (
    agreements,
    community,
    comparison,
    member,
    signing,
)
from config.web.enterprise_pages import home

urlpatterns = [
    path("enterprise/<int:participant_id>/", home.enterprise, name="enterprise"),
    path("community/<int:community_id>/", community.community, name="community"),
    path("member/<int:participant_id>/rule/<int:metering_point_id>/", member.rule, name="rule"),
    path(
        "member/<int:participant_id>/rule/<int:metering_point_id>/accept",
        signing.accept,
        name="accept_rule",
    ),
    path(
        "member/<int:participant_id>/rule/<int:metering_point_id>/revoke",
        signing.revoke,
        name="revoke_rule",
    ),
    path(
        "member/<int:participant_id>/rule/<int:metering_point_id>/key",
        signing.key,
        name="signing_key",
    ),
    path(
        "member/<int:participant_id>/terms/<int:signed_terms_id>/",
        signing.terms,
        name="signed_terms",
    ),
    path("member/<int:participant_id>/agreements/", agreements.agreements, name="agreements"),
    path(
        "member/<int:participant_id>/agreements/propose",
        agreements.propose_signed,
        name="propose_agreement",
    ),
    path(
        "member/<int:participant_id>/agreements/<int:agreement_id>/",
        agreements.agreement,
        name="agreement",
    ),
    path(
        "member/<int:participant_id>/agreements/<int:agreement_id>/<slug:step>",
        agreements.agreement_step,
        name="agreement_step",
    ),
    path("participant/<int:participant_id>/comparison/", comparison.comparison, name="comparison"),
    path("member/<int:participant_id>/statement/", member.statement, name="statement"),
    path(
        "member/<int:participant_id>/statement/<int:interval_id>/",
        member.statement_interval,
        name="statement_interval",
    ),
]
