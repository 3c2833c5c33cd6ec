"""Rollups over HTTP: sums of a community and its zones, never of too few households."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.domain.disclosure import shown_groups
from analytics.queries import Rollup, get_period_totals, list_latest_rollups
from marketplace.api.asked import MomentField, PeriodIn, asked_for, id_field, reach_of
from marketplace.api.paging import PAGE_PARAMETERS, moment_of, page_of, pages
from marketplace.queries.pages import get_minimum_group_size
from marketplace.queries.pages_community import list_zone_names

SUMS = ("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh")


class SharesOut(serializers.Serializer[Any]):
    """What a group of meters came to; null where it has too few of them to be shown."""

    import_wh = serializers.IntegerField(allow_null=True)
    export_wh = serializers.IntegerField(allow_null=True)
    bought_wh = serializers.IntegerField(allow_null=True, help_text="In the community's pool.")
    sold_wh = serializers.IntegerField(allow_null=True, help_text="Into the community's pool.")
    grid_import_wh = serializers.IntegerField(allow_null=True)
    grid_export_wh = serializers.IntegerField(allow_null=True)
    self_sufficiency = serializers.FloatField(allow_null=True, help_text="Bought / import.")
    self_consumption = serializers.FloatField(allow_null=True, help_text="Sold / export.")


class ZoneOut(SharesOut):
    """A zone in an interval."""

    zone_id = serializers.IntegerField()
    zone = serializers.CharField()


class RollupOut(SharesOut):
    """An interval of a community."""

    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    revision = serializers.IntegerField()
    is_suppressed = serializers.BooleanField(help_text="Too few meters to show sums.")
    price_micro_per_kwh = serializers.IntegerField(allow_null=True)
    zones = ZoneOut(many=True)


class TotalsOut(SharesOut):
    """A community over a period; intervals of too few meters are left out."""

    interval_count = serializers.IntegerField()
    mean_price_micro_per_kwh = serializers.IntegerField(allow_null=True)


class RollupsAsked(PeriodIn):
    """Which rollups."""

    community = id_field("The community.", required=True)


class TotalsAsked(serializers.Serializer[Any]):
    """Which sum."""

    community = id_field("The community.", required=True)
    start = MomentField(help_text="ISO 8601 with offset, included.")
    end = MomentField(help_text="ISO 8601 with offset, excluded.")


@dataclass(frozen=True)
class _IntervalRow:
    """An interval's zones with its place in the order of time."""

    zones: Sequence[Rollup]

    @property
    def id(self) -> int:
        return int(self.zones[0].starts_at.timestamp())


class RollupList(APIView):
    """Rollups by interval."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, RollupsAsked], responses=pages(RollupOut))
    def get(self, request: Request) -> Response:
        """List what a community's intervals came to, newest first."""
        asked = asked_for(request, RollupsAsked)
        community_id = _watched(request, asked["community"])
        names = list_zone_names(community_id=community_id)
        minimum = get_minimum_group_size(community_id=community_id, now=timezone.now())

        def fetch(before: int | None, limit: int) -> list[_IntervalRow]:
            found = list_latest_rollups(
                community_id=community_id,
                start=asked["start"],
                end=asked["end"],
                before=moment_of(before),
                limit=limit,
            )
            return [_IntervalRow(zones) for zones in found]

        return page_of(request, fetch, lambda row: _interval_body(row.zones, names, minimum))


class RollupTotals(APIView):
    """Rollups of a period."""

    @extend_schema(parameters=[TotalsAsked], responses=TotalsOut)
    def get(self, request: Request) -> Response:
        """Sum a community over a period."""
        asked = asked_for(request, TotalsAsked)
        community_id = _watched(request, asked["community"])
        minimum = get_minimum_group_size(community_id=community_id, now=timezone.now())
        start: datetime = asked["start"]
        totals = get_period_totals(
            community_id=community_id, start=start, end=asked["end"], meters_at_least=minimum
        )
        return Response(TotalsOut(totals).data)


def _watched(request: Request, community_id: int) -> int:
    """Return a community whose newest figures the caller may see: planners see released ones."""
    if community_id not in reach_of(request).current:
        raise Http404
    return community_id


def _interval_body(zones: Sequence[Rollup], names: dict[int, str], minimum: int) -> dict[str, Any]:
    sizes = {zone.zone_id: zone.meter_count for zone in zones}
    is_small = sum(sizes.values()) < minimum
    shown = frozenset() if is_small else shown_groups(sizes, minimum)
    values = {
        **_shares(zones, is_shown=not is_small),
        "interval_id": zones[0].interval_id,
        "starts_at": zones[0].starts_at,
        "revision": zones[0].revision,
        "is_suppressed": is_small,
        "price_micro_per_kwh": zones[0].price_micro_per_kwh,
        "zones": [
            {
                **_shares([zone], is_shown=zone.zone_id in shown),
                "zone_id": zone.zone_id,
                "zone": names[zone.zone_id],
            }
            for zone in zones
        ],
    }
    return dict(RollupOut(values).data)


def _shares(zones: Sequence[Rollup], *, is_shown: bool) -> dict[str, int | float | None]:
    if not is_shown:
        return dict.fromkeys((*SUMS, "self_sufficiency", "self_consumption"))
    sums = {name: sum(getattr(zone, name) for zone in zones) for name in SUMS}
    return {
        **sums,
        "self_sufficiency": sums["bought_wh"] / sums["import_wh"] if sums["import_wh"] else None,
        "self_consumption": sums["sold_wh"] / sums["export_wh"] if sums["export_wh"] else None,
    }
