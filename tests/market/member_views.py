"""A member's day, their bill and the reasons of a figure are one: the same energies in each."""

import numpy as np

from marketplace.domain.billing.positions import accounts_of, billing_positions, points_of
from marketplace.domain.interval_book import IntervalBook
from marketplace.models import Clearing, DeliveryInterval, Participant
from marketplace.queries.explanation import Explanation, explain, find_subject
from marketplace.queries.pages import place_of
from marketplace.queries.pages_member import list_member_intervals
from tests.market.forward_street import ForwardStreet


def check_views(street: ForwardStreet) -> dict[str, Explanation]:
    """Compare three views of the street's interval, meter by meter; return the reasons."""
    interval = street.interval()
    found = {}
    for meter, point in street.points.items():
        why = _why(point.id, interval)
        found[meter] = why
        billed = _billed(interval, point.id)
        [day] = list_member_intervals(
            participant_id=street.participant(meter).id,
            place=place_of(street.community),
            start=interval.starts_at,
            end=interval.ends_at,
        )
        grid = why.grid_import_wh, why.grid_export_wh
        assert (day.grid_import_wh, day.grid_export_wh) == grid, (meter, grid)
        neighbours = (why.bought_wh + why.agreed_bought_wh, why.sold_wh + why.agreed_sold_wh)
        assert (day.bought_wh, day.sold_wh) == neighbours, (meter, neighbours)
        assert (*neighbours, why.fee_micro) == billed[:3], meter
        if why.import_wh is not None:
            assert grid == billed[3:], meter
        assert day.price_micro_per_kwh == why.price_micro_per_kwh
    return found


def _why(point: int, interval: DeliveryInterval) -> Explanation:
    subject = find_subject(metering_point_id=point)
    assert subject is not None
    found = explain(subject=subject, interval_id=interval.id, metering_point_id=point)
    assert found is not None
    return found


def _billed(interval: DeliveryInterval, point: int) -> tuple[int, ...]:
    """Return what bills say: bought, sold, fee, from and to the grid."""
    clearing = Clearing.objects.get(interval=interval, revision=interval.revision)
    book = IntervalBook.unpacked(bytes(clearing.book))
    accounts = accounts_of(book)
    positions = billing_positions(book, interval=0, weight=1, accounts=accounts)
    [own] = np.nonzero(points_of(book) == point)
    members = Participant.objects.filter(sites__metering_points=point)
    [account] = members.values_list("energy_account_id", flat=True)
    assert (accounts[positions.members[own]] == account).all()
    columns = (
        positions.bought_wh + positions.agreed_bought_wh,
        positions.sold_wh + positions.agreed_sold_wh,
        positions.fees,
        positions.grid_import_wh,
        positions.grid_export_wh,
    )
    return tuple(int(column[own].sum()) for column in columns)
