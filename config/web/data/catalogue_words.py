"""Words of the catalogue: prices, licences, badges, findings, rules, in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.templatetags.figures import NO_BREAK, money
from config.web.data.words import FORMAT_LABELS, duration
from marketplace.domain.data.facets import AGE_WORDS, FORMAT_CODES, KINDS, PRICE_WORDS
from marketplace.domain.data.prices import PER_UNITS, PriceForm, PriceRule
from marketplace.domain.data.quality import BAND_WORDS, Band

PPM_PER_PERCENT: Final = 10_000
CHANGE_LABELS: Final = {
    1: gettext_lazy("Listed"),
    2: gettext_lazy("New version"),
    3: gettext_lazy("Price or licence changed"),
    4: gettext_lazy("Measured quality changed"),
    5: gettext_lazy("Withdrawn"),
}
PROMISE_LABELS: Final = {
    "availability": gettext_lazy("Answered"),
    "freshness": gettext_lazy("Young enough"),
    "validity": gettext_lazy("Without an error"),
    "completeness": gettext_lazy("Complete"),
}
PURPOSE_LABELS: Final = {
    "commercial-products": gettext_lazy("commercial products"),
    "education": gettext_lazy("education"),
    "journalism": gettext_lazy("journalism"),
    "operations": gettext_lazy("operations"),
    "public-information": gettext_lazy("public information"),
    "research": gettext_lazy("research"),
    "transport-planning": gettext_lazy("transport planning"),
}
PROHIBITION_LABELS: Final = {
    "derive": gettext_lazy("making other data of it"),
    "distribute": gettext_lazy("passing it on"),
    "reidentify": gettext_lazy("finding out who somebody is"),
    "sell": gettext_lazy("selling it"),
}
DUTY_LABELS: Final = {
    "attribute": gettext_lazy("name the source"),
    "delete": gettext_lazy("delete it when the contract has ended"),
}
ENTITY_LABELS: Final = {
    "agencies": gettext_lazy("Agencies"),
    "areas": gettext_lazy("Areas"),
    "capacity": gettext_lazy("Places in all"),
    "detectors": gettext_lazy("Detectors"),
    "entities": gettext_lazy("Entities"),
    "files": gettext_lazy("Files"),
    "routes": gettext_lazy("Lines"),
    "shape points": gettext_lazy("Points of routes"),
    "sites": gettext_lazy("Sites"),
    "stations": gettext_lazy("Stations"),
    "stop times": gettext_lazy("Stop times"),
    "stops": gettext_lazy("Stops"),
    "trips": gettext_lazy("Trips"),
    "vehicles": gettext_lazy("Vehicles"),
}
# The classes of tags in the style sheet.
BADGE_CSS: Final = {Band.EXCELLENT: "good", Band.GOOD: "good", Band.POOR: "bad"}


def facet_labels() -> dict[str, dict[int, str]]:
    """Return what the values of each facet are called."""
    return {
        "kind": {value: _(word) for value, word in KINDS.items()},
        "format": {number: str(FORMAT_LABELS[code]) for code, number in FORMAT_CODES.items()},
        "age": {value: _(word) for value, word in AGE_WORDS.items()},
        "price": {value: _(word) for value, word in PRICE_WORDS.items()},
        # The best first: nobody looks for poor data.
        "quality": {int(band): _(BAND_WORDS[band]) for band in sorted(Band, reverse=True)},
    }


FACET_LABELS: Final = {
    "kind": gettext_lazy("Kind"),
    "format": gettext_lazy("Format"),
    "age": gettext_lazy("Freshness"),
    "price": gettext_lazy("Price, once or a month"),
    "quality": gettext_lazy("Measured quality"),
}


def price_words(rule: PriceRule, currency: str) -> str:
    """Say what a rule makes somebody pay."""
    price, cap = money(rule.price_micro, currency), money(rule.cap_micro, currency)
    match rule.form:
        case PriceForm.FREE:
            words = _("free")
        case PriceForm.ONE_OFF:
            words = _("{price} once").format(price=price)
        case PriceForm.SUBSCRIPTION:
            words = _("{price} a month").format(price=price)
        case PriceForm.PER_RECORD:
            words = _("{price} for {n} records, at most {cap} a month").format(
                price=price, cap=cap, n=PER_UNITS
            )
        case PriceForm.PER_REQUEST:
            words = _("{price} for {n} requests, at most {cap} a month").format(
                price=price, cap=cap, n=PER_UNITS
            )
    return words + "".join(_extras(rule))


def _extras(rule: PriceRule) -> list[str]:
    said = []
    if rule.trial_days:
        said.append(
            ngettext("; the first day is free", "; the first {n} days are free", rule.trial_days)
        )
        said[-1] = said[-1].format(n=rule.trial_days)
    if rule.trial_units:
        said.append(_("; the first {n} of a contract are free").format(n=rule.trial_units))
    if rule.free_units:
        said.append(_("; the first {n} of every month are free").format(n=rule.free_units))
    return said


def percent(ppm: int | None) -> str:
    """Write a share with two decimals, as far as it is measured; rounded down, never up to 100."""
    if ppm is None:
        return _("not measured")
    whole, part = divmod(ppm // (PPM_PER_PERCENT // 100), 100)
    figure = f"{whole}.{part:02d}" if part else f"{whole}"
    return f"{figure}{NO_BREAK}%"


def badge_words(band: int) -> str:
    """Say what a badge says."""
    return _(BAND_WORDS[Band(band)])


def badge_css(band: int) -> str:
    """Return a badge's class."""
    return BADGE_CSS.get(Band(band), "")


def age_words(seconds: int | None) -> str:
    """Say how old something is, in its largest unit."""
    if seconds is None:
        return _("not known")
    if seconds == 0:
        return _("up to a minute")
    for length in (86_400, 3_600, 60):
        if seconds >= length:
            return duration(seconds // length * length)
    return duration(seconds)


def listed(codes: Sequence[str], labels: Mapping[str, Any]) -> str:
    """Return codes as words, with commas between them."""
    return _(", ").join(str(labels.get(code, code)) for code in codes)
