"""What an alert says: a sentence with its figures, the threshold, and where the evidence is."""

from collections.abc import Mapping
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.templatetags.figures import kwh, price, share
from config.templatetags.operator_words import kilowatt
from marketplace.domain.surveillance import AlertRule
from marketplace.queries.alerts import AlertLine
from marketplace.queries.pages import Place

R = AlertRule
RULE_NAMES: Final[Mapping[AlertRule, str | Promise]] = {
    R.PRICE_SPIKE: gettext_lazy("Unusual price"),
    R.CONCENTRATION: gettext_lazy("Trade in few hands"),
    R.SELF_TRADE: gettext_lazy("Traded with themselves"),
    R.WASH_PAIR: gettext_lazy("Back and forth between two"),
    R.LATE_CANCELLING: gettext_lazy("Orders taken back before the gate"),
    R.READINGS_COPIED: gettext_lazy("Readings as if copied"),
    R.READINGS_CONSTANT: gettext_lazy("Readings that never change"),
    R.READINGS_IMPLAUSIBLE: gettext_lazy("Implausible peak"),
    R.NIGHT_EXPORT: gettext_lazy("Export at night"),
    R.FEED_DISAGREES: gettext_lazy("Looks at a feed disagree"),
}


def sentence_of(alert: AlertLine, currency: str) -> str:
    """Say what was measured."""
    figures = alert.figures
    match AlertRule(alert.rule):
        case R.PRICE_SPIKE:
            text = _("{price} at {hour}:00, where {usual} is usual; so in {intervals} intervals.")
            shown = {
                "price": price(figures["price"], currency),
                "usual": price(figures["usual"], currency),
                "hour": f"{figures['hour']:02d}",
                "intervals": figures["intervals"],
            }
        case R.CONCENTRATION:
            text = (
                _("{share} of what was sold came from one of {parties}; index {hhi}.")
                if figures["side"] == "sellers"
                else _("{share} of what was bought went to one of {parties}; index {hhi}.")
            )
            shown = {
                "share": share(figures["largest_ppm"] / 1_000_000),
                "parties": figures["parties"],
                "hhi": figures["hhi"],
            }
        case R.SELF_TRADE:
            text, shown = _("Sold {energy} to themselves."), {"energy": kwh(figures["energy"])}
        case R.WASH_PAIR:
            text = _("{there} one way and {back} back: {share} of what one of them traded.")
            shown = {
                "there": kwh(figures["there"]),
                "back": kwh(figures["back"]),
                "share": share(figures["share_ppm"] / 1_000_000),
            }
        case R.LATE_CANCELLING:
            text = _("{orders} orders over {energy}, {share} of the book, taken back at the end.")
            shown = {
                "orders": figures["orders"],
                "energy": kwh(figures["energy"]),
                "share": share(figures["book_ppm"] / 1_000_000),
            }
        case _:
            text, shown = _of_meter_or_feed(alert)
    return text.format(**shown)


def _of_meter_or_feed(alert: AlertLine) -> tuple[str, dict[str, object]]:
    figures = alert.figures
    match AlertRule(alert.rule):
        case R.READINGS_COPIED:
            return _("All {readings} readings are those of {of}."), dict(figures)
        case R.READINGS_CONSTANT:
            return _("All {readings} readings are the same, and not zero."), dict(figures)
        case R.READINGS_IMPLAUSIBLE:
            powers = {name: kilowatt(figures[name]) for name in ("peak", "usual")}
            return _("A peak of {peak}, where {usual} is usual."), dict(powers)
        case R.NIGHT_EXPORT:
            return (
                _("{energy} exported between 22:00 and 4:00, and no device that works at night."),
                {"energy": kwh(figures["energy"])},
            )
        case _:
            return _("{valid} of {looks} looks found it up and valid."), dict(figures)


def threshold_of(alert: AlertLine) -> str:
    """Say which threshold was passed."""
    figures = alert.figures
    match AlertRule(alert.rule):
        case R.PRICE_SPIKE:
            text = _("{deviations} robust deviations off; looked at from {threshold}")
        case R.CONCENTRATION:
            text = _("looked at from an index of {threshold} on, with ten or more")
        case R.SELF_TRADE:
            text = _("any such trade is looked at")
        case R.WASH_PAIR:
            text = _("looked at from {percent} of either’s trade on, four fifths of it returned")
        case R.LATE_CANCELLING:
            text = _("looked at from {percent} of the book on, in the last {minutes} minutes")
        case R.READINGS_COPIED:
            text = _("looked at where {threshold} or more different values are the same")
        case R.READINGS_CONSTANT:
            text = _("looked at from {threshold} readings on")
        case R.READINGS_IMPLAUSIBLE:
            text = _("looked at from {threshold} times the usual peak and 10 kW on")
        case R.NIGHT_EXPORT:
            text = _("looked at from {energy} on")
        case _:
            text = _("looked at where the rarer answer has {percent} or more")
    ppm = figures.get("threshold_ppm", 0)
    energy = kwh(figures["threshold"]) if alert.rule == R.NIGHT_EXPORT else ""
    return text.format(**{**figures, "percent": share(ppm / 1_000_000), "energy": energy})


def evidence_of(alert: AlertLine, operator_id: int, place: Place | None) -> tuple[str, str]:
    """Return the address of the evidence, and its words; empty where there is no page of it."""
    if alert.product_id is not None:
        return reverse("catalogue_quality", args=[alert.product_id]), _("Measured quality")
    if place is None:
        return "", ""
    if alert.metering_point_id is not None:
        meter = reverse(
            "operator_meter_gaps",
            args=[operator_id, place.community_id, alert.metering_point_id],
        )
        return f"{meter}?month={alert.day:%Y-%m}", _("Readings of this meter")
    community = reverse("community", args=[place.community_id])
    return f"{community}?day={alert.day:%Y-%m-%d}", _("The market on that day")
