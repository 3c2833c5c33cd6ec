"""Rule sets by name: which version figures were made under, and the hash that the log has."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from marketplace.models import RuleSet


@dataclass(frozen=True, slots=True)
class RuleSetName:
    """A version of a community's rules."""

    rule_set_id: int
    version: int
    sha256: str
    effective_from: datetime


def list_rule_sets(*, rule_set_ids: Collection[int]) -> list[RuleSetName]:
    """Return rule sets by when they took effect."""
    found = RuleSet.objects.filter(id__in=rule_set_ids).order_by("effective_from")
    return [
        RuleSetName(*row) for row in found.values_list("id", "version", "sha256", "effective_from")
    ]
