"""A statement as PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from config.templatetags.figures import money_exact
from config.web.billing_words import Row, WordedStatement, month_name
from config.web.pdf_pages import FONT, INK, LINE, SOFT, SUN, new_document, write

if TYPE_CHECKING:
    from fpdf import FPDF

# Widths of a table's columns. [mm]
WIDTHS = (86, 28, 30, 36)


def statement_pdf(worded: WordedStatement) -> bytes:
    """Return a statement as an A4 document with text that can be searched and copied."""
    title = f"{_('Statement')} {month_name(worded.run.month)}"
    pdf = new_document(title, made_at=worded.run.finalised_at or worded.run.made_at)
    _head(pdf, worded)
    _table(pdf, _("The month"), worded.items)
    if worded.corrections:
        _table(pdf, _("Corrections of months that were final"), worded.corrections)
    _table(pdf, _("What it comes to"), worded.sums)
    _paid(pdf, worded)
    _compared(pdf, worded)
    _foot(pdf, worded)
    return bytes(pdf.output())


def _head(pdf: FPDF, worded: WordedStatement) -> None:
    write(pdf, _("Heliopolis"), size=11, colour=SUN)
    title = _("Statement for {month}").format(month=month_name(worded.run.month))
    write(pdf, title, size=20, leading=10)
    if worded.run.number is None:
        write(pdf, _("Preview: not final, nothing to pay yet."), size=11, colour=SUN)
    else:
        write(pdf, _("Number {number}").format(number=worded.number), size=11)
    pdf.ln(3)
    name, local = worded.place.name, worded.place.local_name
    write(pdf, worded.statement.name or _("name erased"), size=13, leading=7)
    write(pdf, f"{name} {local}".strip(), size=10, colour=SOFT)
    account = _("Account {number} of the ledger").format(number=worded.statement.account_id)
    write(pdf, account, size=10, colour=SOFT)
    start = worded.run.starts_at.astimezone(worded.place.zone)
    end = worded.run.ends_at.astimezone(worded.place.zone)
    period = f"{start:%Y-%m-%d %H:%M} \N{EN DASH} {end:%Y-%m-%d %H:%M} {worded.place.timezone}"
    write(pdf, period, size=10, colour=SOFT)


def _table(pdf: FPDF, title: str, rows: list[Row]) -> None:
    pdf.ln(4)
    write(pdf, title, size=12, leading=7)
    has_energy = any(row.energy for row in rows)
    if has_energy:
        names = (_("What for"), _("kWh"), _("Price per kWh"), _("Amount"))
        _cells(pdf, names, size=8, colour=SOFT)
    for row in rows:
        _cells(pdf, row.cells, size=9)


def _cells(
    pdf: FPDF, cells: tuple[str, ...], *, size: float, colour: tuple[int, int, int] = INK
) -> None:
    from fpdf.enums import MethodReturnValue

    pdf.set_font(FONT, size=size)
    pdf.set_text_color(*colour)
    pdf.set_draw_color(*LINE)
    widths = WIDTHS if cells[1] or cells[2] else (sum(WIDTHS[:3]), 0, 0, WIDTHS[3])
    top = pdf.get_y()
    if top > pdf.h - 30:
        pdf.add_page()
        top = pdf.get_y()
    lines = pdf.multi_cell(
        widths[0], 5.4, cells[0], align="L", dry_run=True, output=MethodReturnValue.LINES
    )
    assert isinstance(lines, list)  # as it was asked for
    pdf.multi_cell(widths[0], 5.4, cells[0], align="L", new_x="RIGHT", new_y="TOP")
    for width, text in zip(widths[1:], cells[1:], strict=True):
        if width:
            pdf.cell(width, 5.4, text, align="R")
    pdf.set_y(top + 5.4 * max(1, len(lines)))
    pdf.line(pdf.l_margin, pdf.get_y(), pdf.w - pdf.r_margin, pdf.get_y())


def _paid(pdf: FPDF, worded: WordedStatement) -> None:
    pdf.ln(4)
    minor = worded.statement.payable_minor
    amount = f"{worded.payable} {worded.place.currency}"
    if minor > 0:
        text = _("You receive {amount}").format(amount=amount)
    elif minor < 0:
        text = _("You pay {amount}").format(amount=amount)
    else:
        text = _("Nothing is to be paid.")
    write(pdf, text, size=15, leading=8)


def _compared(pdf: FPDF, worded: WordedStatement) -> None:
    statement, currency = worded.statement, worded.place.currency
    alone = _("Without the market, all of it at the grid's tariffs: {amount} {currency}")
    saved = _("The market made a difference of {amount} {currency}")
    for text, amount in ((alone, statement.alone_micro), (saved, statement.saved_micro)):
        line = text.format(amount=money_exact(amount), currency=currency)
        write(pdf, line, size=10, colour=SOFT)


def _foot(pdf: FPDF, worded: WordedStatement) -> None:
    pdf.ln(4)
    write(
        pdf,
        _(
            "Amounts in {currency}, plus is money to you; Ø is a mean price. Every figure is the"
            " sum of transfers in the ledger, which your pages show one by one with receipts."
        ).format(currency=worded.place.currency),
        size=8,
        colour=SOFT,
        leading=4.4,
    )
    if worded.run.number is not None:
        text = _("All statements of this run have the SHA-256 {sha256}, logged as {key}.").format(
            sha256=worded.run.statements_sha256, key=f"billing:{worded.run.id}"
        )
        write(pdf, text, size=8, colour=SOFT, leading=4.4)
