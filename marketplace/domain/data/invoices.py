"""Invoices and credit notes of data: what their lines say, and that they add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from marketplace.domain.data.prices import PriceForm, PriceRule

NUMBER_DIGITS: Final = 6


class LineCode(StrEnum):
    """What a line is for; a priced line has the form of its price as its code."""

    SERVICE_CREDIT = "service_credit"
    REFUND = "refund"


@dataclass(frozen=True)
class Delivered:
    """What a charge was for.

    Attributes
    ----------
    units : int
        Records or requests, where the price is metered.
    """

    title: str
    version: int
    start: datetime
    end: datetime
    units: int = 0


def invoice_lines(
    rule: PriceRule, delivered: Delivered, *, due_micro: int, credit_micro: int
) -> list[dict[str, Any]]:
    """Return the lines of an invoice: what was delivered, less the credit for its service."""
    main: dict[str, Any] = {
        "code": rule.form.value,
        "title": delivered.title,
        "version": delivered.version,
        "amount_micro": due_micro,
    }
    if rule.form != PriceForm.ONE_OFF:
        main["start"] = delivered.start.isoformat()
        main["end"] = delivered.end.isoformat()
    if rule.is_metered:
        main |= {"units": delivered.units, "price_micro": rule.price_micro}
    if not credit_micro:
        return [main]
    return [main, {"code": LineCode.SERVICE_CREDIT.value, "amount_micro": -credit_micro}]


def refund_lines(
    *, title: str, invoice_number: int, reason: str, refund_micro: int
) -> list[dict[str, Any]]:
    """Return the lines of a credit note, which names the invoice that it corrects."""
    return [
        {
            "code": LineCode.REFUND.value,
            "title": title,
            "invoice": invoice_number,
            "reason": reason,
            "amount_micro": refund_micro,
        }
    ]


def total_micro(lines: Sequence[dict[str, Any]]) -> int:
    """Return what the lines come to. [micro]"""
    return sum(int(line["amount_micro"]) for line in lines)


def number_text(seller_id: int, number: int) -> str:
    """Return a document's number as it is printed: the seller's own, without gaps."""
    return f"D{seller_id}-{number:0{NUMBER_DIGITS}d}"
