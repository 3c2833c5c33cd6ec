"""Powers, masses and lengths of time as the city's pages write them."""

from decimal import Decimal
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from config.templatetags.figures import MINUS, NO_BREAK

TONNE_FROM_KG: Final = 10_000


def kilowatts(power_w: int) -> str:
    """Write a power."""
    return f"{_tenths(Decimal(power_w) / 1000)}{NO_BREAK}kW"


def kilograms(mass_mg: int) -> str:
    """Write a mass in kilograms, or in tonnes from ten thousand on."""
    kilos = Decimal(mass_mg) / 10**6
    if kilos >= TONNE_FROM_KG:
        return f"{_tenths(kilos / 1000)}{NO_BREAK}t"
    return f"{_tenths(kilos)}{NO_BREAK}kg"


def lasting(seconds: int) -> str:
    """Write a length of time in a unit that suits it."""
    for length, words in (
        (86_400, _("{number} d")),
        (3_600, _("{number} h")),
        (60, _("{number} min")),
    ):
        if abs(seconds) >= length:
            return words.format(number=_tenths(Decimal(seconds) / length))
    return _("{number} s").format(number=seconds)


def times_over(ratio: float) -> str:
    """Write how many times as much something is."""
    return _tenths(Decimal(ratio))


def _tenths(value: Decimal) -> str:
    text = number_format(abs(round(value, 1)), decimal_pos=1, force_grouping=True)
    return f"{MINUS}{text}" if value < 0 else text
