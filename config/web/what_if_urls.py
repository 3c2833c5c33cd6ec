"""What-ifs: asked, watched, answered, and each chart as a file."""

from django.urls import path

from config.web.what_if import pages

urlpatterns = [
    path("planner/<int:participant_id>/what-if", pages.what_if, name="what_if"),
    path(
        "planner/<int:participant_id>/what-if/<int:what_if_id>",
        pages.what_if_answer,
        name="what_if_answer",
    ),
    path(
        "planner/<int:participant_id>/what-if/<int:what_if_id>/<slug:key>.csv",
        pages.what_if_file,
        name="what_if_file",
    ),
]
