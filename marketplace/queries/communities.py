"""Find communities."""

from dataclasses import dataclass

from django.db.models import Count

from marketplace.models import Community, RuleSet


@dataclass(frozen=True)
class FoundCommunity:
    """A community, its civil time zone, and the hash of its latest rule set."""

    id: int
    name: str
    timezone: str
    rules_sha256: str


def find_community(*, name: str) -> FoundCommunity | None:
    """Return a community by name."""
    community = Community.objects.filter(name=name).first()
    if community is None:
        return None
    latest = RuleSet.objects.filter(community=community).latest("version")
    return FoundCommunity(community.id, community.name, community.timezone, latest.sha256)


def communities_of_meters(*, codes: list[str]) -> list[FoundCommunity]:
    """Return the communities that know any of some meters, best known first.

    One that knows all of them hides those that do not.
    """
    counted = (
        Community.objects.filter(metering_points__code__in=codes)
        .annotate(known=Count("metering_points"))
        .order_by("-known", "id")
    )
    found: list[FoundCommunity] = []
    for community in counted:
        if found and community.known < len(codes):
            break
        latest = RuleSet.objects.filter(community=community).latest("version")
        found.append(
            FoundCommunity(community.id, community.name, community.timezone, latest.sha256)
        )
    return found
