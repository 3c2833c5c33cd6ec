"""Readings after the correction deadline, with what a book of either form needs of them."""

import numpy as np

from marketplace.domain.auction import Metered, Terms
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_book import LateReadings
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.keyed_sums import rows_of
from marketplace.domain.market_part import LatePlaces
from marketplace.domain.pool import SHARING_STATIC


def late_readings(
    *,
    terms: Terms,
    metered: Metered,
    rules: IntervalRules | None = None,
    auction: HeldAuction | None = None,
) -> LateReadings:
    """Return readings of expected metering points as what a book is amended with.

    Parameters
    ----------
    terms, metered : Terms, Metered
        Who is expected to report, and all current readings.
    rules : IntervalRules, optional
        Of an interval of form 2.
    auction : HeldAuction, optional
        Of a forward interval.
    """
    rows, known = rows_of(metered.metering_point_ids, terms.metering_point_ids)
    rows = rows[known]
    ids = metered.metering_point_ids[known]
    late = LateReadings(
        metering_point_ids=ids,
        account_ids=terms.account_ids[rows],
        import_wh=metered.import_wh[known],
        export_wh=metered.export_wh[known],
    )
    if rules is None or terms.places is None:
        return late
    places, none = terms.places, np.zeros(len(rows), dtype=np.int64)
    zones = [rules.zone_index(places.zones[each]) for each in places.zone_of[rows].tolist()]
    bought, sold = (none, none) if auction is None else auction.filled_by_point(ids)
    return LateReadings(
        metering_point_ids=late.metering_point_ids,
        account_ids=late.account_ids,
        import_wh=late.import_wh,
        export_wh=late.export_wh,
        bought_wh=bought,
        sold_wh=sold,
        places=LatePlaces(
            zones=tuple(rules.zones[each] for each in zones),
            levels=tuple(places.levels[each] for each in places.level_of[rows].tolist()),
            weights=places.weights[rows] if rules.pricing == SHARING_STATIC else none,
            estimated=none if metered.estimated is None else metered.estimated[known],
            local_fees=rules.local_fees(
                np.array(zones, dtype=np.int64), places.levels, places.level_of[rows]
            ),
        ),
    )
