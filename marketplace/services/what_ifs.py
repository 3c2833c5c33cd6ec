"""Ask what a past period would have come to under other rules; one answer is enough for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from marketplace.domain.rule_schema import RulesInvalid, rules_hash
from marketplace.domain.what_if.change import changed_rules, read_change
from marketplace.errors import N_, Invalid, WhatIfBusy
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    RuleSet,
    WhatIf,
)
from marketplace.queries.what_ifs import (
    get_group_sizes,
    get_minimum,
    settled_intervals_between,
)

DAYS_MAX: Final = 92


@dataclass(frozen=True)
class Seen:
    """What somebody may see of a period.

    Attributes
    ----------
    revisions : mapping of int to int, or None
        Intervals and which revision of each; None: all of them, the latest, as operators may.
    is_whole : bool
        Whether no hour and no zone of it is withheld.
    """

    revisions: Mapping[int, int] | None = None
    is_whole: bool = True


@transaction.atomic
def ask_for_what_if(
    *,
    community_id: int,
    asked_by_id: int,
    first_day: date,
    last_day: date,
    change: Mapping[str, Any],
    seen: Seen,
    now: datetime,
) -> WhatIf:
    """Ask what a period would have come to; the same question again has the same answer.

    Parameters
    ----------
    first_day, last_day : date
        Civil days of the community, both included, in the past.
    change : mapping
        See `marketplace.domain.what_if.change`; empty: what happened, computed again.
    seen : Seen
        What the asker may see; nobody learns more by asking what if.

    Raises
    ------
    Invalid
        If the period or the change cannot be; the field names the key.
    WhatIfBusy
        If another what-if of the community is being computed.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    _check_period(community, first_day, last_day, now)
    intervals = settled_intervals_between(
        community=community, first_day=first_day, last_day=last_day
    )
    if seen.revisions is not None:
        intervals = intervals.filter(id__in=list(seen.revisions))
    count = intervals.count()
    if not count:
        raise Invalid("first_day", N_("No interval of this time is settled."))
    change, rules = _checked(intervals, change)
    if seen.revisions is not None:
        _check_groups(community_id, change, seen)
    clearing_count = Clearing.objects.filter(interval__in=intervals).count()
    sha256 = rules_hash(
        {
            "community": community_id,
            "first_day": first_day.isoformat(),
            "last_day": last_day.isoformat(),
            "change": change,
            "revisions": _written(seen),
        }
    )
    known = WhatIf.objects.filter(community=community, sha256=sha256, failed_at__isnull=True)
    newest = known.order_by("-id").first()
    if newest is not None and (
        newest.computed_at is None
        or newest.clearing_count == clearing_count
        or seen.revisions is not None
    ):
        return newest
    if WhatIf.objects.filter(
        community=community, computed_at__isnull=True, failed_at__isnull=True
    ).exists():
        raise WhatIfBusy(N_("Another what-if is being computed; ask again when it is done."))
    return WhatIf.objects.create(
        community=community,
        asked_by_id=asked_by_id,
        first_day=first_day,
        last_day=last_day,
        change=change,
        sha256=sha256,
        asked_at=now,
        interval_count=count,
        clearing_count=clearing_count,
        revisions=_written(seen),
        rules=rules,
    )


def _check_period(community: Community, first_day: date, last_day: date, now: datetime) -> None:
    if first_day > last_day:
        raise Invalid("last_day", N_("The last day is before the first one."))
    if last_day - first_day >= timedelta(days=DAYS_MAX):
        raise Invalid("last_day", N_("At most {days} days can be asked about."), days=DAYS_MAX)
    if last_day >= now.astimezone(ZoneInfo(community.timezone)).date():
        raise Invalid("last_day", N_("The last day must be over."))


def _checked(
    intervals: "QuerySet[DeliveryInterval]", change: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the change and the rule sets it changes; each is tried, so none fails later."""
    rule_sets = RuleSet.objects.filter(id__in=intervals.values("rule_set_id").distinct()).order_by(
        "version"
    )
    try:
        checked = read_change(change)
        rules = [
            {
                "id": each.pk,
                "version": each.version,
                "sha256": each.sha256,
                "changed_sha256": changed_rules(each.document, checked).sha256,
                "is_forward": each.document["mode"] == "forward",
            }
            for each in rule_sets
        ]
    except RulesInvalid as error:
        path = error.path or "change"
        raise Invalid(
            path,
            N_("{path}: {what}; {remedy}"),
            path=path,
            what=error.what,
            remedy=error.remedy,
        ) from error
    return checked, rules


def _written(seen: Seen) -> dict[str, int] | None:
    """Return the revisions as they are stored: JSON has no numbers for keys."""
    if seen.revisions is None:
        return None
    return {str(interval): number for interval, number in sorted(seen.revisions.items())}


def _check_groups(community_id: int, change: Mapping[str, Any], seen: Seen) -> None:
    """Refuse what would set a few members, or an hour, apart from all others.

    Whoever sees sums only could set a price for a zone, a voltage level or an hour in which one
    member stands alone, and read that member's energy off the difference.
    """
    sizes, minimum = get_group_sizes(community_id=community_id), get_minimum(community_id)
    if sizes.members < minimum:
        raise Invalid("community", N_("Figures cover at least {minimum} members."), minimum=minimum)
    if change.get("seed"):
        raise Invalid("seed", N_("Two lots of yours must draw the same homes: leave the seed out."))
    own_tables = {"rules", "retail_tariff", "feed_in_tariff"} & change.keys()
    if own_tables and not seen.is_whole:
        raise Invalid(
            min(own_tables),
            N_(
                "Some hours or zones of this time are not shown, so that rules and tariffs of your "
                "own are not possible: change them by percent, or choose other days."
            ),
        )
    by_place = {"preset", "rules"} & change.keys()
    links = {"link_fee_micro_per_kwh", "link_limit_percent"} & change.keys()
    small = [*sizes.zones.values(), *sizes.levels.values()] if by_place else []
    if links:
        small += sizes.zones.values()
    if any(size < minimum for size in small):
        raise Invalid(
            min(by_place | links),
            N_(
                "A zone or voltage level has fewer than {minimum} members: change tariffs, fees "
                "or the pricing for all alike."
            ),
            minimum=minimum,
        )
