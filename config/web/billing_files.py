"""Statements and payments as CSV: numbers without grouping, amounts in micro or minor units."""

import csv
import io
from collections.abc import Iterable, Sequence

from config.web.billing_words import statement_number
from marketplace.domain.billing.lines import Line
from marketplace.domain.spreadsheet import plain_text
from marketplace.queries.billing import ItemLine, RunLine, StatementLine
from marketplace.queries.pages import Place

STATEMENT_COLUMNS = (
    "participant",
    "name",
    "account",
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "agreed_bought_wh",
    "agreed_sold_wh",
    "alone_micro",
    "net_micro",
    "correction_micro",
    "tax_micro",
    "carried_micro",
    "payable_minor",
    "currency",
)
ITEM_COLUMNS = (
    "line",
    "corrected_interval",
    "corrected_from",
    "energy_wh",
    "price_micro_per_kwh",
    "amount_micro",
)
PAYMENT_COLUMNS = ("reference", "participant", "name", "direction", "amount_minor", "currency")


def statement_csv(items: Sequence[ItemLine]) -> str:
    """Return one member's statement line by line."""
    return _csv(
        ITEM_COLUMNS,
        (
            (
                Line(each.line).name.lower(),
                "" if each.interval_id is None else each.interval_id,
                "" if each.corrected_at is None else f"{each.corrected_at:%Y-%m-%dT%H:%M:%SZ}",
                each.energy_wh,
                "" if each.price_micro_per_kwh is None else each.price_micro_per_kwh,
                each.amount_micro,
            )
            for each in items
        ),
    )


def statements_csv(statements: Iterable[StatementLine], place: Place) -> str:
    """Return a run's statements, one a row."""
    return _csv(
        STATEMENT_COLUMNS,
        (
            (
                each.participant_id,
                plain_text(each.name),
                each.account_id,
                each.import_wh,
                each.export_wh,
                each.bought_wh,
                each.sold_wh,
                each.agreed_bought_wh,
                each.agreed_sold_wh,
                each.alone_micro,
                each.net_micro,
                each.correction_micro,
                each.tax_micro,
                each.carried_micro,
                each.payable_minor,
                place.currency,
            )
            for each in statements
        ),
    )


def payments_csv(run: RunLine, statements: Iterable[StatementLine], place: Place) -> str:
    """Return what a bank or a payment service has to move; nothing is moved by it here."""
    return _csv(
        PAYMENT_COLUMNS,
        (
            (
                statement_number(run, each.participant_id),
                each.participant_id,
                plain_text(each.name),
                "pay" if each.payable_minor > 0 else "collect",
                abs(each.payable_minor),
                place.currency,
            )
            for each in statements
            if each.payable_minor
        ),
    )


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()
