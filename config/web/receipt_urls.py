"""Addresses of receipts: the public page that checks one, and a member's own."""

from django.urls import path

from config.web import own_receipts, receipts

_OWN = "member/<int:participant_id>/receipts/"
_TRANSFER = f"{_OWN}transfer/<int:transfer_id>"
_BALANCE = f"{_OWN}balance/<int:account_id>"
_BOOK = f"{_OWN}book/<int:interval_id>/<int:revision>"
_DOCUMENT = f"{_OWN}documents/<str:key>"
_FILE = {"as_file": True}

urlpatterns = [
    path("receipts/check", receipts.check, name="receipt_check"),
    path(_OWN, own_receipts.receipts, name="receipts"),
    path(f"{_TRANSFER}/", own_receipts.transfer, name="receipt_transfer"),
    path(f"{_TRANSFER}/file", own_receipts.transfer, _FILE, name="receipt_transfer_file"),
    path(f"{_BALANCE}/", own_receipts.balance, name="receipt_balance"),
    path(f"{_BALANCE}/file", own_receipts.balance, _FILE, name="receipt_balance_file"),
    path(f"{_DOCUMENT}/", own_receipts.document, name="receipt_document"),
    path(f"{_DOCUMENT}/file", own_receipts.document, _FILE, name="receipt_document_file"),
    path(f"{_BOOK}/", own_receipts.row, name="receipt_book"),
    path(f"{_BOOK}/<int:index>/", own_receipts.row, name="receipt_row"),
    path(f"{_BOOK}/<int:index>/file", own_receipts.row, _FILE, name="receipt_row_file"),
]
