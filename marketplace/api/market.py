"""What the market did: intervals, trades, statements and transfers."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.queries import TransferLine, list_transfers
from marketplace.api.asked import (
    CommunityPeriodIn,
    MemberPeriodIn,
    asked_for,
    id_field,
    member_of,
    reach_of,
)
from marketplace.api.paging import PAGE_PARAMETERS, moment_of, page_of, pages
from marketplace.domain.transfer_codes import TransferCode
from marketplace.models import DeliveryInterval
from marketplace.queries.metering import list_small_intervals
from marketplace.queries.pages import Persona, Place
from marketplace.queries.statements import StatementLine, list_statement_lines
from marketplace.queries.trades import (
    IntervalLine,
    list_interval_starts,
    list_intervals,
    list_trades,
)

STATES = [state.label for state in DeliveryInterval.State]
CODES = {int(code): code.name.lower() for code in TransferCode}


class IntervalOut(serializers.Serializer[Any]):
    """A delivery interval with its latest clearing; null before the first."""

    id = serializers.IntegerField()
    community_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=STATES)
    revision = serializers.IntegerField(help_text="How often it was cleared.")
    has_news = serializers.BooleanField(help_text="Readings came after the latest clearing.")
    volume_wh = serializers.IntegerField(
        allow_null=True, help_text="null also where too few meters would stand behind it."
    )
    price_micro_per_kwh = serializers.IntegerField(allow_null=True)
    retail_micro_per_kwh = serializers.IntegerField(allow_null=True)
    feed_in_micro_per_kwh = serializers.IntegerField(allow_null=True)
    platform_fee_micro_per_kwh = serializers.IntegerField(allow_null=True)
    missing_count = serializers.IntegerField(
        allow_null=True, help_text="Metering points without a reading."
    )
    left_out_count = serializers.IntegerField(
        allow_null=True,
        help_text="Metering points over their credit limit; null where the volume is.",
    )
    cleared_at = serializers.DateTimeField(allow_null=True)


class TradeOut(serializers.Serializer[Any]):
    """A trade. Of the other side only the zone is told."""

    id = serializers.IntegerField()
    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    side = serializers.ChoiceField(choices=["sell", "buy", "both"])
    quantity_wh = serializers.IntegerField()
    price_micro_per_kwh = serializers.IntegerField()
    seller_zone = serializers.CharField()
    buyer_zone = serializers.CharField()
    seller_metering_point_id = serializers.IntegerField(allow_null=True, help_text="If yours.")
    buyer_metering_point_id = serializers.IntegerField(allow_null=True, help_text="If yours.")


class StatementOut(serializers.Serializer[Any]):
    """An interval of a member with its money; amounts are positive when they came in."""

    participant_id = serializers.IntegerField()
    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=STATES)
    import_wh = serializers.IntegerField(allow_null=True, help_text="null: a reading is missing.")
    export_wh = serializers.IntegerField(allow_null=True)
    bought_wh = serializers.IntegerField(help_text="From neighbours.")
    sold_wh = serializers.IntegerField(help_text="To neighbours.")
    grid_import_wh = serializers.IntegerField(allow_null=True)
    grid_export_wh = serializers.IntegerField(allow_null=True)
    price_micro_per_kwh = serializers.IntegerField(allow_null=True)
    retail_micro_per_kwh = serializers.IntegerField(allow_null=True)
    feed_in_micro_per_kwh = serializers.IntegerField(allow_null=True)
    platform_fee_micro_per_kwh = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    pool_sale_micro = serializers.IntegerField()
    pool_purchase_micro = serializers.IntegerField(help_text="The platform's fee included.")
    grid_sale_micro = serializers.IntegerField()
    grid_purchase_micro = serializers.IntegerField()
    net_micro = serializers.IntegerField()
    alone_micro = serializers.IntegerField(
        allow_null=True, help_text="What it would have come to with the grid alone."
    )
    transfer_ids = serializers.ListField(child=serializers.IntegerField())


class TransferOut(serializers.Serializer[Any]):
    """A transfer of the book; the amount is positive when it came in."""

    id = serializers.IntegerField()
    command_key = serializers.CharField()
    leg = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=["posted", "hold", "post", "release"])
    code = serializers.CharField(help_text="Why money moved.")
    amount_micro = serializers.IntegerField()
    counterparty = serializers.ChoiceField(
        choices=["pool", "supplier", "platform", "rounding", "other"]
    )
    booked_at = serializers.DateTimeField()


class IntervalsAsked(CommunityPeriodIn):
    """Which intervals."""

    state = serializers.ChoiceField(choices=STATES, required=False)


class TransfersAsked(serializers.Serializer[Any]):
    """Whose transfers."""

    participant = id_field("Only this participant.")


@dataclass(frozen=True)
class _StatementRow:
    """A line of a statement with its place in the order of time."""

    line: StatementLine

    @property
    def id(self) -> int:
        return int(self.line.interval.starts_at.timestamp())


class IntervalList(APIView):
    """Delivery intervals."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, IntervalsAsked], responses=pages(IntervalOut))
    def get(self, request: Request) -> Response:
        """List the intervals of your communities: state, price, volume, and how many were missing.

        For members and operators. Planners see released days, under `analytics/`.
        """
        asked, reach = asked_for(request, IntervalsAsked), reach_of(request)
        chosen = asked["community"]
        communities = reach.current if chosen is None else reach.current & {chosen}
        now, small = timezone.now(), set[int]()

        def fetch(before_id: int | None, limit: int) -> list[IntervalLine]:
            lines = list_intervals(
                community_ids=communities,
                state=asked["state"],
                start=asked["start"],
                end=asked["end"],
                before_id=before_id,
                limit=limit,
            )
            # What was cleared without a late reading stands on fewer meters than have reported now.
            small.update(
                line.id
                for line in lines
                if line.has_news and line.missing_count and line.community_id not in reach.operated
            )
            small.update(
                list_small_intervals(
                    interval_ids=[line.id for line in lines],
                    community_ids=communities - reach.operated,
                    now=now,
                )
            )
            return lines

        return page_of(request, fetch, lambda line: _interval_body(line, is_small=line.id in small))


