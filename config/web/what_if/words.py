"""A change in words, and how a what-if is computed."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from config.templatetags.figures import price_exact
from config.web.comparison import PRICING_NAMES
from marketplace.queries.what_ifs import WhatIfAnswer

MICRO = 10**6


def change_words(change: Mapping[str, Any], currency: str) -> list[str]:
    """Return what is different, one sentence fragment each; one that says so for nothing."""
    found = [_told(key, change[key], currency) for key in change if key != "seed"]
    if "roofs_percent" in change:
        found.append(_("seed {seed}").format(seed=change.get("seed", 0)))
    return found or [_("nothing: what happened, computed again")]


def _told(key: str, value: Any, currency: str) -> str:
    match key:
        case "preset":
            return _("rule set “{name}”").format(name=value)
        case "rules":
            return _("a rule set of their own, “{name}”").format(name=value.get("name", ""))
        case "pricing":
            return _("pricing: {name}").format(name=PRICING_NAMES[value])
        case "retail_tariff":
            return _("a retail tariff of their own")
        case "feed_in_tariff":
            return _("a feed-in tariff of their own")
        case "retail_percent":
            return _("retail tariff at {percent} %").format(percent=value)
        case "feed_in_percent":
            return _("feed-in tariff at {percent} %").format(percent=value)
        case "link_limit_percent":
            return _("limits between zones at {percent} %").format(percent=value)
        case "solar_percent":
            return _("solar roofs at {percent} percent of their size").format(percent=value)
        case "roofs_percent":
            return _("a roof for {percent} percent of those without one").format(percent=value)
    fee = price_exact(value, currency)
    if key == "platform_fee_micro_per_kwh":
        return _("platform fee {price}").format(price=fee)
    if key == "grid_fee_micro_per_kwh":
        return _("grid fee {price}").format(price=fee)
    return _("fee between zones {price}").format(price=fee)


def method_words(change: Mapping[str, Any], *, is_forward: bool, roof_count: int) -> list[str]:
    """Return how the answer was computed, and what it does not say."""
    found = [
        _(
            "Each settled interval was cleared and settled again from its stored book, by the "
            "same code: the same readings, limits, agreements and members over their credit limit."
        ),
        _(
            "People would behave differently under other rules; here they do not. Whoever left "
            "their limits to the hall follows the rules, limits of one's own stay."
        ),
    ]
    if is_forward:
        found.append(
            _(
                "What was traded before delivery stands where the rules keep that market: orders "
                "are not placed again, only deliveries, deviations and fees are computed anew. "
                "Under a rule set or pricing without it, the time is cleared from readings alone."
            )
        )
    if "solar_percent" in change or "roofs_percent" in change:
        found.append(
            _(
                "More sun is hypothetical: what roofs made is not measured, so that a larger roof "
                "makes more in proportion to what it gave to the grid. It first meets the "
                "import of its own home, the rest is exported. Smaller roofs export less; what "
                "they would have drawn instead nobody knows."
            )
        )
    if "roofs_percent" in change and not roof_count:
        found.append(
            _("Nobody was drawn for a new roof: too few homes have one, or too few have none.")
        )
    if roof_count:
        found.append(
            _(
                "{count} homes drawn by lot get a roof that makes, in each interval, what the "
                "median roof gave to the grid then."
            ).format(count=roof_count)
        )
    return found


def note_of(answer: WhatIfAnswer, computed: str) -> str:
    """Say as of when, from how much and under which rule sets a chart is."""
    rules = ", ".join(f"{each.version} ({each.changed_sha256[:12]})" for each in answer.rules)
    return _(
        "{count} settled intervals, computed on {at}; rules version and changed hash: {rules}."
    ).format(
        count=answer.total.actual.zones[""]["interval_count"] if answer.days else 0,
        at=computed,
        rules=rules,
    )
