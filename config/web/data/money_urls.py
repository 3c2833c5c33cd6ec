"""Addresses of charges, disputes and invoices of the data market."""

from django.urls import URLPattern, URLResolver, path

from config.web.data import charges, disputes, invoices

_CHARGE = "market/charges/<int:charge_id>"
_DISPUTE = "market/disputes/<int:dispute_id>"
_INVOICE = "market/invoices/<int:invoice_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("market/charges", charges.charges, name="market_charges"),
    path(f"{_CHARGE}/again", charges.ask_again, name="market_charge_again"),
    path(f"{_CHARGE}/dispute", disputes.new_dispute, name="market_dispute_new"),
    path("market/disputes", disputes.disputes, name="market_disputes"),
    path(_DISPUTE, disputes.dispute, name="market_dispute"),
    path(f"{_DISPUTE}/answer", disputes.answer, name="market_dispute_answer"),
    path(f"{_DISPUTE}/concession", disputes.concede, name="market_dispute_concede"),
    path(f"{_DISPUTE}/take-back", disputes.take_back, name="market_dispute_take_back"),
    path(f"{_DISPUTE}/decision", disputes.decide, name="market_dispute_decide"),
    path("market/invoices", invoices.invoices, name="market_invoices"),
    path("market/invoices.csv", invoices.invoices_file, name="market_invoices_file"),
    path(_INVOICE, invoices.invoice, name="market_invoice"),
    path(f"{_INVOICE}/pdf", invoices.invoice_file, name="market_invoice_pdf"),
]
