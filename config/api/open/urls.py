"""Addresses below /api/v1/open/."""

from django.urls import path

from config.api.open import views

urlpatterns = [
    path("publications/", views.Publications.as_view(), name="api_open_publications"),
    path(
        "publications/<int:publication_id>/",
        views.PublishedText.as_view(),
        name="api_open_publication",
    ),
    path(
        "publications/<int:publication_id>/<slug:table>.csv",
        views.PublishedTable.as_view(),
        name="api_open_table",
    ),
    path(
        "communities/<int:community_id>/<slug:table>.csv",
        views.Series.as_view(),
        name="api_open_series",
    ),
]
