"""Set up communities, their rules, and their members with metering points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from ledger.services import open_accounts
from marketplace.domain.rules import load_rules, rules_hash
from marketplace.errors import NameTaken
from marketplace.models import (
    Community,
    Kind,
    MeteringPoint,
    Offer,
    Participant,
    Request,
    RuleSet,
    Site,
    Zone,
)

COMMUNITY_PARTIES = ("pool", "supplier", "platform", "rounding")


@dataclass(frozen=True)
class NewMember:
    """A member to be: a participant with one site and one metering point."""

    meter: str
    name: str
    role: str = Participant.Role.HOUSEHOLD


def money_unit(currency: str) -> str:
    """Return the ledger's unit for a currency in micro-units."""
    return f"{currency}/6"


@transaction.atomic
def create_community(
    *,
    name: str,
    rules_document: Mapping[str, Any],
    effective_from: datetime,
    now: datetime,
    local_name: str = "",
) -> Community:
    """Create a community under a rule set, with one zone and its ledger accounts.

    Raises
    ------
    RulesInvalid
        If the rule set does not hold together.
    NameTaken
        If a community of that name exists.
    """
    rules = load_rules(rules_document)
    if Community.objects.filter(name=name).exists():
        raise NameTaken("a community named {name} exists; choose another name", name=name)
    paths = {party: f"community:{name}:{party}" for party in COMMUNITY_PARTIES}
    accounts = open_accounts(paths=list(paths.values()), unit=money_unit(rules.currency))
    community = Community.objects.create(
        name=name,
        local_name=local_name,
        timezone=rules.timezone,
        currency=rules.currency,
        created_at=now,
        **{f"{party}_account_id": accounts[path] for party, path in paths.items()},
    )
    Zone.objects.create(community=community, code="main", name=name)
    add_rule_set(
        community_id=community.id, document=rules_document, effective_from=effective_from, now=now
    )
    return community


@transaction.atomic
def add_rule_set(
    *, community_id: int, document: Mapping[str, Any], effective_from: datetime, now: datetime
) -> RuleSet:
    """Add the next version of a community's rules, in force from a moment on."""
    load_rules(document)
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    return RuleSet.objects.create(
        community=community,
        version=community.rule_sets.count() + 1,
        document=dict(document),
        sha256=rules_hash(document),
        effective_from=effective_from,
        created_at=now,
    )


@transaction.atomic
def add_members(
    *, community_id: int, members: Sequence[NewMember], active_from: datetime, now: datetime
) -> None:
    """Add members, each with a metering point on the rule set's default standing rule.

    Members whose metering point exists are left as they are.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    known = set(community.metering_points.values_list("code", flat=True))
    new = [member for member in members if member.meter not in known]
    if not new:
        return
    zone = community.zones.order_by("id").first()
    participants = Participant.objects.bulk_create(
        [Participant(role=each.role, name=each.name, community=community) for each in new],
        batch_size=2000,
    )
    paths = [f"participant:{participant.id}:energy" for participant in participants]
    accounts = open_accounts(paths=paths, unit=money_unit(community.currency))
    for participant, path in zip(participants, paths, strict=True):
        participant.energy_account_id = accounts[path]
    Participant.objects.bulk_update(participants, ["energy_account_id"], batch_size=2000)
    sites = Site.objects.bulk_create(
        [Site(participant=each, zone=zone, label=each.name) for each in participants],
        batch_size=2000,
    )
    points = MeteringPoint.objects.bulk_create(
        [
            MeteringPoint(community=community, site=site, code=each.meter, active_from=active_from)
            for each, site in zip(new, sites, strict=True)
        ],
        batch_size=2000,
    )
    terms = [
        {
            "kind": Kind.ENERGY,
            "participant": participant,
            "metering_point": point,
            "valid_from": active_from,
            "created_at": now,
        }
        for participant, point in zip(participants, points, strict=True)
    ]
    Offer.objects.bulk_create([Offer(**each) for each in terms], batch_size=2000)
    Request.objects.bulk_create([Request(**each) for each in terms], batch_size=2000)
