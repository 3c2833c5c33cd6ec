"""The operator's rule sets."""

from django.urls import path, re_path

from config.web.rule_sets import pages

urlpatterns = [
    path("operator/<int:participant_id>/rules", pages.rule_sets, name="rule_sets"),
    re_path(
        r"^operator/(?P<participant_id>\d+)/rules/(?P<draft_id>\d+)/(?P<step>effect|drop|force)$",
        pages.rule_draft,
        name="rule_draft",
    ),
]
