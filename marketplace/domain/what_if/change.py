"""What is different in a what-if: a small checked document, applied to each rule set in force.

Whatever a change does not mention stays as it was. Rule sets come out checked as any other, so
that a what-if never computes under rules that no community could have.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from marketplace.domain.pricing_comparison import PRICINGS, document_under
from marketplace.domain.rule_schema import RulesInvalid, check_depth, rules_hash
from marketplace.domain.rules import Rules, load_rules, preset, preset_names

NONE: Final = 0
AS_IT_WAS: Final = 100
PERCENT_MAX: Final = 1000
SEED_MAX: Final = 2**31 - 1
_FEE_MAX: Final = 10**9
# Keys of a change that hold whole numbers, with their bounds.
NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "retail_percent": (NONE, PERCENT_MAX),
    "feed_in_percent": (NONE, PERCENT_MAX),
    "platform_fee_micro_per_kwh": (0, _FEE_MAX),
    "grid_fee_micro_per_kwh": (0, _FEE_MAX),
    "link_fee_micro_per_kwh": (0, _FEE_MAX),
    "link_limit_percent": (NONE, PERCENT_MAX),
    "solar_percent": (NONE, PERCENT_MAX),
    "roofs_percent": (NONE, 100),
    "seed": (0, SEED_MAX),
}
_TEXTS: Final = ("preset", "pricing")
_OBJECTS: Final = ("rules",)
_TABLES: Final = ("retail_tariff", "feed_in_tariff")
# Of the community, not of its rules: another currency or clock would be another place.
_OF_THE_PLACE: Final = ("currency", "timezone", "interval_minutes")
_WHOLE_YEAR: Final = list(range(1, 13))


@dataclass(frozen=True)
class Solar:
    """How much more sun there is; see `marketplace.domain.what_if.solar` for the method."""

    percent: int = AS_IT_WAS
    roofs_percent: int = NONE
    seed: int = 0


def read_change(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a change with what says nothing left out.

    Raises
    ------
    RulesInvalid
        If a key is not known, or its value not possible; the path names it.
    """
    check_depth(document)
    change: dict[str, Any] = {}
    known = {*NUMBERS, *_TEXTS, *_OBJECTS, *_TABLES}
    for key, value in document.items():
        if key not in known:
            raise RulesInvalid(key, "there is no such change", f"use: {', '.join(sorted(known))}")
        if value is None:
            continue
        if key in NUMBERS:
            _check_number(key, value)
        elif not isinstance(value, str if key in _TEXTS else dict if key in _OBJECTS else list):
            raise RulesInvalid(key, f"{value!r} is of another type", "see the API's description")
        change[key] = value
    for key in ("retail_percent", "feed_in_percent", "link_limit_percent", "solar_percent"):
        if change.get(key) == AS_IT_WAS:
            del change[key]
    if not change.get("roofs_percent"):
        change.pop("roofs_percent", None)
        change.pop("seed", None)
    if "preset" in change and "rules" in change:
        raise RulesInvalid("preset", "there is a rule set beside it", "leave one of them out")
    return change


