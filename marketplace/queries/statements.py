"""A member's statement: every figure is the sum of transfers of the book, and names them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.queries import TransferLine, list_pruned_keys, list_transfers_of_commands
from marketplace.domain.money import amount_micro
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import (
    MemberInterval,
    get_member_interval,
    list_member_intervals,
)

_NAMED = {
    TransferCode.POOL_PURCHASE,
    TransferCode.POOL_SALE,
    TransferCode.GRID_PURCHASE,
    TransferCode.GRID_SALE,
}


@dataclass(frozen=True)
class StatementLine:
    """An interval of a member with its money, positive when it came in. [micro]"""

    interval: MemberInterval
    pool_sale_micro: int
    grid_sale_micro: int
    pool_purchase_micro: int
    grid_purchase_micro: int
    other_micro: int  # agreements, grid fees, deviations
    transfer_ids: tuple[int, ...]
    is_pruned: bool  # its transfers are kept no more, so that its money is not known

    @property
    def pool_micro(self) -> int:
        """Money with the neighbours, and what comes with it."""
        return self.pool_sale_micro + self.pool_purchase_micro + self.other_micro

    @property
    def grid_micro(self) -> int:
        """Money with the supplier."""
        return self.grid_sale_micro + self.grid_purchase_micro

    @property
    def transfer_count(self) -> int:
        """How many transfers its figures are the sum of."""
        return len(self.transfer_ids)

    @property
    def net_micro(self) -> int:
        """What the interval came to."""
        return self.pool_micro + self.grid_micro

    @property
    def alone_micro(self) -> int | None:
        """What it would have come to with the grid alone; None while that is not known."""
        row = self.interval
        if row.import_wh is None or row.export_wh is None:
            return None
        if row.retail_micro_per_kwh is None or row.feed_in_micro_per_kwh is None:
            return None
        return amount_micro(row.export_wh, row.feed_in_micro_per_kwh) - amount_micro(
            row.import_wh, row.retail_micro_per_kwh
        )


@dataclass(frozen=True)
class DayTotals:
    """What some intervals of one member came to. [Wh] and [micro]"""

    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    pool_sale_micro: int
    grid_sale_micro: int
    pool_purchase_micro: int
    grid_purchase_micro: int
    other_micro: int
    saved_micro: int
    waiting_count: int
    left_out_count: int
    pruned_count: int
    grid_import_wh: int
    grid_export_wh: int

    @property
    def not_taken_wh(self) -> int:
        """Bought ahead and not used."""
        return self.bought_wh + self.grid_import_wh - self.import_wh

    @property
    def short_wh(self) -> int:
        """Sold ahead and not delivered."""
        return self.sold_wh + self.grid_export_wh - self.export_wh

    @property
    def earned_micro(self) -> int:
        """Received for surplus."""
        return self.pool_sale_micro + self.grid_sale_micro

    @property
    def paid_micro(self) -> int:
        """Paid for energy."""
        return -(self.pool_purchase_micro + self.grid_purchase_micro)

    @property
    def net_micro(self) -> int:
        """What was received less what was paid."""
        return self.earned_micro - self.paid_micro + self.other_micro

    @property
    def pool_micro(self) -> int:
        """Money with the neighbours, and what comes with it."""
        return self.pool_sale_micro + self.pool_purchase_micro + self.other_micro

    @property
    def grid_micro(self) -> int:
        """Money with the supplier."""
        return self.grid_sale_micro + self.grid_purchase_micro

    @property
    def sale_price_micro_per_kwh(self) -> int | None:
        """Mean price the neighbours paid; None without a sale."""
        return round(self.pool_sale_micro * 1000 / self.sold_wh) if self.sold_wh else None

    @property
    def purchase_price_micro_per_kwh(self) -> int | None:
        """Mean price paid to the neighbours, fee included; None without a purchase."""
        return round(-self.pool_purchase_micro * 1000 / self.bought_wh) if self.bought_wh else None

    @property
    def grid_sale_price_micro_per_kwh(self) -> int | None:
        """Mean price the supplier paid; None without a sale to it."""
        fed = self.grid_export_wh
        return round(self.grid_sale_micro * 1000 / fed) if fed > 0 else None

    @property
    def grid_purchase_price_micro_per_kwh(self) -> int | None:
        """Mean price paid to the supplier; None without a purchase from it."""
        drawn = self.grid_import_wh
        return round(-self.grid_purchase_micro * 1000 / drawn) if drawn > 0 else None


def list_statement_lines(
    *, persona: Persona, place: Place, start: datetime, end: datetime
) -> list[StatementLine]:
    """Return a member's statement over a period: one line per interval, in order."""
    intervals = list_member_intervals(
        participant_id=persona.participant_id, place=place, start=start, end=end
    )
    lines = _transfers(persona, intervals)
    pruned = _pruned(intervals)
    return [
        _statement_line(
            interval, lines[interval.interval_id], is_pruned=interval.interval_id in pruned
        )
        for interval in intervals
    ]


