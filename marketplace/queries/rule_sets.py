"""A community's rule sets, version by version, and the draft of the next one."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max

from marketplace.domain.book_rows import rules_key
from marketplace.models import Community, DeliveryInterval, RuleDraft, RuleSet


@dataclass(frozen=True)
class RuleVersion:
    """One version of a community's rules.

    Attributes
    ----------
    log_key : str
        Of the document that the log has of it.
    is_in_force : bool
        Whether intervals that start now are under it.
    """

    id: int
    version: int
    document: dict[str, Any]
    sha256: str
    effective_from: datetime
    created_at: datetime
    is_in_force: bool

    @property
    def log_key(self) -> str:
        """Key of the logged document."""
        return rules_key(self.sha256)

    @property
    def name(self) -> str:
        """What the rule set is called."""
        return str(self.document["name"])


@dataclass(frozen=True)
class Draft:
    """The next version of a community's rules, not in force."""

    id: int
    base_version: int
    base_document: dict[str, Any]
    document: dict[str, Any]
    sha256: str
    changed_at: datetime
    what_if_id: int | None

    @property
    def is_changed(self) -> bool:
        """Whether it says anything else than what it began with."""
        return self.document != self.base_document


def list_rule_versions(*, community_id: int, now: datetime) -> list[RuleVersion]:
    """Return all versions of a community's rules, the newest first."""
    rule_sets = list(RuleSet.objects.filter(community=community_id).order_by("-effective_from"))
    in_force = next((each.pk for each in rule_sets if each.effective_from <= now), None)
    return [
        RuleVersion(
            id=each.pk,
            version=each.version,
            document=each.document,
            sha256=each.sha256,
            effective_from=each.effective_from,
            created_at=each.created_at,
            is_in_force=each.pk == in_force,
        )
        for each in rule_sets
    ]


def get_rules_in_force(*, community_id: int, now: datetime) -> dict[str, Any]:
    """Return the document that intervals starting now are under; the first one before its time."""
    versions = list_rule_versions(community_id=community_id, now=now)
    found = next((each for each in versions if each.is_in_force), versions[-1])
    return found.document


def find_draft(*, community_id: int) -> Draft | None:
    """Return the draft that is being worked at; None without one."""
    found = (
        RuleDraft.objects.filter(community=community_id, rule_set__isnull=True)
        .select_related("base")
        .first()
    )
    if found is None:
        return None
    return Draft(
        id=found.pk,
        base_version=found.base.version,
        base_document=found.base.document,
        document=found.document,
        sha256=found.sha256,
        changed_at=found.changed_at,
        what_if_id=found.what_if_id,
    )


def get_earliest_day(*, community_id: int, now: datetime) -> date:
    """Return the first civil day on which another rule set could come into force.

    Tomorrow, after every version there is, and after every interval that was made already: an
    interval keeps the rules that it was made under.
    """
    community = Community.objects.get(id=community_id)
    zone = ZoneInfo(community.timezone)
    latest = [
        now,
        RuleSet.objects.filter(community=community).aggregate(at=Max("effective_from"))["at"],
        DeliveryInterval.objects.filter(community=community).aggregate(at=Max("starts_at"))["at"],
    ]
    last: datetime = max(moment for moment in latest if moment is not None)
    return last.astimezone(zone).date() + timedelta(days=1)
