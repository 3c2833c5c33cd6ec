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


def list_meter_points(*, community_id: int) -> dict[str, tuple[int, int]]:
    """Return each meter's metering point and participant, by the meter's code."""
    points = MeteringPoint.objects.filter(community_id=community_id)
    rows = points.values_list("code", "id", "site__participant_id")
    return {code: (point_id, participant_id) for code, point_id, participant_id in rows}
