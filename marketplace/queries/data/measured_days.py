"""What looks at feeds came to, day by day and over a month, for several products at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from marketplace.models import ProbeDay

DAYS: Final = 30


@dataclass(frozen=True)
class Reliability:
    """A feed over the last days.

    Attributes
    ----------
    look_count, valid_count : int
        Looks, and those that found it up and valid.
    days : tuple of float or None
        Share of valid looks by day, the oldest first; None on a day without a look.
    """

    look_count: int
    valid_count: int
    days: tuple[float | None, ...]

    @property
    def share(self) -> float | None:
        """Share of looks that found it up and valid; None without a look."""
        return self.valid_count / self.look_count if self.look_count else None


def get_reliabilities(*, product_ids: Sequence[int], today: date) -> dict[int, Reliability]:
    """Return the last 30 days (UTC) of feeds; one that nobody looked at is absent."""
    first = today - timedelta(days=DAYS - 1)
    rows = ProbeDay.objects.filter(
        product__in=list(product_ids), day__gte=first, day__lte=today
    ).values_list("product_id", "day", "look_count", "valid_count")
    found: dict[int, dict[date, tuple[int, int]]] = {}
    for product_id, day, looks, valid in rows:
        found.setdefault(product_id, {})[day] = (looks, valid)
    every = [first + timedelta(days=number) for number in range(DAYS)]
    return {
        product_id: Reliability(
            sum(looks for looks, _ in days.values()),
            sum(valid for _, valid in days.values()),
            tuple(
                days[day][1] / days[day][0] if day in days and days[day][0] else None
                for day in every
            ),
        )
        for product_id, days in found.items()
    }
