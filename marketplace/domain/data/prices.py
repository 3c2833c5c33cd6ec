"""What data costs: the price rule of a product, which its contracts copy, and what follows from it.

A rule is checked once, when somebody writes it; what is stored or signed is read back by `of`.
Amounts are integers of micro-units, and whatever is divided is rounded half to even.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from marketplace.domain.billing.amounts import half_even
from marketplace.errors import N_, Invalid

PRICE_MAX_MICRO: Final = 10**15
UNITS_MAX: Final = 10**12
TRIAL_DAYS_MAX: Final = 92
# A record may cost less than one micro-unit, so metered prices are for a thousand.
PER_UNITS: Final = 1000


class PriceForm(StrEnum):
    """How a product is paid for."""

    FREE = "free"
    ONE_OFF = "one_off"
    SUBSCRIPTION = "subscription"
    PER_RECORD = "per_record"
    PER_REQUEST = "per_request"


METERED: Final = frozenset({PriceForm.PER_RECORD, PriceForm.PER_REQUEST})
FORMS_OF_FILES: Final = frozenset({PriceForm.FREE, PriceForm.ONE_OFF})
FORMS_OF_FEEDS: Final = frozenset(PriceForm) - {PriceForm.ONE_OFF}
# The fields that a form has beside its name; all others are left out, and read as 0.
_FIELDS: Final[Mapping[PriceForm, tuple[str, ...]]] = {
    PriceForm.FREE: (),
    PriceForm.ONE_OFF: ("price_micro",),
    PriceForm.SUBSCRIPTION: ("price_micro", "trial_days"),
    PriceForm.PER_RECORD: ("price_micro", "cap_micro", "trial_days", "trial_units", "free_units"),
    PriceForm.PER_REQUEST: ("price_micro", "cap_micro", "trial_days", "trial_units", "free_units"),
}
_BOUNDS: Final = {
    "price_micro": (1, PRICE_MAX_MICRO),
    "cap_micro": (1, PRICE_MAX_MICRO),
    "trial_days": (0, TRIAL_DAYS_MAX),
    "trial_units": (0, UNITS_MAX),
    "free_units": (0, UNITS_MAX),
}


@dataclass(frozen=True)
class PriceRule:
    """A checked price rule.

    Attributes
    ----------
    price_micro : int
        Once; for a whole month; or for a thousand records or requests. [micro]
    cap_micro : int
        What a month of a metered feed costs at most. [micro]
    trial_days : int
        From the start of the contract nothing is charged for so long. [d]
    trial_units : int
        The first so many records or requests of a contract are free.
    free_units : int
        The first so many records or requests of every month are free (grace).
    """

    form: PriceForm
    price_micro: int = 0
    cap_micro: int = 0
    trial_days: int = 0
    trial_units: int = 0
    free_units: int = 0

    @classmethod
    def checked(cls, values: Mapping[str, object], *, is_feed: bool) -> Self:
        """Check a rule that somebody wrote for a file or a feed.

        Parameters
        ----------
        values : mapping
            ``form`` and its fields; integers, or integers as decimal strings as contracts hold
            them. Fields that may be 0 may be left out.

        Raises
        ------
        Invalid
            Naming the first field that is missing, unknown, or not of its form.
        """
        form = _form(values)
        if form not in (FORMS_OF_FEEDS if is_feed else FORMS_OF_FILES):
            raise Invalid(
                "form",
                N_("A file is free or paid once; a feed is free, by the month, or metered."),
            )
        for name in values:
            if name != "form" and name not in _FIELDS[form]:
                raise Invalid(str(name), N_("Unknown field; leave it out."))
        return cls(form, **{name: _whole(values, name) for name in _FIELDS[form]})

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Self:
        """Read back what `document` or `text` wrote."""
        form = _form(document)
        return cls.checked(document, is_feed=form not in FORMS_OF_FILES)

    def document(self) -> dict[str, object]:
        """Return the rule as plain JSON values."""
        fields: dict[str, object] = {name: getattr(self, name) for name in _FIELDS[self.form]}
        return {"form": self.form.value, **fields}

    def text(self) -> dict[str, str]:
        """Return the rule as canonical JSON has it: integers are decimal strings."""
        return {name: str(value) for name, value in self.document().items()}

    @property
    def is_free(self) -> bool:
        """Whether no money ever moves."""
        return self.form == PriceForm.FREE

    @property
    def is_metered(self) -> bool:
        """Whether what is taken decides what is paid."""
        return self.form in METERED

    @property
    def monthly_micro(self) -> int:
        """What a whole month may cost, or the price of a file: what search sorts by. [micro]"""
        return self.cap_micro if self.is_metered else self.price_micro


@dataclass(frozen=True)
class Use:
    """What a contract took in one period, and how much of a month that period is.

    Attributes
    ----------
    taken_before : int
        Units of the rule (records or requests) taken in earlier periods of the contract.
    covered_s, month_s : int
        Length of the period and of the whole month it lies in. [s]
    is_trial : bool
        The period lies within the trial.
    """

    requests: int = 0
    records: int = 0
    taken_before: int = 0
    covered_s: int = 1
    month_s: int = 1
    is_trial: bool = False


def due(rule: PriceRule, use: Use) -> int:
    """Return what is due for a period, or once for a file; never more than `most`. [micro]"""
    if use.is_trial:
        return 0
    if not rule.is_metered:
        return most(rule, covered_s=use.covered_s, month_s=use.month_s)
    paid = max(0, units(rule, use) - free_units_left(rule, use.taken_before))
    return min(rule.cap_micro, half_even(paid * rule.price_micro, PER_UNITS))


def most(rule: PriceRule, *, covered_s: int = 1, month_s: int = 1, is_trial: bool = False) -> int:
    """Return what a period may cost at most: what is held when it begins. [micro]

    Parameters
    ----------
    covered_s, month_s : int
        Length of the period and of its month: of a subscription, a month that is covered in part
        is paid in part; the cap of a metered feed is a month's also when it is shorter. [s]
    """
    if not 0 <= covered_s <= month_s:
        raise ValueError(f"{covered_s} s is no part of a month of {month_s} s")
    if is_trial:
        return 0
    if rule.form == PriceForm.SUBSCRIPTION:
        return half_even(rule.price_micro * covered_s, month_s)
    return rule.monthly_micro


def units(rule: PriceRule, use: Use) -> int:
    """Return how much of what the rule counts was taken."""
    return use.records if rule.form == PriceForm.PER_RECORD else use.requests


def free_units_left(rule: PriceRule, taken_before: int) -> int:
    """Return how many units of a period are free: what the trial has left, then the grace."""
    return max(0, rule.trial_units - taken_before) + rule.free_units


def units_within_cap(rule: PriceRule, *, taken_before: int = 0) -> int | None:
    """Return how many units a period may take before it would cost more than the cap.

    None: as many as anybody likes, the price does not depend on it.
    """
    if not rule.is_metered:
        return None
    paid = (rule.cap_micro * PER_UNITS + PER_UNITS // 2) // rule.price_micro
    # Exactly half a micro-unit above the cap is rounded up when the cap is odd.
    if half_even(paid * rule.price_micro, PER_UNITS) > rule.cap_micro:
        paid -= 1
    return paid + free_units_left(rule, taken_before)


def _form(values: Mapping[str, object]) -> PriceForm:
    try:
        return PriceForm(str(values.get("form", "")))
    except ValueError as error:
        raise Invalid(
            "form",
            N_("Write one of: {forms}."),
            forms=", ".join(form.value for form in PriceForm),
        ) from error


def _whole(values: Mapping[str, object], name: str) -> int:
    low, high = _BOUNDS[name]
    value = values.get(name, 0 if low == 0 else None)
    if isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value)) == value:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Invalid(
            name, N_("A whole number from {low} to {high} is needed."), low=low, high=high
        )
    return value
