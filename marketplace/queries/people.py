"""Find participants."""

from marketplace.models import MeteringPoint


def find_member(
    *, meter: str, community_id: int | None = None, community_name: str | None = None
) -> int:
    """Return the participant of a metering point, by its community's id or name."""
    points = MeteringPoint.objects.filter(code=meter)
    if community_id is not None:
        points = points.filter(community_id=community_id)
    if community_name is not None:
        points = points.filter(community__name=community_name)
    return points.values_list("site__participant_id", flat=True).get()
