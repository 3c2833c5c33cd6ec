"""The pages of forecasts."""

from django.urls import path

from config.web import expected

urlpatterns = [
    path("member/<int:participant_id>/expected/", expected.member, name="expected"),
    path("community/<int:community_id>/expected/", expected.community, name="expected_prices"),
]
