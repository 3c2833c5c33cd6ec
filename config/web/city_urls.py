"""The planner's pages: one of the whole city, one for each subject, and each chart as a file."""

from django.urls import path

from config.web import city_report
from config.web.city import pages

urlpatterns = [
    path("planner/<int:participant_id>/", pages.planner, name="planner"),
    path("planner/<int:participant_id>/report.<slug:form>", city_report.report, name="city_report"),
    path("planner/<int:participant_id>/methods", pages.methods_page, name="city_methods"),
    *(
        path(
            f"planner/<int:participant_id>/{page}",
            pages.city_page,
            {"page": page},
            name=f"city_{page}",
        )
        for page in pages.OF_ONE
    ),
    path(
        "planner/<int:participant_id>/<slug:page>/<slug:key>.csv",
        pages.city_file,
        name="city_file",
    ),
]
