"""An invoice or a credit note as PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from config.web.data.invoice_rows import InvoiceRow
from config.web.data.money_words import exact
from config.web.pdf_pages import FONT, INK, LINE, SOFT, SUN, new_document, write

if TYPE_CHECKING:
    from fpdf import FPDF

# Width of the column of amounts. [mm]
AMOUNT_WIDTH: Final = 42


def invoice_pdf(row: InvoiceRow) -> bytes:
    """Return a document on A4 whose text can be searched and copied."""
    line = row.line
    pdf = new_document(f"{row.kind} {line.number}", made_at=line.issued_at)
    write(pdf, _("Heliopolis"), size=11, colour=SUN)
    write(pdf, f"{row.kind} {line.number}", size=20, leading=10)
    write(pdf, f"{line.issued_at:%Y-%m-%d}", size=11, colour=SOFT)
    pdf.ln(4)
    nobody = _("name erased")
    sides = (
        (pgettext("invoice", "From"), line.seller_name, line.seller_id),
        (pgettext("invoice", "To"), line.buyer_name, line.buyer_id),
    )
    for label, name, id_ in sides:
        who = _("{name} (participant {id})").format(name=name or nobody, id=id_)
        write(pdf, f"{label}: {who}", size=12, leading=7)
    contract = _("For contract {number}").format(number=line.contract_id)
    write(pdf, contract, size=10, colour=SOFT)
    pdf.ln(4)
    _table(pdf, row)
    pdf.ln(6)
    write(pdf, _foot(row), size=8, colour=SOFT, leading=4.4)
    return bytes(pdf.output())


def _table(pdf: FPDF, row: InvoiceRow) -> None:
    pdf.set_draw_color(*LINE)
    for each in row.lines:
        _amount(pdf, each.label, each.amount_micro, size=11)
        if each.detail:
            write(pdf, each.detail, size=9, colour=SOFT)
        pdf.line(pdf.l_margin, pdf.get_y() + 1, pdf.w - pdf.r_margin, pdf.get_y() + 1)
        pdf.ln(2)
    total = _("Total, {currency}").format(currency=row.line.currency)
    _amount(pdf, total, row.line.amount_micro, size=14)


def _amount(pdf: FPDF, label: str, micro: int, *, size: float) -> None:
    pdf.set_font(FONT, size=size)
    pdf.set_text_color(*INK)
    width = pdf.w - pdf.l_margin - pdf.r_margin - AMOUNT_WIDTH
    top = pdf.get_y()
    pdf.multi_cell(width, 7, label, align="L", new_x="LMARGIN", new_y="NEXT")
    bottom = pdf.get_y()
    pdf.set_xy(pdf.l_margin + width, top)
    pdf.cell(AMOUNT_WIDTH, 7, exact(micro), align="R")
    pdf.set_xy(pdf.l_margin, bottom)


def _foot(row: InvoiceRow) -> str:
    if row.line.kind == "credit_note":
        return _("This credit note corrects the invoice of the same purchase. It was paid back.")
    return _(
        "Paid through the hall when the dispute window was over. Every amount is a transfer in the"
        " ledger; both sides' pages have receipts."
    )
