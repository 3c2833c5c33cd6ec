"""Standing rules: what makes a metering point's orders, in versions that are never edited."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace.errors import N_, Invalid
from marketplace.models import Kind, MeteringPoint, Offer, Request, RuleSet


@dataclass(frozen=True)
class StandingRule:
    """Sell surplus at or above, buy deficit at or below; None draws the rule set's default."""

    version: int
    sell_at_or_above_micro_per_kwh: int | None
    buy_at_or_below_micro_per_kwh: int | None
    is_paused: bool
    valid_from: datetime
    valid_until: datetime | None


@transaction.atomic
def set_standing_rule(
    *,
    metering_point_id: int,
    sell_at_or_above_micro_per_kwh: int | None,
    buy_at_or_below_micro_per_kwh: int | None,
    is_paused: bool,
    valid_until: datetime | None,
    now: datetime,
) -> StandingRule:
    """Replace a metering point's standing rule from now on; the old version stays as history.

    An interval follows the rule that is in force when it starts.

    Raises
    ------
    Invalid
        If a limit is outside the rule set's price bounds or the end is not in the future.
    """
    limits = {
        "sell_at_or_above_micro_per_kwh": sell_at_or_above_micro_per_kwh,
        "buy_at_or_below_micro_per_kwh": buy_at_or_below_micro_per_kwh,
    }
    if valid_until is not None and valid_until <= now:
        raise Invalid("valid_until", N_("the end of a standing rule must lie in the future"))
    # The row of the metering point is the lock: two new versions at once take turns.
    point = (
        MeteringPoint.objects.select_for_update(no_key=True, of=("self",))
        .select_related("site")
        .get(id=metering_point_id)
    )
    _check_bounds(limits, community_id=point.community_id, now=now)
    sides: tuple[type[Offer | Request], ...] = (Offer, Request)
    for listing, limit in zip(sides, limits.values(), strict=True):
        versions = listing._default_manager.filter(kind=Kind.ENERGY, metering_point=point)
        last = versions.order_by("-version").first()
        if last is not None and (last.valid_until is None or last.valid_until > now):
            last.valid_until = max(now, last.valid_from)
            last.save(update_fields=["valid_until"])
        listing._default_manager.create(
            kind=Kind.ENERGY,
            participant_id=point.site.participant_id,
            metering_point=point,
            version=last.version + 1 if last else 1,
            limit_price_micro=limit,
            is_paused=is_paused,
            valid_from=now,
            valid_until=valid_until,
            created_at=now,
        )
    return StandingRule(
        version=last.version + 1 if last else 1,
        sell_at_or_above_micro_per_kwh=sell_at_or_above_micro_per_kwh,
        buy_at_or_below_micro_per_kwh=buy_at_or_below_micro_per_kwh,
        is_paused=is_paused,
        valid_from=now,
        valid_until=valid_until,
    )


def _check_bounds(limits: Mapping[str, int | None], *, community_id: int, now: datetime) -> None:
    """Hold limits against the price bounds of the rules in force."""
    begun = RuleSet.objects.filter(community=community_id).order_by("-effective_from")
    rule_set = begun.filter(effective_from__lte=now).first() or begun.last()
    if rule_set is None:
        return  # a community without rules clears nothing
    low = rule_set.document["price_min_micro_per_kwh"]
    high = rule_set.document["price_max_micro_per_kwh"]
    for field, limit in limits.items():
        if limit is not None and not low <= limit <= high:
            raise Invalid(
                field,
                N_("a limit price must lie between {low} and {high} micro/kWh, by the rule set"),
                low=low,
                high=high,
            )
