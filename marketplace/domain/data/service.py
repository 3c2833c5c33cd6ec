"""What a feed promises of itself, what was measured of it, and the credit for the difference.

A promise is a share of looks, over one civil month: how many were answered, how many answers were
young enough, valid, complete. The hall looks on schedule, and every look counts the same; what the
hall did not look at was not missed. docs/data.md says it for a second implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from marketplace.domain.billing.amounts import half_even
from marketplace.domain.money import WHOLE_PPM
from marketplace.errors import N_, Invalid

SERVICE_TYPE: Final = "heliopolis/service-level/1"
# What can be promised, in the order in which pages and credits name it.
AVAILABILITY, FRESHNESS = "availability", "freshness"
VALIDITY, COMPLETENESS = "validity", "completeness"
PROMISES: Final = (AVAILABILITY, FRESHNESS, VALIDITY, COMPLETENESS)
AGE_MAX_S: Final = 31 * 24 * 3600
_ONE_PERCENT_PPM: Final = 10_000
_KEYS: Final = frozenset(
    {
        "type",
        "period",
        "max_age_s",
        *(f"{each}_ppm" for each in PROMISES),
        "credit_ppm_per_percent",
        "credit_most_ppm",
    }
)


@dataclass(frozen=True)
class ServiceLevel:
    """A promise over each civil month, and what its breach takes off the month's price.

    Attributes
    ----------
    availability_ppm, validity_ppm : int
        Least share of looks that are answered; of answers without an error. 0: not promised. [ppm]
    freshness_ppm, max_age_s : int
        Least share of answers that are at most so old by the feed's own clock. [ppm], [s]
    completeness_ppm : int
        Least mean completeness of the answers. [ppm]
    credit_ppm_per_percent : int
        What each percentage point that was missed takes off the price, in proportion. [ppm]
    credit_most_ppm : int
        The most that is ever taken off. [ppm]
    """

    availability_ppm: int = 0
    freshness_ppm: int = 0
    validity_ppm: int = 0
    completeness_ppm: int = 0
    max_age_s: int = 0
    credit_ppm_per_percent: int = 0
    credit_most_ppm: int = WHOLE_PPM

    def __post_init__(self) -> None:
        """Refuse what cannot be measured or paid.

        Raises
        ------
        Invalid
            If a share is not one, or an age is promised without a share or the other way round.
        """
        for name in (*(f"{each}_ppm" for each in PROMISES), "credit_most_ppm"):
            _check(name, getattr(self, name), WHOLE_PPM)
        _check("credit_ppm_per_percent", self.credit_ppm_per_percent, WHOLE_PPM)
        _check("max_age_s", self.max_age_s, AGE_MAX_S)
        if bool(self.max_age_s) != bool(self.freshness_ppm):
            raise Invalid(
                "max_age_s",
                N_("An age is promised together with the share of answers that keep to it."),
            )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is promised."""
        return not any(self.promised_ppm(each) for each in PROMISES)

    def promised_ppm(self, promise: str) -> int:
        """Return the promised share by its code. [ppm]"""
        share: int = getattr(self, f"{promise}_ppm")
        return share

    def to_json(self) -> dict[str, str]:
        """Return the promise as it stands in a product and in a contract; nothing promised: {}."""
        if self.is_empty:
            return {}
        return {
            "type": SERVICE_TYPE,
            "period": "civil-month",
            "max_age_s": str(self.max_age_s),
            **{f"{each}_ppm": str(self.promised_ppm(each)) for each in PROMISES},
            "credit_ppm_per_percent": str(self.credit_ppm_per_percent),
            "credit_most_ppm": str(self.credit_most_ppm),
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a promise.

        Raises
        ------
        Invalid
            If the document is not exactly what `to_json` writes.
        """
        if not document:
            return cls()
        if set(document) != _KEYS:
            raise _unreadable()
        numbers = {name: document[name] for name in _KEYS - {"type", "period"}}
        if not all(_is_decimal(value) for value in numbers.values()):
            raise _unreadable()
        level = cls(**{name: int(value) for name, value in numbers.items()})
        if level.to_json() != dict(document):
            raise _unreadable()
        return level


@dataclass(frozen=True)
class Look:
    """One look of the hall at a feed."""

    is_up: bool
    is_valid: bool = False
    age_s: int | None = None
    completeness_ppm: int | None = None


@dataclass(frozen=True)
class Measured:
    """What the looks of a period come to; sums, so that periods can be added up.

    ``fresh_count`` counts the answers that were at most as old as the level's ``max_age_s``; an
    answer that does not tell its age is not one of them.
    """

    look_count: int = 0
    up_count: int = 0
    fresh_count: int = 0
    valid_count: int = 0
    completeness_count: int = 0
    completeness_sum_ppm: int = 0

    @classmethod
    def of(cls, looks: Iterable[Look], *, max_age_s: int) -> Self:
        """Add looks up."""
        look_count = up = fresh = valid = complete = complete_sum = 0
        for look in looks:
            look_count += 1
            if not look.is_up:
                continue
            up += 1
            valid += look.is_valid
            fresh += look.age_s is not None and look.age_s <= max_age_s
            if look.completeness_ppm is not None:
                complete += 1
                complete_sum += look.completeness_ppm
        return cls(look_count, up, fresh, valid, complete, complete_sum)

    def share_ppm(self, promise: str) -> int | None:
        """Return a measured share by its code, rounded down; None: nothing was measured. [ppm]"""
        part, whole = {
            AVAILABILITY: (self.up_count * WHOLE_PPM, self.look_count),
            FRESHNESS: (self.fresh_count * WHOLE_PPM, self.up_count),
            VALIDITY: (self.valid_count * WHOLE_PPM, self.up_count),
            COMPLETENESS: (self.completeness_sum_ppm, self.completeness_count),
        }[promise]
        return part // whole if whole else None


@dataclass(frozen=True)
class Shortfall:
    """A promise, what was measured of it, and what is missing. [ppm]"""

    promise: str
    promised_ppm: int
    measured_ppm: int | None
    missed_ppm: int


def shortfalls(level: ServiceLevel, measured: Measured) -> tuple[Shortfall, ...]:
    """Compare each promise with what was measured, in the order of `PROMISES`.

    Parameters
    ----------
    level : ServiceLevel
        The promise.
    measured : Measured
        The looks of the period, with ages counted by the same ``max_age_s``.

    Returns
    -------
    tuple of Shortfall
        One for each share that is promised, also where nothing is missing. [ppm]
    """
    compared = []
    for promise in PROMISES:
        promised, share = level.promised_ppm(promise), measured.share_ppm(promise)
        if promised:
            missed = 0 if share is None else max(0, promised - share)
            compared.append(Shortfall(promise, promised, share, missed))
    return tuple(compared)


def credit_ppm(level: ServiceLevel, measured: Measured) -> int:
    """Return the part of the price that is not owed, rounded down. [ppm]

    The missed shares are added up: an outage is missed once, since what was not answered can
    neither be old nor wrong; an answer that is both old and wrong is missed twice.
    """
    missed = sum(each.missed_ppm for each in shortfalls(level, measured))
    return min(level.credit_most_ppm, missed * level.credit_ppm_per_percent // _ONE_PERCENT_PPM)


def credit(level: ServiceLevel, measured: Measured, due_micro: int) -> int:
    """Return what a breach takes off the price of a period.

    Parameters
    ----------
    level : ServiceLevel
        The promise.
    measured : Measured
        The looks of the period.
    due_micro : int
        Price of what was delivered in the period. [micro]

    Returns
    -------
    int
        The credit, 0 to ``due_micro``; rounded half to even. [micro]
    """
    return half_even(due_micro * credit_ppm(level, measured), WHOLE_PPM)


def _check(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 0 <= value <= most:
        raise Invalid(name, N_("This must be a whole number from 0 to {most}."), most=most)


def _is_decimal(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12


def _unreadable() -> Invalid:
    return Invalid("service_level", N_("This is no service level as the market writes it."))
