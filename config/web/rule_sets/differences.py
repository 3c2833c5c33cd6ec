"""What differs between two rule sets, in words: key by key, line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.templatetags.figures import kwh, money, price_exact
from config.web.rule_sets.words import VALUES, words_of


@dataclass(frozen=True)
class Difference:
    """A key that differs; lines that are the same on both sides are left out."""

    key: str
    name: str
    explanation: str
    before: Sequence[str]
    after: Sequence[str]


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], currency: str
) -> list[Difference]:
    """Return the keys in which two rule sets differ, in the order of the newer one."""
    keys = [*after, *(key for key in before if key not in after)]
    found = []
    for key in keys:
        if before.get(key, ...) == after.get(key, ...):
            continue
        old, new = (_lines(key, one.get(key, ...), currency) for one in (before, after))
        words = words_of(key)
        same = set(old) & set(new) if len(old) + len(new) > 2 else set()
        found.append(
            Difference(
                key=key,
                name=str(words.name),
                explanation=str(words.explanation),
                before=[line for line in old if line not in same],
                after=[line for line in new if line not in same],
            )
        )
    return found


def _lines(key: str, value: Any, currency: str) -> list[str]:
    """Write a value, one line for each entry of a list."""
    if value is ...:
        return [_("not there")]
    match key:
        case "retail_tariff" | "feed_in_tariff":
            return [_tariff_line(line, currency) for line in value]
        case "links":
            return [_link_line(link, currency) for link in value] or [_("none")]
        case "grid_fees":
            return _grid_fee_lines(value, currency)
        case "matching_order":
            return [" → ".join(str(VALUES.get(each, each)) for each in value)]
        case "zones":
            return [", ".join(value)]
        case _:
            return [plain(key, value, currency)]


def plain(key: str, value: Any, currency: str) -> str:
    """Write one value by the unit at the end of its key."""
    if value is None:
        return _("none")
    if isinstance(value, str):
        return str(VALUES.get(value, value)) if key not in ("name", "notes") else value
    if key.endswith("_micro_per_kwh"):
        return price_exact(value, currency)
    if key.endswith("_micro"):
        return money(value, currency)
    if key.endswith("_wh"):
        return kwh(value)
    if key.endswith("_ppm"):
        return f"{value / 10_000:g} %"
    if key.endswith("_minutes"):
        return ngettext("{count} minute", "{count} minutes", value).format(count=value)
    if key.endswith("_days"):
        return ngettext("{count} day", "{count} days", value).format(count=value)
    return str(value)


def _tariff_line(line: Mapping[str, Any], currency: str) -> str:
    paid = price_exact(line["price_micro_per_kwh"], currency)
    return f"{VALUES[line['days']]}, {line['from']}–{line['to']}: {paid} ({line['name']})"


def _link_line(link: Mapping[str, Any], currency: str) -> str:
    return _("{source} → {sink}: at most {limit}, loss {loss}, fee {fee}").format(
        source=link["from"],
        sink=link["to"],
        limit=kwh(link["limit_wh"]),
        loss=plain("loss_ppm", link["loss_ppm"], currency),
        fee=price_exact(link["fee_micro_per_kwh"], currency),
    )


def _grid_fee_lines(fees: Mapping[str, Any], currency: str) -> list[str]:
    if fees["formula"] == "table":
        return [_fee_line(line, currency) for line in fees["lines"]] or [_("none")]
    levels = [
        f"{each['level']}: {price_exact(each['price_micro_per_kwh'], currency)}"
        for each in fees["levels"]
    ]
    spans = [
        _("{source} → {sink} uses {level}").format(
            source=each["from_zone"], sink=each["to_zone"], level=each["level"]
        )
        for each in fees["spans"]
    ]
    return [str(VALUES["cn-1901"]), *levels, *spans]


def _fee_line(line: Mapping[str, Any], currency: str) -> str:
    everywhere = _("any zone")
    zones = [everywhere if line[key] == "*" else line[key] for key in ("from_zone", "to_zone")]
    level = _("any level") if line["level"] == "*" else line["level"]
    months = line["months"]
    when = [str(VALUES[line["days"]]), f"{line['from']}–{line['to']}"]
    if len(months) < 12:
        when.append(_("months {months}").format(months=", ".join(map(str, months))))
    paid = price_exact(line["price_micro_per_kwh"], currency)
    return f"{zones[0]} → {zones[1]}, {level}, {', '.join(when)}: {paid}"
