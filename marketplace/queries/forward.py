"""The forward market's intervals: under which rules they stand, when their gates close."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.db.models import Q

from marketplace.domain.rules import Rules, load_rules
from marketplace.models import Auction, DeliveryInterval, RuleSet, TradingHalt

FORWARD: Final = "forward"
IS_FORWARD: Final = Q(rule_set__document__mode=FORWARD)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RulesInForce:
    """A rule set and the time that it governs: from then on, until the next one begins."""

    rule_set_id: int
    sha256: str
    rules: Rules
    begins_at: datetime
    ends_at: datetime | None

    @property
    def length(self) -> timedelta:
        """How long a delivery interval is."""
        return timedelta(minutes=self.rules.interval_minutes)

    def has_interval(self, starts_at: datetime) -> bool:
        """Return whether an interval of this rule set starts then: on its grid, and wholly in it.

        Where rules of another length begin, no interval may reach into theirs.
        """
        is_inside = self.begins_at <= starts_at and (
            self.ends_at is None or starts_at + self.length <= self.ends_at
        )
        return is_inside and (starts_at - _EPOCH) % self.length == timedelta(0)


def rules_of_document(document: Mapping[str, Any]) -> Rules:
    """Return the rules that a stored document states; checked once, however often asked."""
    return _rules_of_text(json.dumps(document, sort_keys=True))


@lru_cache(maxsize=64)
def _rules_of_text(text: str) -> Rules:
    return load_rules(json.loads(text))


def list_rules_in_force(*, community_id: int) -> list[RulesInForce]:
    """Return a community's rule sets in the order in which they begin."""
    found = list(RuleSet.objects.filter(community_id=community_id).order_by("effective_from"))
    ends: list[datetime | None] = [each.effective_from for each in found[1:]]
    return [
        RulesInForce(
            each.id, each.sha256, rules_of_document(each.document), each.effective_from, end
        )
        for each, end in zip(found, [*ends, None], strict=True)
    ]


def get_rules_at(*, in_force: Sequence[RulesInForce], moment: datetime) -> RulesInForce | None:
    """Return the rule set that governs a moment."""
    begun = [each for each in in_force if each.begins_at <= moment]
    return begun[-1] if begun else None


def closes_at(*, starts_at: datetime, rules: Rules) -> datetime:
    """Return the gate closure of an interval under forward rules."""
    assert rules.market.forward is not None, rules.name
    return starts_at - timedelta(minutes=rules.market.forward.gate_closure_minutes)


def is_halted(*, community_id: int, at: datetime) -> bool:
    """Return whether trading stands still in a community at a moment."""
    return (
        TradingHalt.objects.filter(community_id=community_id, starts_at__lte=at)
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gt=at))
        .exists()
    )


def list_auctioned_ids(*, interval_ids: Sequence[int]) -> set[int]:
    """Return which of these intervals had their auction."""
    return set(
        Auction.objects.filter(interval__in=list(interval_ids)).values_list(
            "interval_id", flat=True
        )
    )


def due_gate_ids(*, community_id: int, now: datetime, limit: int) -> list[int]:
    """Return the forward intervals whose gate has closed without an auction, earliest first."""
    # Gates differ by rule set only: few conditions, each with an index on the start.
    due = Q()
    for rule_set in RuleSet.objects.filter(community_id=community_id, document__mode=FORWARD):
        minutes = int(rule_set.document["gate_closure_minutes"])
        due |= Q(rule_set=rule_set, starts_at__lte=now + timedelta(minutes=minutes))
    if not due:
        return []
    return list(
        DeliveryInterval.objects.filter(
            due,
            community_id=community_id,
            auction__isnull=True,
            state__lt=DeliveryInterval.State.SETTLED,  # what the index of due intervals holds
        )
        .order_by("starts_at")
        .values_list("id", flat=True)[:limit]
    )
