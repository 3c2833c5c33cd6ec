"""A street under flat tariffs, metered hour by hour, whose money tests follow to the micro.

Alice and Bob have roofs, Charlie and Dora buy. Amounts are worked out by hand in the tests.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.domain.commands import Int64Array
from ledger.models import Block, Checkpoint
from ledger.queries import get_balances, list_transfer_columns
from ledger.services import SettlementWorker
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.rules import preset
from marketplace.domain.terms_document import TermsDocument
from marketplace.models import Clearing, Community, DeliveryInterval, Match, MeteringPoint
from marketplace.queries.period import list_settlement_keys
from marketplace.services.market_day import advance_community
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import Imported, import_readings
from marketplace.services.standing import set_standing_rule

START = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)
METERS = ("alice", "bob", "charlie", "dora")
RETAIL, FEED_IN, FEE = 600_000, 200_000, 10_000
# Of the demo preset.
DEADLINE = timedelta(minutes=1440)
CORRECTIONS = timedelta(days=30)

# Import and export of a meter. [Wh]
Flows = Mapping[str, tuple[int, int]]


def flat_rules(**changes: Any) -> dict[str, Any]:
    """Return the demo preset with one price round the clock."""
    whole_day = {"name": "flat", "days": "all", "from": "00:00", "to": "24:00"}
    return {
        **preset("demo"),
        "retail_tariff": [{**whole_day, "price_micro_per_kwh": RETAIL}],
        "feed_in_tariff": [{**whole_day, "price_micro_per_kwh": FEED_IN}],
        "platform_fee_micro_per_kwh": FEE,
        **changes,
    }


class Street:
    """One community and the ways to run its market."""

    def __init__(
        self, name: str = "Street", *, meters: Sequence[str] = METERS, **rule_changes: Any
    ) -> None:
        self.meters = meters
        self.community: Community = create_community(
            name=name,
            rules_document=flat_rules(**rule_changes),
            effective_from=START,
            now=START,
        )
        add_members(
            community_id=self.community.id,
            members=[NewMember(meter=meter, name=meter.title()) for meter in meters],
            active_from=START,
            now=START,
        )

    def point(self, meter: str) -> MeteringPoint:
        return MeteringPoint.objects.get(community=self.community, code=meter)

    def set_rule(
        self,
        meter: str,
        *,
        sell: int | None = None,
        buy: int | None = None,
        is_paused: bool = False,
        valid_until: datetime | None = None,
        now: datetime = START,
    ) -> TermsDocument:
        return set_standing_rule(
            metering_point_id=self.point(meter).id,
            sell_at_or_above_micro_per_kwh=sell,
            buy_at_or_below_micro_per_kwh=buy,
            is_paused=is_paused,
            valid_until=valid_until,
            now=now,
        )

    def send(self, flows: Flows, *, hour: int = 0, now: datetime = START) -> Imported:
        start = at(hour).isoformat()
        rows = [ReadingRow(meter, start, *energies) for meter, energies in flows.items()]
        return import_readings(
            community_id=self.community.id,
            readings=readings_of_rows(minutes=60, rows=rows),
            source="test.csv",
            sha256="0" * 64,
            now=now,
        )

    def run(self, now: datetime) -> None:
        """Let everything that is due happen."""
        worker = SettlementWorker(holder="test")
        assert worker.take_head()
        moved = True
        while moved:
            moved = advance_community(community_id=self.community.id, now=now).any
            moved = bool(worker.settle_inbox(now=now)) or moved
        worker.give_back()

    def attest(self) -> None:
        """Let the log sign the newest block and a quorum attest it."""
        block = Block.objects.latest("number")
        Checkpoint.objects.create(
            size=block.log_size,
            block=block,
            root=block.root,
            note="signed elsewhere",
            signed_at=START,
            attested_at=START,
        )

    def interval(self, hour: int = 0) -> DeliveryInterval:
        return DeliveryInterval.objects.get(community=self.community, starts_at=at(hour))

    def clearings(self, hour: int = 0) -> list[Clearing]:
        return list(Clearing.objects.filter(interval=self.interval(hour)).order_by("revision"))

    def trades(self, hour: int = 0) -> list[tuple[str, str, int]]:
        """Return (seller, buyer, Wh) of the latest revision."""
        interval = self.interval(hour)
        found = Match.objects.filter(interval=interval, revision=interval.revision)
        return sorted(
            found.values_list(
                "offer__metering_point__code", "request__metering_point__code", "quantity"
            )
        )

    def balances(self) -> dict[str, int]:
        """Return what each member and each party of the community has received less given."""
        community = self.community
        accounts = {
            code: account
            for code, account in MeteringPoint.objects.filter(community=community).values_list(
                "code", "site__participant__energy_account_id"
            )
            if account is not None
        } | {
            "pool": community.pool_account_id,
            "supplier": community.supplier_account_id,
            "platform": community.platform_account_id,
            "rounding": community.rounding_account_id,
        }
        found = get_balances(account_ids=accounts.values())
        return {name: found[account].posted for name, account in accounts.items()}

    def transfers(self, hour: int = 0) -> Int64Array:
        """Return the transfers of all revisions as columns; see the ledger's queries."""
        keys = list_settlement_keys(interval_ids=[self.interval(hour).id])
        return list_transfer_columns(keys=list(keys))


def at(hour: int) -> datetime:
    """Return the start of an hour."""
    return START + timedelta(hours=hour)
