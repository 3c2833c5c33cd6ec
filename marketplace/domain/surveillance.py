"""Detectors of unusual things: figures of a day in, findings out; thresholds in one place.

A finding says that something is to be looked at, never that somebody did wrong. Each carries what
was measured and the thresholds that it passed, so that whoever looks can judge the rule as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final


class AlertRule(StrEnum):
    """What a detector looks for."""

    PRICE_SPIKE = "price_spike"
    CONCENTRATION = "concentration"
    SELF_TRADE = "self_trade"
    WASH_PAIR = "wash_pair"
    LATE_CANCELLING = "late_cancelling"
    READINGS_COPIED = "readings_copied"
    READINGS_CONSTANT = "readings_constant"
    READINGS_IMPLAUSIBLE = "readings_implausible"
    NIGHT_EXPORT = "night_export"
    FEED_DISAGREES = "feed_disagrees"


# A price is unusual this many robust deviations from the middle of the same hour before ...
SPIKE_Z: Final = 6.0
# ... of at least so many prices, and so far off that it matters to a bill. [micro/kWh]
SPIKE_PRICES_MIN: Final = 14
SPIKE_OFF_MICRO_PER_KWH: Final = 50_000
# Of prices that hardly ever move any change would be unusual: they count as moving so much.
SPIKE_DEVIATION_MIN: Final = 5_000
# Concentration is high from here on (sum of squared shares, 10,000 at most) ...
HHI_HIGH: Final = 2_500
# ... where so many took part: with few neighbours somebody always has a large share.
HHI_PARTIES_MIN: Final = 10
# Two who sell to each other: of the larger direction, of all that either traded, and at least.
WASH_RETURN_PPM: Final = 800_000
WASH_SHARE_PPM: Final = 500_000
WASH_WH_MIN: Final = 1_000
# Orders taken back within so many minutes before the gate, so many, and this part of the book.
CANCEL_MINUTES: Final = 15
CANCEL_ORDERS_MIN: Final = 3
CANCEL_BOOK_PPM: Final = 200_000
# A day's readings that are those of another meter or day must differ among themselves so often.
COPIED_DISTINCT_MIN: Final = 4
CONSTANT_READINGS_MIN: Final = 12
# A peak is implausible at so many times the middle of the meter's own daily peaks, and this power.
PEAK_TIMES: Final = 10
PEAK_DAYS_MIN: Final = 7
PEAK_W_MIN: Final = 10_000
NIGHT_EXPORT_WH_MIN: Final = 500
# Looks at one feed on one day disagree where the rarer answer has at least this part of them.
LOOKS_MIN: Final = 10
LOOKS_RARER_PPM: Final = 200_000


@dataclass(frozen=True)
class Finding:
    """Something unusual: the rule, whom or what it is about, and its figures."""

    rule: AlertRule
    figures: Mapping[str, int | str]
    participant_id: int | None = None
    other_id: int | None = None
    metering_point_id: int | None = None
    product_id: int | None = None
    detail: str = ""

    @property
    def subject(self) -> str:
        """What tells it from other findings of the rule and day."""
        ids = (self.participant_id, self.other_id, self.metering_point_id, self.product_id)
        return ":".join([*("" if each is None else str(each) for each in ids), self.detail])


@dataclass(frozen=True)
class HourPrice:
    """A clearing price of one zone in an interval of a civil hour. [micro/kWh]"""

    zone: str
    hour: int
    price: int


@dataclass(frozen=True)
class Trades:
    """A day's trades by participant, and of pairs that sold both ways. [Wh]"""

    sold: Mapping[int, int] = field(default_factory=dict)
    bought: Mapping[int, int] = field(default_factory=dict)
    # First and second participant, sold by the first to the second, and by the second to the first.
    both_ways: Sequence[tuple[int, int, int, int]] = ()


@dataclass(frozen=True)
class MeterFigures:
    """One meter's day against its own days before."""

    metering_point_id: int
    participant_id: int
    reading_count: int
    distinct_count: int
    total_wh: int
    peak_w: int
    past_peaks_w: Sequence[int]
    night_export_wh: int
    works_at_night: bool
    copied_from: str = ""


@dataclass(frozen=True)
class Cancelling:
    """Orders that a participant took back shortly before the gate of one interval. [Wh]"""

    participant_id: int
    interval_id: int
    order_count: int
    cancelled_wh: int
    book_wh: int


def find_price_spikes(
    today: Sequence[HourPrice], past: Mapping[tuple[str, int], Sequence[int]]
) -> list[Finding]:
    """Return, for each zone with an unusual price, the one that is furthest off.

    Parameters
    ----------
    today : sequence of HourPrice
        Prices of the day.
    past : mapping of (zone, hour) to sequence of int
        Prices of the same zone and civil hour on the days before. [micro/kWh]
    """
    worst: dict[str, tuple[float, HourPrice, int]] = {}
    counts: dict[str, int] = {}
    for each in today:
        known = past.get((each.zone, each.hour), ())
        if len(known) < SPIKE_PRICES_MIN:
            continue
        middle = int(median(known))
        deviation = 1.4826 * median(abs(price - middle) for price in known)
        z = (each.price - middle) / max(deviation, SPIKE_DEVIATION_MIN)
        if abs(z) < SPIKE_Z or abs(each.price - middle) < SPIKE_OFF_MICRO_PER_KWH:
            continue
        counts[each.zone] = counts.get(each.zone, 0) + 1
        if each.zone not in worst or abs(z) > abs(worst[each.zone][0]):
            worst[each.zone] = (z, each, middle)
    return [
        Finding(
            AlertRule.PRICE_SPIKE,
            {
                "price": each.price,
                "usual": middle,
                "hour": each.hour,
                "deviations": round(abs(z)),
                "intervals": counts[zone],
                "threshold": round(SPIKE_Z),
                "zone": zone,
            },
            detail=zone,
        )
        for zone, (z, each, middle) in sorted(worst.items())
    ]