def get_statement_line(
    *, persona: Persona, place: Place, interval_id: int
) -> tuple[StatementLine, list[TransferLine]] | None:
    """Return one line of a statement with its transfers; None if it is no interval of theirs."""
    interval = get_member_interval(
        participant_id=persona.participant_id, place=place, interval_id=interval_id
    )
    if interval is None:
        return None
    transfers = _transfers(persona, [interval])[interval_id]
    is_pruned = bool(_pruned([interval]))
    return _statement_line(interval, transfers, is_pruned=is_pruned), transfers


def total_of(lines: Sequence[StatementLine]) -> DayTotals:
    """Add up a statement; savings count where the money is booked and the readings are there.

    Intervals whose transfers are kept no more are counted, and in none of the sums.
    """
    every, lines = lines, [line for line in lines if not line.is_pruned]
    booked = [line for line in lines if line.transfer_count or line.interval.is_settled]
    return DayTotals(
        import_wh=sum(line.interval.import_wh or 0 for line in lines),
        export_wh=sum(line.interval.export_wh or 0 for line in lines),
        bought_wh=sum(line.interval.bought_wh for line in lines),
        sold_wh=sum(line.interval.sold_wh for line in lines),
        pool_sale_micro=sum(line.pool_sale_micro for line in lines),
        grid_sale_micro=sum(line.grid_sale_micro for line in lines),
        pool_purchase_micro=sum(line.pool_purchase_micro for line in lines),
        grid_purchase_micro=sum(line.grid_purchase_micro for line in lines),
        other_micro=sum(line.other_micro for line in lines),
        saved_micro=sum(
            line.net_micro - line.alone_micro for line in booked if line.alone_micro is not None
        ),
        waiting_count=len(lines) - len(booked),
        left_out_count=sum(line.interval.is_left_out for line in lines),
        pruned_count=len(every) - len(lines),
        grid_import_wh=sum(line.interval.grid_import_wh or 0 for line in lines),
        grid_export_wh=sum(line.interval.grid_export_wh or 0 for line in lines),
    )


def _transfers(
    persona: Persona, intervals: Sequence[MemberInterval]
) -> dict[int, list[TransferLine]]:
    found: dict[int, list[TransferLine]] = defaultdict(list)
    keys = [key for interval in intervals for key in interval.command_keys]
    if persona.energy_account_id is None or not keys:
        return found
    for transfer in list_transfers_of_commands(keys=keys, account_ids=[persona.energy_account_id]):
        found[int(transfer.command_key.split(":")[1])].append(transfer)
    return found


def _pruned(intervals: Sequence[MemberInterval]) -> set[int]:
    """Return the intervals of which a command was pruned."""
    keys = [key for interval in intervals for key in interval.command_keys]
    return {int(key.split(":")[1]) for key in list_pruned_keys(keys=keys)}


def _statement_line(
    interval: MemberInterval, transfers: Sequence[TransferLine], *, is_pruned: bool
) -> StatementLine:
    sums: dict[int, int] = defaultdict(int)
    for transfer in transfers:
        sums[transfer.code] += transfer.amount
    return StatementLine(
        interval=interval,
        pool_sale_micro=sums[TransferCode.POOL_SALE],
        grid_sale_micro=sums[TransferCode.GRID_SALE],
        pool_purchase_micro=sums[TransferCode.POOL_PURCHASE],
        grid_purchase_micro=sums[TransferCode.GRID_PURCHASE],
        other_micro=sum(amount for code, amount in sums.items() if code not in _NAMED),
        transfer_ids=tuple(transfer.id for transfer in transfers),
        is_pruned=is_pruned,
    )
