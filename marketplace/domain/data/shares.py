"""Who gets what part of a price, to the last micro-unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from marketplace.errors import N_, Invalid

PPM: Final = 10**6
SHARES_MAX: Final = 10


@dataclass(frozen=True)
class Share:
    """What somebody beside the seller gets of every price. [ppm]"""

    participant_id: int
    ppm: int


@dataclass(frozen=True)
class Part:
    """An amount for one participant. [micro]"""

    participant_id: int
    micro: int


def checked_shares(values: object, *, seller_id: int) -> tuple[Share, ...]:
    """Check the shares that a seller grants others; what is left is the seller's.

    Parameters
    ----------
    values : object
        A list of ``{"participant": id, "ppm": part}``; integers, or as decimal strings.

    Raises
    ------
    Invalid
        On ``shares``, if the list is not of this form, names somebody twice or the seller, or
        gives away more than there is.
    """
    if not isinstance(values, list | tuple) or len(values) > SHARES_MAX:
        raise Invalid("shares", N_("Shares are a list of at most {maximum}."), maximum=SHARES_MAX)
    shares = tuple(_share(each) for each in values)
    named = [share.participant_id for share in shares]
    if len({*named, seller_id}) <= len(named):
        raise Invalid("shares", N_("Name each participant once, and not the seller."))
    if sum(share.ppm for share in shares) > PPM:
        raise Invalid("shares", N_("All shares together are more than the whole price."))
    return shares


def shares_document(shares: Sequence[Share]) -> list[dict[str, int]]:
    """Return shares as plain JSON values."""
    return [{"participant": share.participant_id, "ppm": share.ppm} for share in shares]


def split(amount_micro: int, shares: Sequence[Share], *, seller_id: int) -> tuple[Part, ...]:
    """Split an amount by shares; the parts add up to it.

    Parameters
    ----------
    amount_micro : int
        Not negative. [micro]

    Returns
    -------
    tuple of Part
        The seller first, then the shares in their order; parts of nothing are left out. What whole
        micro-units leave over goes to the largest remainders, of equal ones to the first.
    """
    weights = [(seller_id, PPM - sum(share.ppm for share in shares))]
    weights += [(share.participant_id, share.ppm) for share in shares]
    amounts = _by_largest_remainder(amount_micro, [weight for _, weight in weights], PPM)
    return tuple(
        Part(participant_id, micro)
        for (participant_id, _), micro in zip(weights, amounts, strict=True)
        if micro
    )


def split_refund(refund_micro: int, parts: Sequence[Part]) -> tuple[int, ...]:
    """Return what each part gives back of a refund; never more than it is. [micro]"""
    whole = sum(part.micro for part in parts)
    if not 0 <= refund_micro <= whole:
        raise ValueError(f"a refund of {refund_micro} is not within 0..{whole}")
    return tuple(_by_largest_remainder(refund_micro, [part.micro for part in parts], whole))


def _by_largest_remainder(amount: int, weights: Sequence[int], whole: int) -> list[int]:
    """Split an amount by weights that add up to ``whole``; 0 by no weight at all."""
    if amount < 0:
        raise ValueError(f"{amount} cannot be split")
    if amount == 0:
        return [0] * len(weights)
    divided = [divmod(amount * weight, whole) for weight in weights]
    amounts = [floor for floor, _ in divided]
    left = amount - sum(amounts)
    by_remainder = sorted(range(len(weights)), key=lambda at: (-divided[at][1], at))
    for at in by_remainder[:left]:
        amounts[at] += 1
    return amounts


def _share(value: object) -> Share:
    if not isinstance(value, Mapping) or set(value) != {"participant", "ppm"}:
        raise Invalid("shares", N_("Each share has a participant and ppm (millionths)."))
    participant, ppm = (_whole(value[name]) for name in ("participant", "ppm"))
    if participant < 1 or not 1 <= ppm <= PPM:
        raise Invalid("shares", N_("A share is 1 to 1,000,000 ppm of a participant's number."))
    return Share(participant, ppm)


def _whole(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
