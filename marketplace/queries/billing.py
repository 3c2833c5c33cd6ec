"""What is there to bill, and what was billed: runs, statements, their items."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import Max, Q, QuerySet

from marketplace.domain.billing.amounts import due_micro, payable
from marketplace.domain.billing.lines import ORDER_OF_LINES
from marketplace.domain.billing.statements import NO_PRICE
from marketplace.models import (
    BilledSettlement,
    BillingRun,
    DeliveryInterval,
    FinalBilling,
    Participant,
    Statement,
    StatementItem,
)
from marketplace.queries.identity import names_of

State = DeliveryInterval.State

_DUE = """
SELECT s.id, coalesce(s.command_key, ''), c.interval_id, c.revision, i.starts_at
FROM marketplace_deliveryinterval i
JOIN marketplace_clearing c ON c.interval_id = i.id
JOIN marketplace_settlement s ON s.clearing_id = c.id AND s.state = 2
WHERE i.community_id = %s AND i.starts_at < %s
    AND NOT EXISTS (SELECT FROM marketplace_billedsettlement b WHERE b.settlement_id = s.id)
ORDER BY i.starts_at, c.revision
"""


_DIFFERENCES = """
SELECT participant_id, coalesce(b.net_micro, 0), coalesce(a.net_micro, 0),
    coalesce(b.payable_minor, 0), coalesce(a.payable_minor, 0)
FROM (SELECT * FROM marketplace_statement WHERE run_id = %(run)s) a
FULL JOIN (SELECT * FROM marketplace_statement WHERE run_id = %(before)s) b
    USING (participant_id)
WHERE (a.net_micro, a.tax_micro, a.payable_minor)
    IS DISTINCT FROM (b.net_micro, b.tax_micro, b.payable_minor)
ORDER BY abs(coalesce(a.net_micro, 0) - coalesce(b.net_micro, 0)) DESC, participant_id
"""

_RUN_TOTALS = """
SELECT run_id, count(*), sum(import_wh), sum(export_wh), sum(bought_wh), sum(sold_wh),
    sum(alone_micro), sum(net_micro), sum(correction_micro), sum(tax_micro),
    coalesce(-sum(payable_minor) FILTER (WHERE payable_minor < 0), 0),
    coalesce(sum(payable_minor) FILTER (WHERE payable_minor > 0), 0)
FROM marketplace_statement WHERE run_id = ANY(%s) GROUP BY run_id
"""

_ITEM_SUMS = """
SELECT s.account_id, i.line, sum(i.amount_micro)::bigint
FROM marketplace_statementitem i
JOIN marketplace_statement s ON s.run_id = i.run_id AND s.participant_id = i.participant_id
WHERE i.run_id = %s GROUP BY s.account_id, i.line
"""


@dataclass(frozen=True, slots=True)
class DueSettlement:
    """A booked settlement that no final run has billed; without a key nothing moved."""

    id: int
    command_key: str
    interval_id: int
    revision: int
    starts_at: datetime


@dataclass(frozen=True)
class RunLine:
    """A billing run with its totals; ``number`` is None while it is a preview."""

    id: int
    community_id: int
    month: date
    starts_at: datetime
    ends_at: datetime
    tax_ppm: int
    tax_is_included: bool
    settlement_count: int
    settlements_sha256: str
    made_at: datetime
    number: int | None
    finalised_at: datetime | None
    statements_sha256: str


@dataclass(frozen=True)
class RunTotals:
    """Sums over the statements of a run. [Wh], [micro], and minor units"""

    statement_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    alone_micro: int
    net_micro: int
    correction_micro: int
    tax_micro: int
    receivable_minor: int
    payable_minor: int


@dataclass(frozen=True)
class Difference:
    """A member whose statement two runs differ in. [micro], minor units"""

    participant_id: int
    name: str
    before_micro: int
    after_micro: int
    before_minor: int
    after_minor: int


@dataclass(frozen=True)
class ItemLine:
    """A line of a statement, positive when received; ``corrected_at`` names a billed interval."""

    line: int
    price_micro_per_kwh: int | None
    energy_wh: int
    amount_micro: int
    interval_id: int | None
    corrected_at: datetime | None

    @property
    def mean_price_micro_per_kwh(self) -> int | None:
        """The price, or what the money comes to per kWh where prices varied."""
        if self.price_micro_per_kwh is not None:
            return self.price_micro_per_kwh
        return round(abs(self.amount_micro) * 1000 / self.energy_wh) if self.energy_wh else None


@dataclass(frozen=True)
class StatementLine:
    """A statement as it was made. [Wh], [micro]"""

    participant_id: int
    name: str
    account_id: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    agreed_bought_wh: int
    agreed_sold_wh: int
    alone_micro: int
    net_micro: int
    correction_micro: int
    tax_micro: int
    carried_micro: int
    payable_minor: int

    @property
    def saved_micro(self) -> int:
        """What the market was worth in the period, against the grid alone."""
        return self.net_micro - self.correction_micro - self.alone_micro


def list_due_settlements(*, community_id: int, before: datetime) -> list[DueSettlement]:
    """Return the booked settlements of intervals that start before a moment and are not billed."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [community_id, before])
        return [DueSettlement(*row) for row in cursor.fetchall()]


