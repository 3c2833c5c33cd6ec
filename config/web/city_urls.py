"""The planner's pages."""

from django.urls import path

from config.web.city import overview

urlpatterns = [
    path("planner/<int:participant_id>/", overview.planner, name="planner"),
]
