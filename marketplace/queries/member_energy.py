"""What a member's metering points did in some intervals: the figures that bills are made of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db.models import F

from marketplace.domain.billing.positions import accounts_of, billing_positions
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market_part import Deviation
from marketplace.domain.member_energy import Traded
from marketplace.models import Clearing, Match, MeteringPoint, Participant, Reading, RuleSet
from marketplace.queries.point_history import trades_of_points


@dataclass(frozen=True)
class MemberEnergy:
    """One interval of a member; energies of the grid are None while a reading is missing. [Wh]

    ``zone`` is where the member is metered; None where that is in several.
    """

    import_wh: int | None
    export_wh: int | None
    bought_wh: int
    sold_wh: int
    grid_import_wh: int | None
    grid_export_wh: int | None
    zone: str | None


@dataclass(frozen=True)
class _Sides:
    """What each metering point bought and sold in one interval."""

    bought: dict[int, Traded]
    sold: dict[int, Traded]
    is_forward: bool


def list_member_energies(
    *, participant_id: int, clearings: Mapping[int, Clearing], ids: Sequence[int]
) -> dict[int, MemberEnergy]:
    """Return a member's energies in intervals of one community, by interval.

    Parameters
    ----------
    clearings : mapping
        The clearing in force of each interval that has one.
    ids : sequence of int
        The intervals.
    """
    points = dict(
        MeteringPoint.objects.filter(site__participant_id=participant_id).values_list(
            "id", "site__zone__code"
        )
    )
    zones = set(points.values())
    zone = zones.pop() if len(zones) == 1 else None
    readings, sides = _readings(points, ids), _sides(points, ids)
    deviations = _deviations([each for each in ids if each in sides and sides[each].is_forward])
    found = {
        each: _energy(readings.get(each, {}), sides.get(each), deviations.get(each), zone)
        for each in ids
    }
    late = [
        clearings[each].pk
        for each in deviations
        if each in clearings and clearings[each].reason == Clearing.Reason.AFTER_DEADLINE
    ]
    return {**found, **_by_the_books(participant_id, late, found)}


def _energy(
    metered: Mapping[int, tuple[int, int]],
    sides: _Sides | None,
    deviation: Deviation | None,
    zone: str | None,
) -> MemberEnergy:
    none: dict[int, Traded] = {}
    bought, sold = (sides.bought, sides.sold) if sides else (none, none)
    return MemberEnergy(
        *_metered(metered),
        bought_wh=sum(each.paid(deviation) for each in bought.values()),
        sold_wh=sum(each.paid(deviation) for each in sold.values()),
        grid_import_wh=_sum(
            bought.get(point, Traded()).with_grid(wh, deviation)
            for point, (wh, _) in metered.items()
        ),
        grid_export_wh=_sum(
            sold.get(point, Traded()).with_grid(wh, deviation) for point, (_, wh) in metered.items()
        ),
        zone=zone,
    )


def _by_the_books(
    participant_id: int, clearing_ids: Sequence[int], found: Mapping[int, MemberEnergy]
) -> dict[int, MemberEnergy]:
    """Return what books say by interval: trades stand there by other readings than the latest."""
    if not clearing_ids:
        return {}
    account = Participant.objects.values_list("energy_account_id", flat=True).get(id=participant_id)
    books = Clearing.objects.filter(pk__in=clearing_ids).values_list("interval_id", "book")
    energies = {}
    for interval_id, packed in books.iterator(chunk_size=20):
        book = IntervalBook.unpacked(bytes(packed))
        accounts = accounts_of(book)
        positions = billing_positions(book, interval=0, weight=1, accounts=accounts)
        own = accounts[positions.members] == (account or 0)
        bought = positions.bought_wh + positions.agreed_bought_wh
        sold = positions.sold_wh + positions.agreed_sold_wh
        energies[interval_id] = replace(
            found[interval_id],
            bought_wh=int(bought[own].sum()),
            sold_wh=int(sold[own].sum()),
            grid_import_wh=int(positions.grid_import_wh[own].sum()),
            grid_export_wh=int(positions.grid_export_wh[own].sum()),
        )
    return energies


def _metered(metered: Mapping[int, tuple[int, int]]) -> tuple[int | None, int | None]:
    return _sum(wh for wh, _ in metered.values()), _sum(wh for _, wh in metered.values())


def _sum(energies: Iterable[int]) -> int | None:
    """Add up; None if there is nothing to add: what is missing is missing, never zero."""
    every = list(energies)
    return sum(every) if every else None


def _readings(
    points: Iterable[int], interval_ids: Sequence[int]
) -> dict[int, dict[int, tuple[int, int]]]:
    """Return import and export by interval and metering point, in their latest version."""
    latest = (
        Reading.objects.filter(interval__in=interval_ids, metering_point__in=points)
        .order_by("interval", "metering_point", "-version")
        .distinct("interval", "metering_point")
        .values_list("interval_id", "metering_point_id", "import_wh", "export_wh")
    )
    found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for interval, point, imported, exported in latest:
        found[interval][point] = imported, exported
    return found


def _sides(points: Mapping[int, str], interval_ids: Sequence[int]) -> dict[int, _Sides]:
    matches = Match.objects.filter(
        trades_of_points(list(points)),
        interval__in=interval_ids,
        revision=F("interval__revision"),
    ).values_list(
        *("interval_id", "seller_point_id", "buyer_point_id", "agreement_id", "sell_order_id"),
        *("quantity", "delivered_wh"),
    )
    found: dict[int, _Sides] = {}
    forward: set[int] = set()
    for interval, seller, buyer, agreement, order, quantity, delivered in matches:
        sides = found.setdefault(interval, _Sides({}, {}, is_forward=False))
        if agreement:
            traded = Traded(agreed=quantity)
        else:
            traded = Traded(pool=quantity, delivered=quantity if delivered is None else delivered)
        for point, side in ((buyer, sides.bought), (seller, sides.sold)):
            if point in points:
                side[point] = side.get(point, Traded()) + traded
        if order:
            forward.add(interval)
    return {
        interval: _Sides(each.bought, each.sold, is_forward=interval in forward)
        for interval, each in found.items()
    }


def _deviations(interval_ids: Sequence[int]) -> dict[int, Deviation]:
    """Return the deviation rule of intervals that were traded ahead."""
    if not interval_ids:
        return {}
    return dict(
        RuleSet.objects.filter(intervals__in=interval_ids).values_list(
            "intervals", "document__deviation"
        )
    )
