"""A household's own pages, and where the operator answers who wants to be forgotten."""

from django.urls import path

from config.web.household import day, home, month, privacy, sharing

urlpatterns = [
    path("household/<int:participant_id>/", home.household, name="household"),
    path("household/<int:participant_id>/day/<str:day>/", day.day, name="household_day"),
    path("member/<int:participant_id>/months/", month.month, name="month"),
    path("member/<int:participant_id>/year/", month.year, name="year"),
    path("member/<int:participant_id>/sharing/", sharing.sharing, name="sharing"),
    path("member/<int:participant_id>/privacy/", privacy.privacy, name="privacy"),
    path("member/<int:participant_id>/privacy/data.zip", privacy.own_data, name="own_data"),
    path("member/<int:participant_id>/privacy/forget", privacy.forget, name="forget"),
    path("member/<int:participant_id>/privacy/keep", privacy.keep, name="keep"),
    path("operator/<int:participant_id>/erasures/", privacy.erasures, name="erasures"),
]
