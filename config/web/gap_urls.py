"""The gap calendar's pages."""

from django.urls import path

from config.web import gaps

urlpatterns = [
    path("member/<int:participant_id>/gaps/", gaps.member_gaps, name="member_gaps"),
    path(
        "operator/<int:participant_id>/gaps/<int:community_id>/",
        gaps.operator_gaps,
        name="operator_gaps",
    ),
    path(
        "operator/<int:participant_id>/gaps/<int:community_id>/<int:metering_point_id>/",
        gaps.operator_meter_gaps,
        name="operator_meter_gaps",
    ),
]
