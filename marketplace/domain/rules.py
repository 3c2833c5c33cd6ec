"""Rule sets: what a regulator, a utility or an assembly may decide, as checked data.

A rule set is a JSON document. The document is what is stored, hashed and shown; ``Rules`` is the
same thing, checked and ready to be asked for a price. The presets are examples, not legal advice.
"""

from __future__ import annotations

import copy
import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

PRESET_FOLDER: Final = Path(__file__).with_name("rule_presets")
SCHEMA_FILE: Final = PRESET_FOLDER / "schema.json"
RULES_SCHEMA: Final[dict[str, Any]] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
MINUTES_PER_DAY: Final = 24 * 60

DayType = Literal["workdays", "weekend"]
DAY_TYPES: Final[tuple[DayType, DayType]] = ("workdays", "weekend")

REMEDIES: Final[Mapping[str, str]] = {
    "additionalProperties": "remove the key, or correct its spelling",
    "required": "add the key",
    "enum": "use one of the values named",
    "type": "use the type named; amounts and prices are whole micro-units",
    "pattern": "write it in the form the schema asks for",
    "not": "leave out control characters",
}


class RulesInvalid(ValueError):
    """A rule set that cannot be used: ``path`` says where, the text what is wrong, what to do."""

    def __init__(self, path: str, what: str, remedy: str) -> None:
        super().__init__(f"{path or 'rule set'}: {what}; {remedy}")
        self.path = path
        self.what = what
        self.remedy = remedy


class BandPrices(NamedTuple):
    """What the grid and the platform charge in one tariff band. [micro/kWh]"""

    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    platform_fee_micro_per_kwh: int
    band: str


@dataclass(frozen=True, slots=True)
class TariffBand:
    """One line of a tariff: from a minute of the civil day up to, not including, another."""

    name: str
    days: Literal["all", "workdays", "weekend"]
    from_minute: int
    to_minute: int
    price_micro_per_kwh: int


