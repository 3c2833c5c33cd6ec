"""Addresses of certificates: a member's own, and the public statements."""

from django.urls import path

from config.web import certificate_matching, certificate_statements, certificates

_OWN = "member/<int:participant_id>/certificates/"
_PUBLIC = "certificates/<uuid:public_id>/"

urlpatterns = [
    path(_OWN, certificates.certificates, name="certificates"),
    path(
        f"{_OWN}bundles.csv",
        certificates.bundles_file,
        {"form": "csv"},
        name="certificate_bundles_csv",
    ),
    path(
        f"{_OWN}bundles.json",
        certificates.bundles_file,
        {"form": "json"},
        name="certificate_bundles_json",
    ),
    path(f"{_OWN}matching/", certificate_matching.matching, name="certificate_matching"),
    path(
        f"{_OWN}matching.csv", certificate_matching.matching_file, name="certificate_matching_file"
    ),
    path(_PUBLIC, certificate_statements.statement, name="cancellation"),
    path(
        f"{_PUBLIC}statement.json",
        certificate_statements.statement_file,
        name="cancellation_text",
    ),
    path(f"{_PUBLIC}receipt", certificate_statements.receipt_file, name="cancellation_receipt"),
]
