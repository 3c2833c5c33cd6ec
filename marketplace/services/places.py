"""Set up communities, their rules, and their members with metering points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from ledger.services import open_accounts, submit
from marketplace.domain.book_rows import rules_document
from marketplace.domain.rules import Rules, load_rules, rules_hash
from marketplace.errors import N_, NameTaken, UnknownZone
from marketplace.models import (
    Community,
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
        %(names)s::bytea[], %(roles)s::text[], %(zones)s::bigint[], %(levels)s::text[],
        %(weights)s::int[]
    ) AS member(participant_id, account_id, meter, slot, sealed_name, role, zone_id, level, weight)
), participant AS (
    INSERT INTO marketplace_participant
        (id, role, identity_slot, sealed_name, community_id, energy_account_id)
    SELECT participant_id, role, slot, sealed_name, %(community)s, account_id FROM member
), site AS (
    INSERT INTO marketplace_site (participant_id, zone_id, label)
    SELECT participant_id, zone_id, '' FROM member
    RETURNING id, participant_id
), point AS (
    INSERT INTO marketplace_meteringpoint
        (community_id, site_id, code, active_from, voltage_level, sharing_weight)
    SELECT %(community)s, site.id, member.meter, %(active_from)s, member.level, member.weight
    FROM member JOIN site USING (participant_id)
    RETURNING id, site_id
), listing AS (
    SELECT site.participant_id, point.id AS metering_point_id, 1 AS version, false AS is_paused,
        %(active_from)s::timestamptz AS valid_from, %(now)s::timestamptz AS created_at
    FROM point JOIN site ON site.id = point.site_id
), offer AS (
    INSERT INTO marketplace_offer (participant_id, metering_point_id, version, is_paused,
        valid_from, created_at) SELECT * FROM listing
)
INSERT INTO marketplace_request (participant_id, metering_point_id, version, is_paused,
    valid_from, created_at) SELECT * FROM listing
"""

COMMUNITY_PARTIES = ("pool", "supplier", "platform", "rounding", "grid")


@dataclass(frozen=True)
class NewMember:
    """A member to be: a participant with one site and one metering point.

    Attributes
    ----------
    zone : str
        Code of the zone; empty: the community's first.
    level : str
        Voltage level, as the rule set's grid fees name it.
    weight : int
        Key of its share where energy is shared by fixed keys, 0 to 1,000,000.
    """

    meter: str
    name: str
    role: str = Participant.Role.HOUSEHOLD
    zone: str = ""
    level: str = ""
    weight: int = 0


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
    """Create a community under a rule set, with its zones and ledger accounts.

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
    if not rules.market.zones:
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
    rules = load_rules(document)
    sha256 = rules_hash(document)
    submit(commands=[rules_document(sha256)], submitted_at=now)
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    _open_market(community, rules)
    return RuleSet.objects.create(
        community=community,
        version=community.rule_sets.count() + 1,
        document=dict(document),
        sha256=sha256,
        effective_from=effective_from,
        created_at=now,
    )


def _open_market(community: Community, rules: Rules) -> None:
    """Give a community what rules of form 2 ask for: zones, and the grid operator's account."""
    if rules.market.form == 1:
        return
    if community.grid_account_id is None:
        path = f"community:{community.name}:grid"
        opened = open_accounts(paths=[path], unit=money_unit(community.currency))
        community.grid_account_id = opened[path]
        community.save(update_fields=["grid_account_id"])
    known = set(community.zones.values_list("code", flat=True))
    Zone.objects.bulk_create(
        Zone(community=community, code=code, name=code)
        for code in rules.market.zones
        if code not in known
    )


@transaction.atomic
def add_members(
    *, community_id: int, members: Sequence[NewMember], active_from: datetime, now: datetime
) -> None:
    """Add members, each with a metering point on the rule set's default standing rule.

    Members whose metering point exists are left as they are.

    Raises
    ------
    UnknownZone
        If a member's zone is none of the community's.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    known = set(community.metering_points.values_list("code", flat=True))
    new = [member for member in members if member.meter not in known]
    if not new:
        return
    zones = _zones_of(community, new)
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
                "zones": zones,
                "levels": [each.level for each in new],
                "weights": [each.weight for each in new],
                "active_from": active_from,
                "now": now,
            },
        )


def _zones_of(community: Community, members: Sequence[NewMember]) -> list[int]:
    ids = dict(community.zones.order_by("id").values_list("code", "id"))
    first = next(iter(ids))
    for each in members:
        if each.zone and each.zone not in ids:
            raise UnknownZone(
                N_("metering point {meter}: there is no zone {zone}; use one of: {zones}"),
                meter=each.meter,
                zone=each.zone,
                zones=", ".join(ids),
            )
    return [ids[each.zone or first] for each in members]


def _next_participant_ids(count: int) -> list[int]:
    """Reserve ids: a participant's account carries its id, and a participant its account's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('marketplace_participant', 'id'))"
            " FROM generate_series(1, %s)",
            [count],
        )
        return [id_ for (id_,) in cursor.fetchall()]
