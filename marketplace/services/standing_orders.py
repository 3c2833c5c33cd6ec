"""Orders of the forward market that standing rules make of what is expected.

Who expects what, and how, is the caller's affair: the market takes energies by metering point.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from django.db import transaction

from ledger.domain.commands import Int64Array
from marketplace.domain.agreement_matching import match_agreements
from marketplace.domain.auction import Metered
from marketplace.domain.forward.orders import BUY, SELL, OrderColumns
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_positions import MarketPositions, metered_positions
from marketplace.models import Community
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.forward import get_rules_at, list_rules_in_force
from marketplace.queries.standing_orders import list_meters_with_orders, owners_of_meters
from marketplace.queries.terms import get_terms
from marketplace.services.orders import Placed, take_in

KEY = "standing"


@transaction.atomic
def place_standing_orders(
    *,
    community_id: int,
    starts_at: datetime,
    expected: Mapping[int, tuple[int, int]],
    now: datetime,
) -> Placed:
    """Place what standing rules offer and bid for in one interval, of what is expected in it.

    What agreements are expected to move is left to them: they deliver as metered and cause no
    deviation. A meter for which somebody has placed an order is left to them too, and so is one
    whose rule is paused. Orders are judged like any other; doing it twice places nothing twice.

    Parameters
    ----------
    expected : mapping
        Export and import by metering point; who is not in it gets no order. [Wh]

    Returns
    -------
    Placed
        What became of each order; none where the interval is not one of a forward market.
    """
    nothing = Placed(np.zeros(0, dtype=np.int64), [])
    in_force = get_rules_at(
        in_force=list_rules_in_force(community_id=community_id), moment=starts_at
    )
    if in_force is None or in_force.rules.market.forward is None or not expected:
        return nothing
    rules = IntervalRules.of(in_force.rules, starts_at)
    terms = get_terms(community_id=community_id, at=starts_at)
    taken = list_meters_with_orders(community_id=community_id, starts_at=starts_at)
    ids = [point for point in expected if point not in taken]
    energies = Metered(
        np.array(ids, dtype=np.int64),
        np.array([expected[point][1] for point in ids], dtype=np.int64),
        np.array([expected[point][0] for point in ids], dtype=np.int64),
    )
    nobody = np.zeros(len(terms.metering_point_ids), dtype=np.bool_)
    positions, _ = metered_positions(rules, terms, energies, nobody)
    agreed = match_agreements(
        AgreementsInForce(community_id=community_id).at(starts_at),
        matching_order=rules.market.matching_order,
        metering_point_ids=positions.ids,
        admitted=positions.admitted,
        import_wh=positions.import_wh,
        export_wh=positions.export_wh,
        middle_micro_per_kwh=rules.middle,
    )
    limit = in_force.rules.market.forward.position_limit_wh
    most = np.iinfo(np.int64).max if limit is None else limit
    export_left, import_left = (
        np.minimum(left, most) for left in (agreed.export_left, agreed.import_left)
    )
    orders = _orders(positions, starts_at, export_left, import_left)
    owners = owners_of_meters(metering_point_ids=positions.ids.tolist())
    return take_in(
        community=Community.objects.get(pk=community_id),
        participants=np.array(
            [owners[point] for point in orders.metering_point_ids.tolist()], dtype=np.int64
        ),
        orders=orders,
        now=now,
    )


def _orders(
    positions: MarketPositions,
    starts_at: datetime,
    export_left: Int64Array,
    import_left: Int64Array,
) -> OrderColumns:
    sellers = np.flatnonzero((positions.offer_ids > 0) & (export_left > 0))
    buyers = np.flatnonzero((positions.request_ids > 0) & (import_left > 0))
    points = np.concatenate([positions.ids[sellers], positions.ids[buyers]])
    sides = np.repeat(np.array([SELL, BUY], dtype=np.int64), [len(sellers), len(buyers)])
    names = {SELL: "sell", BUY: "buy"}
    start_s = int(starts_at.timestamp())
    none = np.zeros(len(points), dtype=np.int64)
    return OrderColumns(
        metering_point_ids=points,
        zones=[""] * len(points),
        starts_s=none + start_s,
        sides=sides,
        limits=np.concatenate([positions.sell_limits[sellers], positions.buy_limits[buyers]]),
        quantities_wh=np.concatenate([export_left[sellers], import_left[buyers]]),
        minimums_wh=none,
        expires_us=none,
        keys=[
            f"{KEY}:{start_s}:{point}:{names[side]}"
            for point, side in zip(points.tolist(), sides.tolist(), strict=True)
        ],
    )