def find_concentration(trades: Trades) -> list[Finding]:
    """Return whether one side of the market was in few hands, one finding for each side."""
    found = []
    for side, sums in (("sellers", trades.sold), ("buyers", trades.bought)):
        total = sum(sums.values())
        if len(sums) < HHI_PARTIES_MIN or total <= 0:
            continue
        hhi = sum((10_000 * wh) ** 2 for wh in sums.values()) // (10_000 * total**2)
        if hhi >= HHI_HIGH:
            largest = max(sums, key=lambda participant: (sums[participant], -participant))
            found.append(
                Finding(
                    AlertRule.CONCENTRATION,
                    {
                        "side": side,
                        "hhi": hhi,
                        "threshold": HHI_HIGH,
                        "parties": len(sums),
                        "largest_ppm": sums[largest] * 1_000_000 // total,
                    },
                    participant_id=largest,
                    detail=side,
                )
            )
    return found


def find_pairs(trades: Trades) -> list[Finding]:
    """Return who traded with themselves, and pairs that traded back and forth."""
    found = []
    for first, second, there, back in trades.both_ways:
        if first == second:
            found.append(
                Finding(
                    AlertRule.SELF_TRADE,
                    {"energy": there, "threshold": 1},
                    participant_id=first,
                )
            )
            continue
        less, more = sorted((there, back))
        all_of_either = min(
            trades.sold.get(who, 0) + trades.bought.get(who, 0) for who in (first, second)
        )
        returned = less * 1_000_000 // max(1, more)
        share = (there + back) * 1_000_000 // max(1, all_of_either)
        if less >= WASH_WH_MIN and returned >= WASH_RETURN_PPM and share >= WASH_SHARE_PPM:
            found.append(
                Finding(
                    AlertRule.WASH_PAIR,
                    {
                        "there": there,
                        "back": back,
                        "share_ppm": min(share, 1_000_000),
                        "threshold_ppm": WASH_SHARE_PPM,
                    },
                    participant_id=first,
                    other_id=second,
                )
            )
    return found


def find_late_cancelling(cancellings: Sequence[Cancelling]) -> list[Finding]:
    """Return who took back a large part of a book shortly before its gate."""
    return [
        Finding(
            AlertRule.LATE_CANCELLING,
            {
                "orders": each.order_count,
                "energy": each.cancelled_wh,
                "book_ppm": each.cancelled_wh * 1_000_000 // each.book_wh,
                "threshold_ppm": CANCEL_BOOK_PPM,
                "minutes": CANCEL_MINUTES,
            },
            participant_id=each.participant_id,
            detail=str(each.interval_id),
        )
        for each in cancellings
        if each.order_count >= CANCEL_ORDERS_MIN
        and each.book_wh > 0
        and each.cancelled_wh * 1_000_000 >= CANCEL_BOOK_PPM * each.book_wh
    ]


def find_odd_readings(meters: Sequence[MeterFigures]) -> list[Finding]:
    """Return meters whose day looks copied, stuck, out of its size, or lit at night."""
    return [finding for meter in meters for finding in _odd_readings(meter)]


def _odd_readings(meter: MeterFigures) -> list[Finding]:
    found: list[tuple[AlertRule, dict[str, int | str]]] = []
    if meter.copied_from and meter.distinct_count >= COPIED_DISTINCT_MIN:
        figures: dict[str, int | str] = {
            "readings": meter.reading_count,
            "of": meter.copied_from,
            "threshold": COPIED_DISTINCT_MIN,
        }
        found.append((AlertRule.READINGS_COPIED, figures))
    stuck = meter.distinct_count == 1 and meter.total_wh > 0
    if stuck and meter.reading_count >= CONSTANT_READINGS_MIN:
        figures = {"readings": meter.reading_count, "threshold": CONSTANT_READINGS_MIN}
        found.append((AlertRule.READINGS_CONSTANT, figures))
    if len(meter.past_peaks_w) >= PEAK_DAYS_MIN:
        usual = int(median(meter.past_peaks_w))
        if meter.peak_w >= PEAK_W_MIN and meter.peak_w >= PEAK_TIMES * max(usual, 1):
            figures = {"peak": meter.peak_w, "usual": usual, "threshold": PEAK_TIMES}
            found.append((AlertRule.READINGS_IMPLAUSIBLE, figures))
    if meter.night_export_wh >= NIGHT_EXPORT_WH_MIN and not meter.works_at_night:
        figures = {"energy": meter.night_export_wh, "threshold": NIGHT_EXPORT_WH_MIN}
        found.append((AlertRule.NIGHT_EXPORT, figures))
    return [
        Finding(
            rule,
            figures,
            participant_id=meter.participant_id,
            metering_point_id=meter.metering_point_id,
        )
        for rule, figures in found
    ]


def find_disagreeing_feeds(days: Sequence[tuple[int, int, int]]) -> list[Finding]:
    """Return feeds of which the looks of one day say different things.

    Parameters
    ----------
    days : sequence of (int, int, int)
        Product, looks of the day, looks that found it up and valid.
    """
    return [
        Finding(
            AlertRule.FEED_DISAGREES,
            {"looks": looks, "valid": valid, "threshold_ppm": LOOKS_RARER_PPM},
            product_id=product_id,
        )
        for product_id, looks, valid in days
        if looks >= LOOKS_MIN and min(valid, looks - valid) * 1_000_000 >= LOOKS_RARER_PPM * looks
    ]
