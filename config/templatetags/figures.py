"""How people read energy, money and prices: rounded for the eye, exact on a statement."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import lru_cache

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, ngettext

register = template.Library()

MICRO = Decimal(10) ** 6
SYMBOLS = {"CNY": "¥", "EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}
MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"


def _number(value: Decimal, places: int, *, signed: bool = False) -> str:
    """Write a number in the reader's language, with a real minus sign."""
    return _written(value, places, signed, get_language())


@lru_cache(maxsize=20_000)
def _written(value: Decimal, places: int, signed: bool, _language: str | None) -> str:
    # A page of a month writes a thousand prices, and the next reader the same ones.
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = number_format(abs(rounded), decimal_pos=places, force_grouping=True)
    if rounded < 0:
        return MINUS + text
    return f"+{text}" if signed and rounded > 0 else text


@register.filter
def kwh(energy_wh: int | None) -> str:
    """Write an energy in kWh, three figures or so, with its unit in the reader's language."""
    if energy_wh is None:
        return NOTHING
    value = Decimal(energy_wh) / 1000
    places = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{_number(value, places)}{NO_BREAK}{energy_unit()}"


def is_chinese() -> bool:
    """Return whether the reader's language is Chinese."""
    return (get_language() or "").startswith("zh")


def energy_unit() -> str:
    """Return the unit of energies beside a figure and on an axis; bills in Chinese say 度."""
    return "度" if is_chinese() else "kWh"


@register.filter
def kwh_exact(energy_wh: int | None) -> str:
    """Write an energy in kWh down to the Wh, without its unit, for a column of figures."""
    return NOTHING if energy_wh is None else _number(Decimal(energy_wh) / 1000, 3)


@register.filter
def money(amount_micro: int | None, currency: str) -> str:
    """Write an amount rounded to hundredths, with its currency."""
    if amount_micro is None:
        return NOTHING
    return with_currency(_number(Decimal(amount_micro) / MICRO, 2), currency)


@register.filter
def money_change(amount_micro: int | None, currency: str) -> str:
    """Write a difference rounded to hundredths, with its sign and currency."""
    if amount_micro is None:
        return NOTHING
    return with_currency(_number(Decimal(amount_micro) / MICRO, 2, signed=True), currency)


@register.filter
def money_exact(amount_micro: int | None) -> str:
    """Write an amount to the last micro-unit, without its currency, for a column of figures."""
    if amount_micro is None:
        return NOTHING
    return _number(Decimal(amount_micro) / MICRO, 6, signed=True)


@register.filter
def price(price_micro_per_kwh: int | None, currency: str) -> str:
    """Write a price per kWh rounded to thousandths, with its unit."""
    if price_micro_per_kwh is None:
        return NOTHING
    return f"{_number(Decimal(price_micro_per_kwh) / MICRO, 3)}{NO_BREAK}{unit_symbol(currency)}"


@register.filter
def price_exact(price_micro_per_kwh: int | None, currency: str) -> str:
    """Write a limit or clearing price to its last digit, with its unit."""
    if price_micro_per_kwh is None:
        return NOTHING
    return f"{price_figure(price_micro_per_kwh)}{NO_BREAK}{unit_symbol(currency)}"


@register.filter
def price_rounded(price_micro_per_kwh: int | None) -> str:
    """Write a price per kWh rounded to thousandths, without its unit."""
    if price_micro_per_kwh is None:
        return NOTHING
    return _number(Decimal(price_micro_per_kwh) / MICRO, 3)


@register.filter
def price_figure(price_micro_per_kwh: int | None) -> str:
    """Write a price per kWh without its unit: three decimals, more where it has more."""
    if price_micro_per_kwh is None:
        return NOTHING
    value = Decimal(price_micro_per_kwh) / MICRO
    exact = value.normalize().as_tuple().exponent
    return _number(value, min(6, max(3, -exact if isinstance(exact, int) else 3)))


@register.filter
def unit_symbol(currency: str) -> str:
    """Write the unit of a price, also of an axis: ¥/kWh, and in Chinese 元/度."""
    symbol = SYMBOLS.get(currency, currency)
    return f"{'元' if is_chinese() and currency == 'CNY' else symbol}/{energy_unit()}"


@register.filter
def transfers_counted(count: int) -> str:
    """Say how many transfers there are."""
    return ngettext("%(number)s transfer", "%(number)s transfers", count) % {"number": count}


@register.filter
def share(value: Fraction | float | None) -> str:
    """Write a share of one as whole percent."""
    return NOTHING if value is None else f"{round(value * 100)}{NO_BREAK}%"


@register.filter
def day_name(day: date) -> str:
    """Write a civil day with its weekday, in the reader's language."""
    return date_format(day, "Y年n月j日 l" if is_chinese() else "l, j F Y")


def with_currency(figure: str, currency: str) -> str:
    """Put the currency before a figure and after its sign."""
    symbol = SYMBOLS.get(currency, f"{currency}{NO_BREAK}")
    if figure[:1] in (MINUS, "+"):
        return f"{figure[0]}{symbol}{figure[1:]}"
    return f"{symbol}{figure}"
