"""Rule sets: what a regulator, a utility or an assembly may decide, as checked data.

A rule set is a JSON document. The document is what is stored, hashed and shown; ``Rules`` is the
same thing, checked and ready to be asked for a price. The presets are examples, not legal advice.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from marketplace.domain.market_rules import MarketRules, read_market_rules
from marketplace.domain.rule_schema import (
    PRESET_FOLDER,
    SCHEMA_FILES,
    RulesInvalid,
    canonical_bytes,
    check_schema,
    rules_hash,
)
from marketplace.domain.tariffs import (
    DAY_TYPES,
    BandPrices,
    CivilMoment,
    DayPrices,
    TariffBand,
    day_prices,
    read_tariff,
)

__all__ = [
    "BandPrices",
    "Rules",
    "RulesInvalid",
    "canonical_bytes",
    "load_rules",
    "preset",
    "preset_names",
    "rules_hash",
    "with_interval",
    "with_timezone",
]


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked rule set. Made by `load_rules` only, so whoever holds one may trust it."""

    name: str
    currency: str
    timezone: str
    interval_minutes: int
    mode: Literal["metered", "forward"]
    pricing: Literal[
        "uniform",
        "pay_as_bid",
        "mid_market",
        "supply_demand_ratio",
        "sharing_static",
        "sharing_dynamic",
    ]
    ties: Literal["pro_rata", "arrival"]
    retail_tariff: tuple[TariffBand, ...]
    feed_in_tariff: tuple[TariffBand, ...]
    platform_fee_micro_per_kwh: int
    price_min_micro_per_kwh: int
    price_max_micro_per_kwh: int
    readings_deadline_minutes: int
    correction_deadline_days: int
    credit_limit_micro: int | None
    minimum_group_size: int
    default_standing: Literal["spread"]
    notes: str
    market: MarketRules
    zone: ZoneInfo
    workday: DayPrices = field(repr=False)
    weekend: DayPrices = field(repr=False)

    def prices_at(self, starts_at: datetime) -> BandPrices:
        """Return the prices of the interval that starts then.

        Parameters
        ----------
        starts_at : datetime
            Start of a delivery interval, with time zone. The wall clock of the rule set's civil
            time at this moment decides for the whole interval, so an hour that a clock change
            repeats is priced alike both times.

        Returns
        -------
        BandPrices
            Retail and feed-in tariff and platform fee [micro/kWh], and the retail band's name.

        Raises
        ------
        ValueError
            If ``starts_at`` has no time zone.
        """
        moment = self.moment_of(starts_at)
        day = self.workday if moment.day_type == "workdays" else self.weekend
        return day.at(moment.minute)

    def moment_of(self, starts_at: datetime) -> CivilMoment:
        """Return what tariffs and grid fees ask of a start, by the rule set's wall clock."""
        return CivilMoment.of(starts_at, self.zone)


_PLAIN_KEYS = tuple(
    name
    for name in Rules.__dataclass_fields__
    if name not in ("retail_tariff", "feed_in_tariff", "market", "zone", "workday", "weekend")
)


def load_rules(document: Mapping[str, Any]) -> Rules:
    """Check a document and return the rules it states.

    Raises
    ------
    RulesInvalid
        Where the document breaks the schema, leaves part of a day without a tariff or gives it
        two, names no known time zone, or has a band in which selling to the grid would pay more
        than buying from it costs: there the default standing rules could leave a side worse off.
    """
    canonical_bytes(document)
    check_schema(document)
    keys = {key: document[key] for key in _PLAIN_KEYS if key in document}
    keys.setdefault("notes", "")
    bounds = (document["price_min_micro_per_kwh"], document["price_max_micro_per_kwh"])
    if bounds[0] >= bounds[1]:
        raise RulesInvalid(
            "price_max_micro_per_kwh",
            f"{bounds[1]} is not above the lowest price {bounds[0]}",
            "raise it, or lower price_min_micro_per_kwh",
        )
    retail = read_tariff(document, "retail_tariff")
    feed_in = read_tariff(document, "feed_in_tariff")
    workday, weekend = (
        day_prices(retail, feed_in, document["platform_fee_micro_per_kwh"], bounds, day_type)
        for day_type in DAY_TYPES
    )
    return Rules(
        **keys,
        retail_tariff=retail,
        feed_in_tariff=feed_in,
        market=read_market_rules(document, dict(zip(DAY_TYPES, (workday, weekend), strict=True))),
        zone=_zone(document["timezone"]),
        workday=workday,
        weekend=weekend,
    )


def preset_names() -> tuple[str, ...]:
    """Return the names of the rule sets that come with the hall."""
    return tuple(
        sorted(
            path.stem for path in PRESET_FOLDER.glob("*.json") if path not in SCHEMA_FILES.values()
        )
    )


def preset(name: str) -> dict[str, Any]:
    """Return a fresh copy of a preset's document.

    Raises
    ------
    RulesInvalid
        If there is no preset of this name.
    """
    if name not in preset_names():
        raise RulesInvalid(
            "", f"there is no preset {name!r}", f"use one of: {', '.join(preset_names())}"
        )
    return copy.deepcopy(_preset_document(name))


def with_interval(document: Mapping[str, Any], minutes: int) -> dict[str, Any]:
    """Return the checked document with another delivery interval. [min]"""
    return _changed(document, "interval_minutes", minutes)


def with_timezone(document: Mapping[str, Any], timezone: str) -> dict[str, Any]:
    """Return the checked document with another civil time zone; the tariff keeps its wall clock."""
    return _changed(document, "timezone", timezone)


def _changed(document: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(dict(document))
    changed[key] = value
    load_rules(changed)
    return changed


@cache
def _preset_document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((PRESET_FOLDER / f"{name}.json").read_text("utf-8"))
    return document


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise RulesInvalid(
            "timezone", f"{name!r} is no time zone", "use an IANA name such as Asia/Shanghai"
        ) from error
