"""The operator's rule sets."""

from django.urls import path

from config.web.rule_sets import pages

urlpatterns = [
    path("operator/<int:participant_id>/rules", pages.rule_sets, name="rule_sets"),
    path(
        "operator/<int:participant_id>/rules/<int:draft_id>/<slug:step>",
        pages.rule_draft,
        name="rule_draft",
    ),
]
