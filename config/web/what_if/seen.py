"""How much of the past a role may ask about: operators all of it, planners what was released."""

from datetime import date

from analytics.queries.disclosed import list_withheld
from analytics.queries.released_revisions import list_released_revisions
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import Place
from marketplace.queries.what_ifs import WhatIfAnswer
from marketplace.services.what_ifs import Seen


def seen_by(role: str, place: Place, first_day: date, last_day: date) -> Seen:
    """Return what somebody with a role may see of civil days, both included."""
    if role == "operator":
        return Seen()
    start, end = day_bounds(first_day, place.zone)[0], day_bounds(last_day, place.zone)[1]
    withheld = list_withheld(community_id=place.community_id, start=start, end=end)
    return Seen(
        revisions=list_released_revisions(community_id=place.community_id, start=start, end=end),
        is_whole=not withheld.hidden_hours and not withheld.zone_ids,
    )


def shown_to(role: str, place: Place, answer: WhatIfAnswer) -> WhatIfAnswer:
    """Leave zones out where one of them must not stand alone for the reader."""
    if role == "operator":
        return answer
    withheld = list_withheld(community_id=place.community_id, start=answer.start, end=answer.end)
    return answer.without_zones() if withheld.zone_ids else answer
