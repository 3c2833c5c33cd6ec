"""Joining: the way in, the operator's queue of applications, the people of an organisation."""

from django.urls import path

from config.web.join import pages, queue, steps, trial
from config.web.organisation import pages as organisation

urlpatterns = [
    path("join", pages.join, name="join"),
    path("join/confirm/<str:token>", pages.confirm, name="join_confirm"),
    path("join/application/<slug:step>", steps.step, name="join_step"),
    path("join/state", pages.state, name="join_state"),
    path("join/texts/<slug:slug>/<int:version>", pages.text, name="join_text"),
    path("join/try", trial.trial, name="join_try"),
    path("operator/<int:participant_id>/applications/", queue.applications, name="applications"),
    path(
        "operator/<int:participant_id>/applications/<int:application_id>/",
        queue.application,
        name="application",
    ),
    path(
        "operator/<int:participant_id>/applications/<int:application_id>/decide",
        queue.decide,
        name="application_decide",
    ),
    path(
        "operator/<int:participant_id>/applications/<int:application_id>/proof",
        queue.proof,
        name="application_proof",
    ),
    path("organisation/<int:participant_id>/", organisation.organisation, name="organisation"),
    path(
        "organisation/<int:participant_id>/people/<int:membership_id>",
        organisation.person,
        name="organisation_person",
    ),
    path(
        "organisation/<int:participant_id>/invitations/<int:invitation_id>/withdraw",
        organisation.uninvite,
        name="organisation_uninvite",
    ),
    path("organisation/<int:participant_id>/key", organisation.key, name="organisation_key"),
    path("organisation/<int:participant_id>/leave", organisation.leave, name="organisation_leave"),
    path("invitation/<str:token>", organisation.invitation, name="invitation"),
]
