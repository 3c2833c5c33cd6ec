"""The data provider's home."""

from django.urls import path

from config.web.provider_pages import home

urlpatterns = [
    path("provider/<int:participant_id>/", home.provider, name="provider"),
]
