"""Draft the next version of a community's rules, and put it in force from a day to come."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from marketplace.domain.notices import NoticeKind
from marketplace.domain.rule_schema import RulesInvalid
from marketplace.domain.rules import load_rules, rules_hash
from marketplace.errors import N_, Invalid, ListingClosed
from marketplace.models import Community, Participant, RuleDraft, RuleSet
from marketplace.queries.rule_sets import get_earliest_day
from marketplace.services.notices import notify_many
from marketplace.services.places import add_rule_set

# Money that is owed, and the clock of what was settled: another one would be another community.
_LASTING = ("currency", "timezone")


@transaction.atomic
def save_draft(
    *, community_id: int, author_id: int, document: Mapping[str, Any], now: datetime
) -> RuleDraft:
    """Keep a rule set as the community's draft; there is one at a time.

    Raises
    ------
    Invalid
        If it is no rule set that the community could have; the field is the place in it.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    try:
        load_rules(document)
    except RulesInvalid as error:
        raise Invalid(
            error.path or "document",
            N_("{path}: {what}; {remedy}"),
            path=error.path or "document",
            what=error.what,
            remedy=error.remedy,
        ) from error
    base = RuleSet.objects.filter(community=community).order_by("-effective_from")[0]
    for key in _LASTING:
        if document[key] != base.document[key]:
            raise Invalid(
                key,
                N_("{key} stays {value}: found another community for another one."),
                key=key,
                value=base.document[key],
            )
    draft, _ = RuleDraft.objects.update_or_create(
        community=community,
        rule_set=None,
        defaults={
            "author_id": author_id,
            "base": base,
            "document": dict(document),
            "sha256": rules_hash(document),
            "changed_at": now,
            "what_if": None,
        },
    )
    return draft


def drop_draft(*, draft_id: int) -> None:
    """Throw a draft away; one that is in force stays."""
    RuleDraft.objects.filter(id=draft_id, rule_set__isnull=True).delete()


def note_preview(*, draft_id: int, what_if_id: int) -> None:
    """Note which what-if shows the effect of a draft."""
    RuleDraft.objects.filter(id=draft_id, rule_set__isnull=True).update(what_if=what_if_id)


@transaction.atomic
def put_in_force(*, draft_id: int, sha256: str, day: date, now: datetime) -> RuleSet:
    """Make a draft the rules from the beginning of a civil day; log it and tell all members.

    Parameters
    ----------
    sha256 : str
        Of the document that was looked at: a draft that was changed meanwhile is not put in force.
    day : date
        Civil day of the community, not before `get_earliest_day`.

    Raises
    ------
    ListingClosed
        If the draft is gone, in force, or was changed.
    Invalid
        If the day is too early.
    """
    found = RuleDraft.objects.filter(id=draft_id).values_list("community_id", flat=True).first()
    if found is None:
        raise ListingClosed(N_("There is no such draft any more."))
    community = Community.objects.select_for_update(no_key=True).get(id=found)
    draft = RuleDraft.objects.select_for_update().filter(id=draft_id, sha256=sha256).first()
    if draft is None or draft.rule_set_id is not None:
        raise ListingClosed(N_("The draft was changed meanwhile; look at it again."))
    earliest = get_earliest_day(community_id=community.pk, now=now)
    if day < earliest:
        raise Invalid("day", N_("The first possible day is {day}."), day=earliest.isoformat())
    starts = datetime.combine(day, time(), tzinfo=ZoneInfo(community.timezone)).astimezone(UTC)
    rule_set = add_rule_set(
        community_id=community.pk, document=draft.document, effective_from=starts, now=now
    )
    draft.rule_set = rule_set
    draft.save(update_fields=["rule_set"])
    members = Participant.objects.filter(community=community, energy_account_id__isnull=False)
    notify_many(
        participant_ids=list(members.values_list("id", flat=True)),
        kind=NoticeKind.RULES_CHANGE,
        key=f"rules:{rule_set.pk}",
        subject={
            "community": community.pk,
            "place": community.name,
            "local_place": community.local_name,
            "rule_set": rule_set.pk,
            "version": rule_set.version,
            "day": day.isoformat(),
        },
        now=now,
    )
    return rule_set
