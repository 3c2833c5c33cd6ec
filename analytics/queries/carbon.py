"""Read the grid's carbon intensity of a time, and who published it."""

from dataclasses import dataclass
from datetime import datetime

from analytics.models import CarbonIntensity


@dataclass(frozen=True)
class Intensities:
    """Intensity by start of the hour, and the sources of all of them. [g/kWh]"""

    by_hour: dict[datetime, int]
    sources: tuple[str, ...]


def get_intensities(*, community_id: int, start: datetime, end: datetime) -> Intensities:
    """Return what is known of the hours that start in ``[start, end)``.

    A community's own series goes before the city's; an hour in neither is absent.
    """
    rows = list(
        CarbonIntensity.objects.filter(
            community_id__in=(0, community_id), starts_at__gte=start, starts_at__lt=end
        )
        .order_by("community_id")
        .values_list("starts_at", "grams_per_kwh", "source")
    )
    # The city's come first: what a community has itself replaces them.
    chosen = {starts_at: (grams, source) for starts_at, grams, source in rows}
    return Intensities(
        by_hour={starts_at: grams for starts_at, (grams, _) in chosen.items()},
        sources=tuple(sorted({source for _, source in chosen.values()})),
    )
