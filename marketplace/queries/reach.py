"""How far a person's roles reach: for whom they act, what they operate, what they may watch."""

from dataclasses import dataclass

from django.db.models import Q

from marketplace.domain.organisations import Right
from marketplace.models import Community, Participant
from marketplace.queries.pages import Persona, find_persona, list_personas

ROLE = Participant.Role
# Roles that reach every community when they belong to none.
CITY_ROLES = (ROLE.OPERATOR, ROLE.PLANNER)


@dataclass(frozen=True)
class Reach:
    """What one person may see. Nothing outside of it exists for them.

    Attributes
    ----------
    personas : tuple of Persona
        Participants the person acts for.
    operated : frozenset of int
        Communities whose members, meters and readings they run as an operator.
    watched : frozenset of int
        Communities that they know of, with rules and halts: as a member, operator or planner.
    current : frozenset of int
        Communities whose newest prices, sums and orders they see: as a member or operator.
        Planners have the figures that were released to them, and nothing else.
    """

    personas: tuple[Persona, ...]
    operated: frozenset[int]
    watched: frozenset[int]
    current: frozenset[int]

    @property
    def own_ids(self) -> frozenset[int]:
        """Participants the person acts for."""
        return frozenset(persona.participant_id for persona in self.personas)

    @property
    def members(self) -> tuple[Persona, ...]:
        """Own participants that buy or sell energy."""
        return tuple(each for each in self.personas if each.energy_account_id is not None)

    def find_persona(self, participant_id: int) -> Persona | None:
        """Return a participant whose books may be read: an own one, or a member one operates."""
        for persona in self.personas:
            if persona.participant_id == participant_id:
                return persona
        found = find_persona(participant_id=participant_id) if self.operated else None
        if found is None or found.place is None or found.place.community_id not in self.operated:
            return None
        return found

    def find_operator(self, community_id: int) -> Persona | None:
        """Return in whose name the person operates a community; None if they do not."""
        if community_id not in self.operated:
            return None
        for persona in self.personas:
            is_here = persona.place is None or persona.place.community_id == community_id
            if persona.role == ROLE.OPERATOR and is_here:
                return persona
        return None

    def of_participants(self, path: str) -> Q:
        """Return the condition that the participant at ``path`` is within reach."""
        return Q(**{f"{path}__in": self.own_ids}) | Q(**{f"{path}__community__in": self.operated})


def get_reach(*, user_id: int, right: Right = Right.LOOK) -> Reach:
    """Return how far those of one person's roles reach in which they have a right."""
    personas = tuple(each for each in list_personas(user_id=user_id) if each.may(right))
    everywhere: frozenset[int] = frozenset()
    if any(each.place is None and each.role in CITY_ROLES for each in personas):
        everywhere = frozenset(Community.objects.values_list("id", flat=True))

    def communities(role: str) -> frozenset[int]:
        return frozenset().union(
            *(
                everywhere if each.place is None else {each.place.community_id}
                for each in personas
                if each.role == role
            )
        )

    operated = communities(ROLE.OPERATOR)
    own = frozenset(
        each.place.community_id
        for each in personas
        if each.place is not None and each.role != ROLE.PLANNER
    )
    current = own | operated
    return Reach(personas, operated, current | communities(ROLE.PLANNER), current)
