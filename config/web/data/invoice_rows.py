"""Invoices and credit notes with their words, for pages and for PDF."""

from dataclasses import dataclass

from config.web.data.money_words import KINDS, LINES, line_detail
from marketplace.queries.data.invoices import InvoiceLine


@dataclass(frozen=True)
class PricedRow:
    """A line of an invoice with its words. [micro]"""

    label: str
    detail: str
    amount_micro: int


@dataclass(frozen=True)
class InvoiceRow:
    """A document with its words."""

    line: InvoiceLine
    kind: str
    lines: list[PricedRow]


def invoice_row(line: InvoiceLine) -> InvoiceRow:
    """Return a document with its words."""
    return InvoiceRow(
        line,
        str(KINDS[line.kind]),
        [
            PricedRow(
                str(LINES[each["code"]]), line_detail(each, line.currency), each["amount_micro"]
            )
            for each in line.lines
        ],
    )