@dataclass(frozen=True, slots=True)
class DayPrices:
    """The prices of one type of day: ``prices[i]`` holds from ``starts[i]`` on. [minute of day]"""

    starts: tuple[int, ...]
    prices: tuple[BandPrices, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked rule set. Made by `load_rules` only, so whoever holds one may trust it."""

    name: str
    currency: str
    timezone: str
    interval_minutes: int
    mode: Literal["metered"]
    pricing: Literal["uniform"]
    ties: Literal["pro_rata"]
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
        if starts_at.utcoffset() is None:
            raise ValueError("prices_at needs a time with its time zone")
        civil = starts_at.astimezone(self.zone)
        day = self.workday if civil.weekday() < 5 else self.weekend
        return day.prices[bisect_right(day.starts, civil.hour * 60 + civil.minute) - 1]


def canonical_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the one way to write a document down: sorted keys, no blanks, UTF-8, integers only.

    Raises
    ------
    RulesInvalid
        If the document holds a fraction, or anything that is not JSON.
    """
    for path, value in _leaves(document, ""):
        if isinstance(value, float):
            raise RulesInvalid(path, f"{value!r} has a fraction point", "write a whole number")
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise RulesInvalid("", str(error), "write the rule set as plain JSON") from error


def rules_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


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
    _check_schema(document)
    keys = {key: value for key, value in document.items() if not key.endswith("_tariff")}
    keys.setdefault("notes", "")
    bounds = (document["price_min_micro_per_kwh"], document["price_max_micro_per_kwh"])
    if bounds[0] >= bounds[1]:
        raise RulesInvalid(
            "price_max_micro_per_kwh",
            f"{bounds[1]} is not above the lowest price {bounds[0]}",
            "raise it, or lower price_min_micro_per_kwh",
        )
    retail = _read_tariff(document, "retail_tariff")
    feed_in = _read_tariff(document, "feed_in_tariff")
    workday, weekend = (
        _day_prices(retail, feed_in, document["platform_fee_micro_per_kwh"], bounds, day_type)
        for day_type in DAY_TYPES
    )
    return Rules(
        **keys,
        retail_tariff=retail,
        feed_in_tariff=feed_in,
        zone=_zone(document["timezone"]),
        workday=workday,
        weekend=weekend,
    )


def preset_names() -> tuple[str, ...]:
    """Return the names of the rule sets that come with the hall."""
    return tuple(sorted(path.stem for path in PRESET_FOLDER.glob("*.json") if path != SCHEMA_FILE))


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


@cache
def _validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(RULES_SCHEMA)
    return Draft202012Validator(RULES_SCHEMA)


def _check_schema(document: Mapping[str, Any]) -> None:
    error: ValidationError | None = best_match(_validator().iter_errors(document))
    if error is None:
        return
    path = error.json_path.removeprefix("$").removeprefix(".")
    # The library quotes the whole offending value; a reader needs only enough to find it.
    what = error.message if len(error.message) <= 200 else error.message[:197] + "..."
    remedy = REMEDIES.get(str(error.validator), "change it to fit the schema of rule sets")
    raise RulesInvalid(path, what, remedy)


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise RulesInvalid(path, f"the key {key!r} is not text", "put it in quotes")
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise RulesInvalid(
            "timezone", f"{name!r} is no time zone", "use an IANA name such as Asia/Shanghai"
        ) from error


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _read_tariff(document: Mapping[str, Any], key: str) -> tuple[TariffBand, ...]:
    """Read one tariff and check that it covers each type of day exactly once."""
    bands = []
    for index, line in enumerate(document[key]):
        start, end = _minute(line["from"]), _minute(line["to"])
        if start >= end:
            raise RulesInvalid(
                f"{key}[{index}].to",
                f"{line['to']} is not after {line['from']}",
                "end the band later; cut one that passes midnight into two",
            )
        bands.append(
            TariffBand(line["name"], line["days"], start, end, line["price_micro_per_kwh"])
        )
    for day_type in DAY_TYPES:
        covered = 0
        for band in _bands_of(bands, day_type):
            where = "twice" if band.from_minute < covered else "by no band"
            if band.from_minute != covered:
                gap = sorted((band.from_minute, covered))
                raise RulesInvalid(
                    key,
                    f"on {day_type} {_clock(gap[0])} to {_clock(gap[1])} is covered {where}",
                    "let each band begin where the one before it ends",
                )
            covered = band.to_minute
        if covered != MINUTES_PER_DAY:
            raise RulesInvalid(
                key,
                f"on {day_type} {_clock(covered)} to 24:00 is covered by no band",
                "let the bands cover the day from 00:00 to 24:00",
            )
    return tuple(bands)


def _bands_of(
    bands: list[TariffBand] | tuple[TariffBand, ...], day_type: DayType
) -> list[TariffBand]:
    chosen = [band for band in bands if band.days in ("all", day_type)]
    return sorted(chosen, key=lambda band: band.from_minute)


def _day_prices(
    retail: tuple[TariffBand, ...],
    feed_in: tuple[TariffBand, ...],
    platform_fee: int,
    bounds: tuple[int, int],
    day_type: DayType,
) -> DayPrices:
    """Lay the two tariffs over one another and check each piece of the day that results."""
    buying, selling = _bands_of(retail, day_type), _bands_of(feed_in, day_type)
    starts = sorted({band.from_minute for band in buying + selling})
    prices = []
    for start in starts:
        bought = next(band for band in buying if start < band.to_minute)
        sold = next(band for band in selling if start < band.to_minute)
        ceiling = bought.price_micro_per_kwh - platform_fee
        if sold.price_micro_per_kwh > ceiling:
            raise RulesInvalid(
                "feed_in_tariff",
                f"on {day_type} at {_clock(start)} {sold.name} pays {sold.price_micro_per_kwh}, "
                f"more than {bought.name} less the platform fee, {ceiling}",
                "lower the feed-in price or the fee, or raise the retail price",
            )
        if sold.price_micro_per_kwh < bounds[0] or ceiling > bounds[1]:
            raise RulesInvalid(
                "retail_tariff" if ceiling > bounds[1] else "feed_in_tariff",
                f"on {day_type} at {_clock(start)} the tariffs leave the price bounds "
                f"{bounds[0]} to {bounds[1]}",
                "widen the bounds: default limit prices lie between the two tariffs",
            )
        prices.append(
            BandPrices(
                bought.price_micro_per_kwh, sold.price_micro_per_kwh, platform_fee, bought.name
            )
        )
    return DayPrices(tuple(starts), tuple(prices))
