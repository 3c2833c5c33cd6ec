"""Statements of form 2: whatever was agreed, traded ahead or not kept, energies explain amounts."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings

from ledger.domain.commands import Transfers
from marketplace.domain.billing.lines import RULE_OF_LINE, Line
from marketplace.domain.billing.positions import billing_positions, is_settled_at_tariffs
from marketplace.domain.billing.statements import (
    TOTALS,
    Int64Array,
    Movements,
    Tariffs,
    items_of,
    totals_of,
)
from marketplace.domain.market import clear_market
from marketplace.domain.money import signed_amounts_micro
from marketplace.domain.settlement import entries_of, transfers_between
from marketplace.domain.transfer_codes import TransferCode
from tests.market.form_2 import ACCOUNTS, Town, towns


def movements_of(transfers: Transfers | None, accounts: list[int]) -> Movements:
    """Return what members' accounts move, as the ledger would tell it."""
    rows = []
    if transfers is not None:
        columns = (transfers.debit, transfers.credit, transfers.amount, transfers.code)
        for debit, credit, amount, code in zip(*(each.tolist() for each in columns), strict=True):
            sides = ((debit, -amount), (credit, amount))
            rows += [(0, accounts.index(one), code, due) for one, due in sides if one in accounts]
    return Movements(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def by_member(members: Int64Array, values: Int64Array, count: int) -> list[int]:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, members, values)
    return sums.tolist()


@settings(max_examples=80)
@given(towns())
def test_lines_are_the_transfers_and_energies_explain_them(town: Town) -> None:
    book = clear_market(
        rules=town.rules,
        terms=town.terms,
        metered=town.metered,
        over_limit=town.over_limit,
        agreements=town.agreements,
        auction=town.auction,
    ).book
    part, entries = book.market, entries_of(book, ACCOUNTS)
    assert part is not None
    accounts = sorted(set(town.terms.account_ids.tolist()))
    movements = movements_of(transfers_between(None, entries), accounts)
    tariffs = Tariffs(
        sections=np.zeros(1, dtype=np.int64),
        retail=np.array([book.retail], dtype=np.int64),
        feed_in=np.array([book.feed_in], dtype=np.int64),
        is_told_apart=np.array([is_settled_at_tariffs(book)]),
    )
    positions = billing_positions(
        book, interval=0, weight=1, accounts=np.array(accounts, dtype=np.int64)
    )
    items = items_of(tariffs, positions, movements)

    moved: dict[tuple[int, int], int] = defaultdict(int)
    for member, code, amount in zip(
        *(each.tolist() for each in (movements.members, movements.codes, movements.amounts)),
        strict=True,
    ):
        moved[member, code] += amount
    for member, line, amount in zip(
        *(each.tolist() for each in (items.members, items.lines, items.amounts)), strict=True
    ):
        moved[member, RULE_OF_LINE[line].code] -= amount
    assert not any(moved.values())

    def amounts_of(line: Line) -> list[int]:
        chosen = items.lines == line
        return by_member(items.members[chosen], items.amounts[chosen], len(accounts))

    if is_settled_at_tariffs(book):
        drawn = signed_amounts_micro(positions.grid_import_wh, book.retail)
        fed = signed_amounts_micro(positions.grid_export_wh, book.feed_in)
        assert amounts_of(Line.GRID_PURCHASE) == by_member(positions.members, -drawn, len(accounts))
        assert amounts_of(Line.GRID_SALE) == by_member(positions.members, fed, len(accounts))
    fees = entries.amounts[entries.codes == TransferCode.PLATFORM_FEE].sum()
    assert sum(amounts_of(Line.PLATFORM_FEE)) == -fees
    if not part.by_trades and len(part.zones) == 1:
        paid = signed_amounts_micro(positions.bought_wh, part.prices[0] or 0)
        assert amounts_of(Line.POOL_PURCHASE) == by_member(positions.members, -paid, len(accounts))
    totals = dict(zip(TOTALS, totals_of(tariffs, positions, len(accounts)), strict=False))
    assert totals["import_wh"].sum() == book.import_wh.sum()
    assert totals["agreed_bought_wh"].sum() == totals["agreed_sold_wh"].sum() == part.match_wh.sum()
