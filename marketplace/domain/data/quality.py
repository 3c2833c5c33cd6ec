"""The quality badge: one number of measured figures, and nothing that anybody says of themselves.

quality = availability x freshness x validity x completeness, each a share of one, those left out
that were not measured. It is the share of what was promised that a buyer would have got.

A feed is measured by the hall's looks at it in the last 30 days: how many were answered; of the
answers, how many were young enough (by the promised age, else twice the promised frequency), how
many without an error, how complete they were on average. A file is measured by its newest version:
rows without a finding, the profile's completeness, and its age against the promised frequency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from marketplace.domain.billing.amounts import PPM, half_even
from marketplace.domain.data.service import (
    AVAILABILITY,
    COMPLETENESS,
    FRESHNESS,
    VALIDITY,
    Measured,
)
from marketplace.errors import N_

WINDOW: Final = timedelta(days=30)
# Fewer looks say more about luck than about the feed.
LOOKS_LEAST: Final = 12
# What is renewed every minute is on average half a minute old, and never on the stroke.
_LATE_PERIODS: Final = 2


class Band(IntEnum):
    """What the badge says; the order is that of search."""

    NOT_MEASURED = 0
    POOR = 1
    FAIR = 2
    GOOD = 3
    EXCELLENT = 4


_FROM_PPM: Final = ((990_000, Band.EXCELLENT), (950_000, Band.GOOD), (800_000, Band.FAIR))
BAND_WORDS: Final[Mapping[Band, str]] = {
    Band.NOT_MEASURED: N_("not measured yet"),
    Band.POOR: N_("poor"),
    Band.FAIR: N_("fair"),
    Band.GOOD: N_("good"),
    Band.EXCELLENT: N_("excellent"),
}


@dataclass(frozen=True)
class Quality:
    """The measured figures of a product; None: not measured. [ppm]"""

    availability_ppm: int | None = None
    freshness_ppm: int | None = None
    validity_ppm: int | None = None
    completeness_ppm: int | None = None

    @property
    def whole_ppm(self) -> int | None:
        """Return the product of the figures, None where validity was not measured. [ppm]"""
        if self.validity_ppm is None:
            return None
        whole = PPM
        for figure in (
            self.availability_ppm,
            self.freshness_ppm,
            self.validity_ppm,
            self.completeness_ppm,
        ):
            if figure is not None:
                whole = half_even(whole * figure, PPM)
        return whole

    @property
    def band(self) -> Band:
        """Return what the badge says."""
        return band_of(self.whole_ppm)


NOTHING_MEASURED: Final = Quality()


def band_of(quality_ppm: int | None) -> Band:
    """Return the badge of a quality. [ppm]"""
    if quality_ppm is None:
        return Band.NOT_MEASURED
    return next((band for least, band in _FROM_PPM if quality_ppm >= least), Band.POOR)


def young_within(max_age_s: int, period_s: int | None) -> int | None:
    """Return how old an answer of a feed may be to count as young; None where any age does. [s]"""
    if max_age_s:
        return max_age_s
    return None if period_s is None else _LATE_PERIODS * period_s


def quality_of_feed(measured: Measured, *, has_age: bool) -> Quality:
    """Return the figures of a feed; none of them after fewer than `LOOKS_LEAST` looks.

    Parameters
    ----------
    measured : Measured
        The looks of the window, ages counted by what `young_within` says.
    has_age : bool
        Whether an age is promised at all; if not, no age is held against it.
    """
    if measured.look_count < LOOKS_LEAST:
        return NOTHING_MEASURED
    return Quality(
        availability_ppm=measured.share_ppm(AVAILABILITY),
        freshness_ppm=measured.share_ppm(FRESHNESS) if has_age else None,
        # Where nothing was ever answered nothing was valid either.
        validity_ppm=measured.share_ppm(VALIDITY) or 0,
        completeness_ppm=measured.share_ppm(COMPLETENESS),
    )


def quality_of_file(
    *,
    rows: int,
    rows_with_findings: int,
    completeness_ppm: int | None,
    published_at: datetime,
    period_s: int | None,
    now: datetime,
) -> Quality:
    """Return the figures of a file by its newest version.

    Parameters
    ----------
    rows_with_findings : int
        Errors and warnings of the format's validator, each counted for one row.
    period_s : int or None
        Promised time between versions; None: none is promised, and age is not held against it. [s]

    Returns
    -------
    Quality
        ``freshness_ppm`` is whole until the next version is due, then the promised time over the
        time that passed.
    """
    freshness = None
    if period_s is not None:
        passed_s = max(1, int((now - published_at).total_seconds()))
        freshness = min(PPM, half_even(PPM * period_s, passed_s))
    return Quality(
        freshness_ppm=freshness,
        validity_ppm=_share(max(0, rows - rows_with_findings), rows) if rows else 0,
        completeness_ppm=completeness_ppm,
    )


def _share(part: int, whole: int) -> int:
    return half_even(PPM * part, whole)
