"""Pages of invoices and credit notes: listed, one by one, as PDF, as CSV."""

import csv
import io
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.web.data.acting import own_ids, trader_of
from config.web.data.invoice_rows import invoice_row
from config.web.data.invoices_pdf import invoice_pdf
from config.web.statements import csv_answer
from marketplace.domain.spreadsheet import plain_text
from marketplace.queries.data.invoices import InvoiceLine, find_invoice, list_invoices

SHOWN = 100
COLUMNS = (
    "number",
    "kind",
    "issued_at",
    "seller",
    "seller_name",
    "buyer",
    "buyer_name",
    "contract",
    "title",
    "line",
    "line_amount_micro",
    "amount_micro",
    "currency",
)


@require_safe
def invoices(request: HttpRequest) -> HttpResponse:
    """List what was issued and received."""
    found = list_invoices(participant_ids=own_ids(request), limit=SHOWN)
    if not found and trader_of(request) is None:
        raise Http404
    return render(
        request,
        "market/invoices.html",
        {"rows": [invoice_row(each) for each in found], "is_cut": len(found) == SHOWN},
    )


@require_safe
def invoice(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """Show one document."""
    return render(request, "market/invoice.html", {"row": invoice_row(_own(request, invoice_id))})


@require_safe
def invoice_file(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """Hand out one document as PDF."""
    line = _own(request, invoice_id)
    return HttpResponse(
        invoice_pdf(invoice_row(line)),
        headers={
            "Content-Type": "application/pdf",
            "Content-Disposition": f'attachment; filename="{line.number}.pdf"',
            "Cache-Control": "private, no-store",
        },
    )


@require_safe
def invoices_file(request: HttpRequest) -> HttpResponse:
    """Hand out all documents line by line, as CSV."""
    found = list_invoices(participant_ids=own_ids(request), limit=None)
    if not found and trader_of(request) is None:
        raise Http404
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row for each in found for row in _csv_rows(each))
    return csv_answer(out.getvalue(), "data-invoices")


def _csv_rows(line: InvoiceLine) -> list[tuple[Any, ...]]:
    return [
        (
            line.number,
            line.kind,
            f"{line.issued_at:%Y-%m-%dT%H:%M:%SZ}",
            line.seller_id,
            plain_text(line.seller_name),
            line.buyer_id,
            plain_text(line.buyer_name),
            line.contract_id,
            plain_text(line.title),
            each["code"],
            each["amount_micro"],
            line.amount_micro,
            line.currency,
        )
        for each in line.lines
    ]


def _own(request: HttpRequest, invoice_id: int) -> InvoiceLine:
    line = find_invoice(invoice_id=invoice_id, participant_ids=own_ids(request))
    if line is None:
        raise Http404
    return line
