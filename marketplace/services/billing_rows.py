"""Statements and their items as rows: amounts per member, copied in."""

from dataclasses import dataclass

import numpy as np
from django.db import connection

from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from marketplace.domain.billing.amounts import due_micro, payable, tax_micro
from marketplace.domain.billing.lines import TAXED_LINES
from marketplace.domain.billing.statements import NO_PRICE, OF_THE_PERIOD, Int64Array, Items
from marketplace.models import BillingRun
from marketplace.queries.billing import get_carried

_STATEMENTS = """
COPY marketplace_statement (run_id, participant_id, account_id, import_wh, export_wh, bought_wh,
    sold_wh, agreed_bought_wh, agreed_sold_wh, alone_micro, net_micro, correction_micro, tax_micro,
    carried_micro, payable_minor) FROM STDIN (FORMAT BINARY)
"""
_ITEMS = """
COPY marketplace_statementitem (run_id, participant_id, line, interval_id, price_micro_per_kwh,
    energy_wh, amount_micro) FROM STDIN (FORMAT BINARY)
"""


@dataclass(frozen=True, eq=False)
class StatementColumns:
    """A run's statements: who, their items, and their totals as rows of ``totals_of``."""

    participants: Int64Array
    accounts: Int64Array
    items: Items
    totals: Int64Array


def store_statements(run: BillingRun, made: StatementColumns) -> None:
    """Write a statement for every member of whom the run knows anything."""
    items, count = made.items, len(made.participants)
    net, correction, taxed = (np.zeros(count, dtype=np.int64) for _ in range(3))
    np.add.at(net, items.members, items.amounts)
    late = items.sections != OF_THE_PERIOD
    np.add.at(correction, items.members[late], items.amounts[late])
    is_taxed = np.isin(items.lines, list(TAXED_LINES))
    np.add.at(taxed, items.members[is_taxed], -items.amounts[is_taxed])
    is_metered = (made.totals != 0).any(axis=0)
    chosen = np.union1d(np.flatnonzero(is_metered), items.members)

    currency = run.community.currency
    carried_by = get_carried(community_id=run.community_id, currency=currency)
    carried = [carried_by.get(each, 0) for each in made.participants[chosen].tolist()]
    taxes = [
        tax_micro(each, run.tax_ppm, is_included=run.tax_is_included)
        for each in taxed[chosen].tolist()
    ]
    minor = [
        payable(due_micro(each, tax, rest, is_included=run.tax_is_included), currency).minor
        for each, tax, rest in zip(net[chosen].tolist(), taxes, carried, strict=True)
    ]
    columns = [
        np.full_like(chosen, run.id),
        made.participants[chosen],
        made.accounts[chosen],
        *made.totals[:, chosen],
        net[chosen],
        correction[chosen],
        *(np.array(each, dtype=np.int64) for each in (taxes, carried, minor)),
    ]
    _copy(_STATEMENTS, [copy_rows([("int8", each) for each in columns], rows=len(chosen))])


def store_items(run: BillingRun, made: StatementColumns) -> None:
    """Write the items; a column of the format is NULL in all of its rows or in none."""
    items = made.items
    is_late, is_priced = items.sections != OF_THE_PERIOD, items.prices != NO_PRICE
    pieces = []
    for late in (False, True):
        for priced in (False, True):
            rows = np.flatnonzero((is_late == late) & (is_priced == priced))
            columns = [
                ("int8", np.full_like(rows, run.id)),
                ("int8", made.participants[items.members[rows]]),
                ("int2", items.lines[rows]),
                ("int8", items.sections[rows] if late else None),
                ("int8", items.prices[rows] if priced else None),
                ("int8", items.energy_wh[rows]),
                ("int8", items.amounts[rows]),
            ]
            pieces.append(copy_rows(columns, rows=len(rows)))
    _copy(_ITEMS, pieces)


def _copy(statement: str, pieces: list[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for piece in pieces:
            copy.write(piece)
        copy.write(TRAILER)