def _check_number(key: str, value: object) -> None:
    low, high = NUMBERS[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RulesInvalid(key, f"{value!r} is not possible", f"write {low} to {high}")


def solar_of(change: Mapping[str, Any]) -> Solar:
    """Return what a change says of the sun."""
    return Solar(
        percent=change.get("solar_percent", AS_IT_WAS),
        roofs_percent=change.get("roofs_percent", NONE),
        seed=change.get("seed", 0),
    )


@dataclass(frozen=True)
class ChangedRules:
    """A rule set as it was and as it would have been."""

    base: Rules
    rules: Rules
    sha256: str

    @property
    def keeps_auctions(self) -> bool:
        """Whether what was traded before delivery stands."""
        return self.rules.market.forward is not None

    @property
    def needs_keys(self) -> bool:
        """Whether energy is shared by fixed keys that nobody had to care for before."""
        return self.rules.pricing == "sharing_static" != self.base.pricing


def changed_rules(base: Mapping[str, Any], change: Mapping[str, Any]) -> ChangedRules:
    """Apply a change to a rule set.

    Raises
    ------
    RulesInvalid
        If what comes out is no rule set, or one that the past cannot be computed under.
    """
    before = load_rules(base)
    document = _replaced(base, change)
    if "pricing" in change and change["pricing"] != document["pricing"]:
        document = _priced(document, change["pricing"])
    for key in _TABLES:
        if key in change:
            document[key] = deepcopy(change[key])
    _scale(document, "retail_tariff", change.get("retail_percent", AS_IT_WAS))
    _scale(document, "feed_in_tariff", change.get("feed_in_percent", AS_IT_WAS))
    if "platform_fee_micro_per_kwh" in change:
        document["platform_fee_micro_per_kwh"] = change["platform_fee_micro_per_kwh"]
    if "grid_fee_micro_per_kwh" in change:
        document = _with_grid_fee(document, change["grid_fee_micro_per_kwh"])
    _change_links(document, change)
    if document != base:
        _widen_bounds(document)
    rules = load_rules(document)
    _check_past(before, rules)
    return ChangedRules(before, rules, rules_hash(document))


def _replaced(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    if "preset" in change:
        if change["preset"] not in preset_names():
            raise RulesInvalid(
                "preset", "there is no such preset", f"use: {', '.join(preset_names())}"
            )
        document = preset(change["preset"])
        return {**document, **{key: base[key] for key in _OF_THE_PLACE}}
    if "rules" not in change:
        return deepcopy(dict(base))
    document = deepcopy(change["rules"])
    load_rules(document)
    for key in _OF_THE_PLACE:
        if document[key] != base[key]:
            raise RulesInvalid(
                f"rules.{key}", f"the community's is {base[key]}", f"write {base[key]}"
            )
    return document


def _priced(document: dict[str, Any], pricing: str) -> dict[str, Any]:
    if pricing not in PRICINGS:
        raise RulesInvalid("pricing", "there is no such pricing", f"use: {', '.join(PRICINGS)}")
    return document_under(document, pricing)


def _scale(document: dict[str, Any], key: str, percent: int) -> None:
    if percent != AS_IT_WAS:
        document[key] = [
            {**band, "price_micro_per_kwh": band["price_micro_per_kwh"] * percent // AS_IT_WAS}
            for band in document[key]
        ]


def _with_grid_fee(document: dict[str, Any], fee: int) -> dict[str, Any]:
    """Return rules under which each kWh from a neighbour costs the same grid fee."""
    changed = document
    if document.get("form") != 2:
        changed = _priced(document, document["pricing"])
    line = {
        "from_zone": "*",
        "to_zone": "*",
        "level": "*",
        "months": _WHOLE_YEAR,
        "days": "all",
        "from": "00:00",
        "to": "24:00",
        "price_micro_per_kwh": fee,
    }
    return {**changed, "grid_fees": {"formula": "table", "lines": [line]}}


def _change_links(document: dict[str, Any], change: Mapping[str, Any]) -> None:
    asked = [key for key in ("link_fee_micro_per_kwh", "link_limit_percent") if key in change]
    if not asked:
        return
    if not document.get("links"):
        raise RulesInvalid(asked[0], "the rule set has no links", "leave it out")
    percent = change.get("link_limit_percent", AS_IT_WAS)
    document["links"] = [
        {
            **link,
            "fee_micro_per_kwh": change.get("link_fee_micro_per_kwh", link["fee_micro_per_kwh"]),
            "limit_wh": min(10**12, link["limit_wh"] * percent // AS_IT_WAS),
        }
        for link in document["links"]
    ]


def _widen_bounds(document: dict[str, Any]) -> None:
    """Let the price bounds hold changed tariffs: they bound what members ask for, not the past."""
    prices = [
        band["price_micro_per_kwh"]
        for key in _TABLES
        for band in document.get(key, [])
        if isinstance(band, dict) and isinstance(band.get("price_micro_per_kwh"), int)
    ]
    low, high = document.get("price_min_micro_per_kwh"), document.get("price_max_micro_per_kwh")
    if prices and isinstance(low, int) and isinstance(high, int):
        document["price_min_micro_per_kwh"] = min(low, *prices)
        document["price_max_micro_per_kwh"] = max(high, *prices)


def _check_past(before: Rules, after: Rules) -> None:
    forward = after.market.forward is not None
    if forward and before.market.forward is None:
        raise RulesInvalid(
            "rules.mode",
            "nobody has placed orders before delivery in this time",
            "choose rules that are cleared from readings (metered)",
        )
    stays = (
        before.pricing == after.pricing
        and before.market.zones == after.market.zones
        and before.market.links == after.market.links
    )
    if forward and not stays:
        raise RulesInvalid(
            "rules.mode",
            "what was traded before delivery stands, with its zones, links and pricing",
            "leave those as they were, or choose metered",
        )
