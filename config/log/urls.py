"""The log at ``/log/``."""

from django.urls import path

from config.log import files, openings, page, statements

urlpatterns = [
    path("", page.log, name="log"),
    path("pending", files.pending, name="log_pending"),
    path("checkpoint", files.checkpoint, name="log_checkpoint"),
    path("tile/<path:path>", files.tile, name="log_tile"),
    path("policy", files.policy, name="log_policy"),
    path("objections", statements.objections, name="log_objections"),
    path("cosignatures", statements.cosignatures, name="log_cosignatures"),
    path("openings/<int:block>", openings.BlockOpenings.as_view(), name="log_openings"),
    path("openings/snapshot", openings.SnapshotText.as_view(), name="log_snapshot"),
    path("openings/documents/<str:key>", openings.DocumentText.as_view(), name="log_document"),
]
