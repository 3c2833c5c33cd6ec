"""A tax shown apart, and what of a statement moves outside, in the currency's minor unit."""

from dataclasses import dataclass

PPM = 10**6
MICRO_DIGITS = 6
# ISO 4217: digits of the minor unit where they are not two.
_MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True)
class Payable:
    """What moves outside, and what is left below one minor unit for the next statement."""

    minor: int
    rest_micro: int


def half_even(numerator: int, denominator: int) -> int:
    """Return a fraction as a whole number, rounded half to even.

    Parameters
    ----------
    numerator, denominator : int
        Of any size; the denominator is positive.
    """
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def tax_micro(paid_micro: int, tax_ppm: int, *, is_included: bool) -> int:
    """Return the tax on what a member pays.

    Parameters
    ----------
    paid_micro : int
        Supplies and fees; negative when more was given back than paid. [micro]
    tax_ppm : int
        Millionths of the price without tax.
    is_included : bool
        The price contains the tax already.

    Returns
    -------
    int
        Rounded half to even. [micro]
    """
    return half_even(paid_micro * tax_ppm, PPM + tax_ppm if is_included else PPM)


def due_micro(net_micro: int, tax: int, carried_micro: int, *, is_included: bool) -> int:
    """Return what a statement comes to with its tax and with what was carried on to it. [micro]"""
    return net_micro + carried_micro - (0 if is_included else tax)


def minor_digits(currency: str) -> int:
    """Return how many decimals amounts of a currency are paid with."""
    return _MINOR_DIGITS.get(currency, 2)


def payable(due_micro: int, currency: str) -> Payable:
    """Return an amount as it is paid: whole minor units, and a rest that is carried on.

    Parameters
    ----------
    due_micro : int
        Positive: the member receives. [micro]
    """
    unit = 10 ** (MICRO_DIGITS - minor_digits(currency))
    minor = half_even(due_micro, unit)
    return Payable(minor, due_micro - minor * unit)
