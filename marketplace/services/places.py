"""Set up communities, their rules, and their members with metering points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from ledger.services import open_accounts, submit
from marketplace.domain.book_rows import rules_document
from marketplace.domain.rules import load_rules, rules_hash
from marketplace.errors import NameTaken
from marketplace.models import (
    Community,
    Kind,
    Participant,
    RuleSet,
    Zone,
)
from marketplace.queries.identity import NAME
from marketplace.services.identity import create_identities

# One statement for a city's ten thousand: row by row they would take longer than their readings.
_INSERT_MEMBERS = """
WITH member AS (
    SELECT * FROM unnest(
        %(participants)s::bigint[], %(accounts)s::bigint[], %(meters)s::text[], %(slots)s::bigint[],
        %(names)s::bytea[], %(roles)s::text[]
    ) AS member(participant_id, account_id, meter, slot, sealed_name, role)
), participant AS (
    INSERT INTO marketplace_participant
        (id, role, identity_slot, sealed_name, community_id, energy_account_id)
    SELECT participant_id, role, slot, sealed_name, %(community)s, account_id FROM member
), site AS (
    INSERT INTO marketplace_site (participant_id, zone_id, label)
    SELECT participant_id, %(zone)s, '' FROM member
    RETURNING id, participant_id
), point AS (
    INSERT INTO marketplace_meteringpoint (community_id, site_id, code, active_from)
    SELECT %(community)s, site.id, member.meter, %(active_from)s
    FROM member JOIN site USING (participant_id)
    RETURNING id, site_id
), listing AS (
    SELECT %(energy)s AS kind, site.participant_id, point.id AS metering_point_id, 1 AS version,
        false AS is_paused, %(active_from)s::timestamptz AS valid_from, '{}'::jsonb AS terms,
        %(now)s::timestamptz AS created_at
    FROM point JOIN site ON site.id = point.site_id
), offer AS (
    INSERT INTO marketplace_offer (kind, participant_id, metering_point_id, version, is_paused,
        valid_from, terms, created_at) SELECT * FROM listing
)
INSERT INTO marketplace_request (kind, participant_id, metering_point_id, version, is_paused,
    valid_from, terms, created_at) SELECT * FROM listing
"""

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
    """Add the next version of a community's rules, in force from a moment on, and log its hash."""
    load_rules(document)
    sha256 = rules_hash(document)
    submit(commands=[rules_document(sha256)], submitted_at=now)
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    return RuleSet.objects.create(
        community=community,
        version=community.rule_sets.count() + 1,
        document=dict(document),
        sha256=sha256,
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
    participants = _next_participant_ids(len(new))
    paths = [f"participant:{id_}:energy" for id_ in participants]
    accounts = open_accounts(paths=paths, unit=money_unit(community.currency))
    identities = create_identities(count=len(new))
    names = [
        key.seal_text(member.name, purpose=NAME)
        for member, (_, key) in zip(new, identities, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_MEMBERS,
            {
                "participants": participants,
                "accounts": [accounts[path] for path in paths],
                "meters": [each.meter for each in new],
                "slots": [slot for slot, _ in identities],
                "names": names,
                "roles": [str(each.role) for each in new],
                "community": community_id,
                "zone": community.zones.order_by("id").values_list("id", flat=True)[0],
                "energy": int(Kind.ENERGY),
                "active_from": active_from,
                "now": now,
            },
        )


def _next_participant_ids(count: int) -> list[int]:
    """Reserve ids: a participant's account carries its id, and a participant its account's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('marketplace_participant', 'id'))"
            " FROM generate_series(1, %s)",
            [count],
        )
        return [id_ for (id_,) in cursor.fetchall()]