def get_billed_revisions(*, interval_ids: Collection[int]) -> dict[int, int]:
    """Return the last revision that a final run has billed, by interval."""
    rows = (
        BilledSettlement.objects.filter(settlement__clearing__interval__in=list(interval_ids))
        .values_list("settlement__clearing__interval_id")
        .annotate(last=Max("settlement__clearing__revision"))
        .order_by()
    )
    return dict(rows)


def count_unsettled(*, community_id: int, start: datetime, end: datetime) -> int:
    """Return how many intervals of a period are not booked yet, or have news."""
    waits = Q(state__lt=State.SETTLED) | Q(has_news=True)
    return DeliveryInterval.objects.filter(
        waits, community_id=community_id, starts_at__gte=start, starts_at__lt=end
    ).count()


def list_billed_accounts(*, community_id: int) -> list[tuple[int, int]]:
    """Return the members' energy accounts in ascending order, each with its participant."""
    rows = Participant.objects.filter(
        community_id=community_id, energy_account_id__isnull=False
    ).order_by("energy_account_id")
    return [
        (account, participant)
        for account, participant in rows.values_list("energy_account_id", "id")
        if account is not None
    ]


def list_runs(*, community_ids: Collection[int], limit: int = 50) -> list[RunLine]:
    """Return the newest billing runs of some communities."""
    found = BillingRun.objects.filter(community__in=list(community_ids)).select_related("final")
    return [_run_line(each) for each in found.order_by("-id")[:limit]]


def find_run(*, run_id: int) -> RunLine | None:
    """Return a billing run; None if there is none."""
    found = BillingRun.objects.filter(id=run_id).select_related("final").first()
    return _run_line(found) if found else None


def find_run_before(*, run: RunLine) -> RunLine | None:
    """Return the run of the same community and month that was made just before."""
    found = BillingRun.objects.filter(
        community_id=run.community_id, month=run.month, id__lt=run.id
    ).select_related("final")
    newest = found.order_by("-id").first()
    return _run_line(newest) if newest else None


def find_newest_run(*, community_id: int, month: date) -> RunLine | None:
    """Return the newest run of a month, final or not; None without any."""
    found = BillingRun.objects.filter(community=community_id, month=month)
    newest = found.select_related("final").order_by("-id").first()
    return _run_line(newest) if newest else None


def find_final(*, community_id: int, month: date) -> RunLine | None:
    """Return the final run of a month; None while there is none."""
    found = FinalBilling.objects.filter(community_id=community_id, month=month)
    final = found.select_related("run").first()
    return _run_line(final.run) if final else None


def list_final_months(*, community_id: int) -> list[date]:
    """Return the months that are final, newest first."""
    found = FinalBilling.objects.filter(community_id=community_id).order_by("-month")
    return list(found.values_list("month", flat=True))


def get_run_totals(*, run_ids: Sequence[int]) -> dict[int, RunTotals]:
    """Return the sums of some runs' statements; a run without any is absent."""
    with connection.cursor() as cursor:
        cursor.execute(_RUN_TOTALS, [list(run_ids)])
        return {row[0]: RunTotals(*map(int, row[1:])) for row in cursor.fetchall()}


