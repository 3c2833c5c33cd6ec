"""Reads that every page needs: whom a person acts for, and where."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Max, Min

from marketplace.domain.organisations import OrgRole, Right, allows
from marketplace.models import (
    Community,
    DeliveryInterval,
    Membership,
    Participant,
    RuleSet,
)
from marketplace.queries.identity import MEMBERSHIPS, PERSONA, find_user_key, names_of
from marketplace.queries.intervals import IS_BOOKED


@dataclass(frozen=True)
class Place:
    """A community as pages show it."""

    community_id: int
    name: str
    local_name: str
    timezone: str
    currency: str
    pool_account_id: int
    supplier_account_id: int
    platform_account_id: int
    rounding_account_id: int
    grid_account_id: int | None

    @property
    def zone(self) -> ZoneInfo:
        """The civil time zone."""
        return ZoneInfo(self.timezone)

    def name_in(self, language: str) -> str:
        """Return the name in a language, as far as there is one."""
        return self.local_name if language.startswith("zh") and self.local_name else self.name


@dataclass(frozen=True)
class ActsAs:
    """What somebody is among those who act for a participant. [micro]"""

    role: str
    id: int | None = None
    limit_micro: int | None = None
    monthly_limit_micro: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether they may commit the participant up to an amount only."""
        return self.limit_micro is not None or self.monthly_limit_micro is not None


OWNER = ActsAs(OrgRole.OWNER)


@dataclass(frozen=True)
class Persona:
    """A participant that a person may act for, in its role.

    ``name`` is empty once the participant was erased. ``handle`` is what may be kept of the choice
    to act for it: only the person's identity key makes it.
    """

    participant_id: int
    role: str
    name: str
    handle: str
    place: Place | None
    energy_account_id: int | None
    wallet_account_id: int | None
    membership: ActsAs = OWNER

    def may(self, right: Right) -> bool:
        """Return whether the person has a right among those who act for the participant."""
        return allows(self.membership.role, right)


@dataclass(frozen=True)
class MarketDays:
    """First and last civil day that has a settled interval."""

    first: date
    last: date


def list_personas(*, user_id: int) -> list[Persona]:
    """Return everything one person may act for, in the order it was given to them."""
    key = find_user_key(user_id=user_id)
    if key is None:
        return []
    memberships = (
        Membership.objects.filter(user_tag=key.tag(MEMBERSHIPS))
        .select_related("participant__community")
        .order_by("id")
    )
    names = names_of(membership.participant for membership in memberships)
    return [
        _persona(
            each.participant,
            names[each.participant_id],
            key.tag(PERSONA, str(each.participant_id)).hex(),
            ActsAs(each.role, each.id, each.limit_micro, each.monthly_limit_micro),
        )
        for each in memberships
    ]


def find_persona(*, participant_id: int) -> Persona | None:
    """Return a participant as whoever acts for it would see it; None if there is none."""
    found = Participant.objects.select_related("community").filter(pk=participant_id).first()
    return _persona(found, names_of([found])[found.id], "") if found else None


def list_places() -> list[Place]:
    """Return all communities by name."""
    return [place_of(community) for community in Community.objects.order_by("name")]


def get_market_days(*, place: Place) -> MarketDays | None:
    """Return the days that have something to show; None before the first settlement."""
    found = DeliveryInterval.objects.filter(IS_BOOKED, community_id=place.community_id).aggregate(
        first=Min("starts_at"), last=Max("starts_at")
    )
    if found["first"] is None:
        return None
    first, last = (found[key].astimezone(place.zone).date() for key in ("first", "last"))
    return MarketDays(first, last)


def get_minimum_group_size(*, community_id: int, now: datetime) -> int:
    """Return how many meters a published figure must cover at least, by the rules in force."""
    document = (
        RuleSet.objects.filter(community_id=community_id, effective_from__lte=now)
        .order_by("-effective_from")
        .values_list("document", flat=True)
        .first()
    )
    return int(document["minimum_group_size"]) if document else 1


def place_of(community: Community) -> Place:
    """Return a community as a plain value."""
    return Place(
        community_id=community.id,
        name=community.name,
        local_name=community.local_name,
        timezone=community.timezone,
        currency=community.currency,
        pool_account_id=community.pool_account_id,
        supplier_account_id=community.supplier_account_id,
        platform_account_id=community.platform_account_id,
        rounding_account_id=community.rounding_account_id,
        grid_account_id=community.grid_account_id,
    )


def _persona(
    participant: Participant, name: str, handle: str, membership: ActsAs = OWNER
) -> Persona:
    community = participant.community
    return Persona(
        participant_id=participant.id,
        role=participant.role,
        name=name,
        handle=handle,
        place=place_of(community) if community else None,
        energy_account_id=participant.energy_account_id,
        wallet_account_id=participant.wallet_account_id,
        membership=membership,
    )
