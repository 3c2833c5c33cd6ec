"""Pages for everybody."""

from django.urls import path

from config.web.public import pages

urlpatterns = [
    path("about", pages.about, name="about"),
    path("figures", pages.figures, name="public_figures"),
    path("check", pages.check, name="check"),
]