def list_statements(*, run_id: int, limit: int | None = None) -> list[StatementLine]:
    """Return the statements of a run in order of participant, the first of them or all."""
    return _statement_lines(Statement.objects.filter(run=run_id), limit)


def find_statement(*, run_id: int, participant_id: int) -> StatementLine | None:
    """Return one member's statement in a run; None without one."""
    found = _statement_lines(Statement.objects.filter(run=run_id, participant=participant_id), 1)
    return found[0] if found else None


def list_items(*, run_id: int, participant_id: int) -> list[ItemLine]:
    """Return the lines of a statement: of the period, then corrections by their interval."""
    rows = StatementItem.objects.filter(run=run_id, participant=participant_id).select_related(
        "interval"
    )
    lines = [
        ItemLine(
            line=each.line,
            price_micro_per_kwh=each.price_micro_per_kwh,
            energy_wh=each.energy_wh,
            amount_micro=each.amount_micro,
            interval_id=each.interval_id,
            corrected_at=each.interval.starts_at if each.interval else None,
        )
        for each in rows
    ]
    lines.sort(key=_order)
    return lines


def get_carried(*, community_id: int, currency: str) -> dict[int, int]:
    """Return what each member's newest final statement left below one minor unit. [micro]"""
    newest = (
        Statement.objects.filter(run__final__community=community_id)
        .order_by("participant_id", "-run__final__number")
        .distinct("participant_id")
        .values_list(
            "participant_id", "net_micro", "tax_micro", "carried_micro", "run__tax_is_included"
        )
    )
    return {
        participant: payable(
            due_micro(net, tax, carried, is_included=included), currency
        ).rest_micro
        for participant, net, tax, carried, included in newest
    }


def list_differences(*, run_id: int, before_id: int) -> list[Difference]:
    """Return the members whose sum differs between two runs, the largest difference first."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"run": run_id, "before": before_id})
        rows = cursor.fetchall()
    participants = Participant.objects.in_bulk([row[0] for row in rows])
    names = names_of(participants.values())
    return [Difference(row[0], names.get(row[0], ""), *row[1:]) for row in rows]


def sum_items(*, run_id: int) -> dict[tuple[int, int], int]:
    """Return what a run's items come to, by account and line; added up by the database. [micro]"""
    with connection.cursor() as cursor:
        cursor.execute(_ITEM_SUMS, [run_id])
        return {(account, line): amount for account, line, amount in cursor.fetchall()}


def _order(line: ItemLine) -> tuple[int, int, int]:
    price = NO_PRICE if line.price_micro_per_kwh is None else line.price_micro_per_kwh
    moment = int(line.corrected_at.timestamp()) if line.corrected_at else 0
    return moment, ORDER_OF_LINES[line.line], price


def _statement_lines(found: QuerySet[Statement], limit: int | None) -> list[StatementLine]:
    rows = list(found.select_related("participant").order_by("participant_id")[:limit])
    names = names_of(each.participant for each in rows)
    return [
        StatementLine(
            participant_id=each.participant_id,
            name=names.get(each.participant_id, ""),
            account_id=each.account_id,
            import_wh=each.import_wh,
            export_wh=each.export_wh,
            bought_wh=each.bought_wh,
            sold_wh=each.sold_wh,
            agreed_bought_wh=each.agreed_bought_wh,
            agreed_sold_wh=each.agreed_sold_wh,
            alone_micro=each.alone_micro,
            net_micro=each.net_micro,
            correction_micro=each.correction_micro,
            tax_micro=each.tax_micro,
            carried_micro=each.carried_micro,
            payable_minor=each.payable_minor,
        )
        for each in rows
    ]


def _run_line(run: BillingRun) -> RunLine:
    final = getattr(run, "final", None)
    return RunLine(
        id=run.id,
        community_id=run.community_id,
        month=run.month,
        starts_at=run.starts_at,
        ends_at=run.ends_at,
        tax_ppm=run.tax_ppm,
        tax_is_included=run.tax_is_included,
        settlement_count=run.settlement_count,
        settlements_sha256=run.settlements_sha256,
        made_at=run.made_at,
        number=final.number if final else None,
        finalised_at=final.finalised_at if final else None,
        statements_sha256=final.statements_sha256 if final else "",
    )
