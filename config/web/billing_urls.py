"""Addresses of statements, billing runs, and explanations."""

from django.urls import path

from config.web import billing, explanation, statements

_MONTH = "member/<int:participant_id>/months/"
_RUNS = "operator/<int:participant_id>/billing/"
_RUN = f"{_RUNS}<int:run_id>/"

urlpatterns = [
    path(f"{_MONTH}<str:month>/statement.pdf", statements.pdf, name="statement_pdf"),
    path(f"{_MONTH}<str:month>/statement.csv", statements.csv, name="statement_csv"),
    path(_RUNS, billing.runs, name="billing"),
    path(_RUN, billing.run, name="billing_run"),
    path(f"{_RUN}final", billing.finalise, name="billing_final"),
    path(f"{_RUN}statements.csv", billing.statements_file, name="billing_statements"),
    path(f"{_RUN}payments.csv", billing.payments_file, name="billing_payments"),
    path(f"{_RUN}statements/<int:member_id>", billing.statement_file, name="billing_statement"),
    path("why/<int:interval_id>/<int:metering_point_id>/", explanation.why, name="why"),
]