class TradeList(APIView):
    """Trades."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, MemberPeriodIn], responses=pages(TradeOut))
    def get(self, request: Request) -> Response:
        """List your trades, newest first."""
        asked, reach = asked_for(request, MemberPeriodIn), reach_of(request)
        chosen = asked["participant"]
        own = reach.own_ids if chosen is None else {member_of(reach, chosen).participant_id}
        return page_of(
            request,
            lambda before_id, limit: list_trades(
                participant_ids=own,
                start=asked["start"],
                end=asked["end"],
                before_id=before_id,
                limit=limit,
            ),
            lambda line: dict(TradeOut(line).data),
        )


class StatementList(APIView):
    """Statements."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, MemberPeriodIn], responses=pages(StatementOut))
    def get(self, request: Request) -> Response:
        """List a member's intervals with energy, prices, money and its transfers, newest first."""
        asked = asked_for(request, MemberPeriodIn)
        member = member_of(reach_of(request), asked["participant"])
        place = member.place
        assert place is not None, member  # who has an energy account is in a community

        def fetch(before: int | None, limit: int) -> list[_StatementRow]:
            starts = list_interval_starts(
                community_id=place.community_id,
                start=asked["start"],
                end=asked["end"],
                before=moment_of(before),
                limit=limit,
            )
            if not starts:
                return []
            lines = list_statement_lines(
                persona=member,
                place=place,
                start=starts[-1],
                end=starts[0] + timedelta(microseconds=1),
            )
            return [_StatementRow(line) for line in reversed(lines)]

        return page_of(request, fetch, lambda row: _statement_body(member, place, row.line))


class TransferList(APIView):
    """Transfers."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, TransfersAsked], responses=pages(TransferOut))
    def get(self, request: Request) -> Response:
        """List the transfers of your accounts, newest first."""
        asked, reach = asked_for(request, TransfersAsked), reach_of(request)
        chosen = asked["participant"]
        holders = reach.personas if chosen is None else (member_of(reach, chosen),)
        accounts = [
            account
            for each in holders
            for account in (each.energy_account_id, each.wallet_account_id)
            if account is not None
        ]
        names = _names_of_accounts(holders)
        return page_of(
            request,
            lambda before_id, limit: list_transfers(
                account_ids=accounts, before_id=before_id, limit=limit
            ),
            lambda line: _transfer_body(line, names),
        )


def _interval_body(line: IntervalLine, *, is_small: bool) -> dict[str, Any]:
    # Two households know each other's figures from their own and the sum, and who of the two is
    # over the credit limit.
    shown = replace(line, volume_wh=None, left_out_count=None) if is_small else line
    return dict(IntervalOut(shown).data)


def _statement_body(member: Persona, place: Place, line: StatementLine) -> dict[str, Any]:
    interval = line.interval
    names = StatementOut().fields.keys()
    values = {name: getattr(interval, name) for name in names if hasattr(interval, name)}
    values |= {name: getattr(line, name) for name in names if hasattr(line, name)}
    values |= {"participant_id": member.participant_id, "currency": place.currency}
    return dict(StatementOut(values).data)


def _names_of_accounts(holders: tuple[Persona, ...]) -> dict[int, str]:
    names = {}
    for place in {each.place for each in holders if each.place is not None}:
        names[place.pool_account_id] = "pool"
        names[place.supplier_account_id] = "supplier"
        names[place.platform_account_id] = "platform"
        names[place.rounding_account_id] = "rounding"
    return names


def _transfer_body(line: TransferLine, names: dict[int, str]) -> dict[str, Any]:
    values = {
        "id": line.id,
        "command_key": line.command_key,
        "leg": line.leg,
        "kind": line.kind,
        "code": CODES.get(line.code, str(line.code)),
        "amount_micro": line.amount,
        "counterparty": names.get(line.counterparty_account_id, "other"),
        "booked_at": line.booked_at,
    }
    return dict(TransferOut(values).data)
