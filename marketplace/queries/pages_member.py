"""One member's intervals: what was metered, what the neighbours took and gave, at which prices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import F

from ledger.queries import get_balances
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.settlement import settlement_key
from marketplace.models import Clearing, DeliveryInterval, MeteringPoint, Participant
from marketplace.queries.identity import names_of
from marketplace.queries.member_energy import list_member_energies
from marketplace.queries.pages import Place


@dataclass(frozen=True)
class MemberInterval:
    """An interval as one member sees it; energies are None while a reading is missing. [Wh]"""

    interval_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    revision: int
    import_wh: int | None
    export_wh: int | None
    bought_wh: int
    sold_wh: int
    grid_import_wh: int | None
    grid_export_wh: int | None
    price_micro_per_kwh: int | None
    retail_micro_per_kwh: int | None
    feed_in_micro_per_kwh: int | None
    platform_fee_micro_per_kwh: int | None
    is_left_out: bool

    @property
    def is_settled(self) -> bool:
        """Whether its money is in the book."""
        return DeliveryInterval.State[self.state.upper()].is_booked

    @property
    def is_sealed(self) -> bool:
        """Whether a quorum has attested the block that its money is in."""
        return self.state == DeliveryInterval.State.SEALED.label

    @property
    def command_keys(self) -> list[str]:
        """Keys of the ledger commands that settled it, one per revision."""
        return [settlement_key(self.interval_id, each) for each in range(1, self.revision + 1)]


@dataclass(frozen=True)
class MeterName:
    """A metering point with the site it measures."""

    metering_point_id: int
    code: str
    site: str


def list_meters(*, participant_id: int) -> list[MeterName]:
    """Return a member's metering points."""
    points = MeteringPoint.objects.filter(site__participant_id=participant_id)
    found = list(points.select_related("site__participant").order_by("id"))
    names = names_of(point.site.participant for point in found)
    return [
        MeterName(point.id, point.code, point.site.label or names[participant_id])
        for point in found
    ]


def is_over_credit_limit(*, participant_id: int, account_id: int, usual_micro: int | None) -> bool:
    """Return whether a member owes more than their own limit, else the rules' usual one."""
    participants = Participant.objects.filter(id=participant_id)
    own = participants.values_list("credit_limit_micro", flat=True).first()
    limit = usual_micro if own is None else own
    if limit is None:
        return False
    return -get_balances(account_ids=[account_id])[account_id].posted > limit


def list_member_intervals(
    *, participant_id: int, place: Place, start: datetime, end: datetime
) -> list[MemberInterval]:
    """Return a member's intervals that start in a period, in order."""
    intervals = DeliveryInterval.objects.filter(
        community_id=place.community_id, starts_at__gte=start, starts_at__lt=end
    ).order_by("starts_at")
    return _member_intervals(participant_id, list(intervals))


def get_member_interval(
    *, participant_id: int, place: Place, interval_id: int
) -> MemberInterval | None:
    """Return one interval of the member's community; None if it is no interval of it."""
    found = DeliveryInterval.objects.filter(community_id=place.community_id, pk=interval_id)
    rows = _member_intervals(participant_id, list(found))
    return rows[0] if rows else None


def _member_intervals(
    participant_id: int, intervals: list[DeliveryInterval]
) -> list[MemberInterval]:
    ids = [interval.pk for interval in intervals]
    clearings = {
        clearing.interval_id: clearing
        for clearing in Clearing.objects.filter(
            interval__in=ids, revision=F("interval__revision")
        ).defer("book")
    }
    energies = list_member_energies(participant_id=participant_id, clearings=clearings, ids=ids)
    left_out = _left_out(participant_id, clearings.values())
    rows = []
    for interval in intervals:
        clearing = clearings.get(interval.pk)
        energy = energies[interval.pk]
        rows.append(
            MemberInterval(
                interval_id=interval.pk,
                starts_at=interval.starts_at,
                ends_at=interval.ends_at,
                state=DeliveryInterval.State(interval.state).label,
                revision=interval.revision,
                import_wh=energy.import_wh,
                export_wh=energy.export_wh,
                bought_wh=energy.bought_wh,
                sold_wh=energy.sold_wh,
                grid_import_wh=energy.grid_import_wh,
                grid_export_wh=energy.grid_export_wh,
                price_micro_per_kwh=_price(clearing, energy.zone),
                retail_micro_per_kwh=clearing.retail_micro_per_kwh if clearing else None,
                feed_in_micro_per_kwh=clearing.feed_in_micro_per_kwh if clearing else None,
                platform_fee_micro_per_kwh=(
                    clearing.platform_fee_micro_per_kwh if clearing else None
                ),
                is_left_out=interval.pk in left_out,
            )
        )
    return rows


def _price(clearing: Clearing | None, zone: str | None) -> int | None:
    """Return the price in a zone; None where there is none, or not one alone."""
    if clearing is None:
        return None
    prices: dict[str | None, int | None] = clearing.prices or {}
    return prices.get(zone, clearing.price_micro_per_kwh)


def _left_out(participant_id: int, clearings: Iterable[Clearing]) -> set[int]:
    """Return the intervals whose auction a credit limit kept this member out of."""
    some = [clearing.pk for clearing in clearings if clearing.left_out_count]
    if not some:
        return set()
    points = MeteringPoint.objects.filter(site__participant_id=participant_id)
    own = list(points.values_list("id", flat=True))
    books = Clearing.objects.filter(pk__in=some).values_list("interval_id", "book")
    return {
        interval_id
        for interval_id, book in books
        if np.isin(own, IntervalBook.unpacked(bytes(book)).left_out_ids).any()
    }
