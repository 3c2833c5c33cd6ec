"""What happens on the district's forward day, from the evening before to the last correction."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from benchmarks.forward_district import MIDNIGHT, QUARTER, District, HandOrder
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.services.billing import preview_billing
from marketplace.services.billing_final import finalise_billing

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
HOUR: Final = timedelta(hours=1)
# Gates close an hour before delivery; forecasts become orders half an hour before that.
BEFORE, AFTER = HOUR + HOUR / 2, QUARTER
# How often it is said how far the day is, besides once per interval.
TICKS_AROUND: Final = (BEFORE + AFTER) // QUARTER + 3
# Meters of the village; none of these has a roof.
LATE, SILENT, POOR, WRONG, EMPTY = "D031", "D032", "D033", "D001", "D002"
# Which intervals something befalls, counted from noon.
LATE_AT, SILENT_AT, CORRECTED_AT, AFTER_DEADLINE_AT = -2, -1, 0, 1
MORE_WH: Final = 77


def live_the_day(district: District) -> None:
    """Trade and meter all intervals of the period, quarter of an hour by quarter of an hour."""
    period = district.period
    late, silent = period.noon + LATE_AT, period.noon + SILENT_AT
    district.limit_credit(POOR)
    _place_by_hand(district, period.evening)
    now = period.start - BEFORE
    last = period.end + AFTER
    while now <= last:
        if now == period.start + (late + 2) * QUARTER:
            district.send(district.rows_of(period.starts[late], [LATE]), now)
        district.tick(now, silent=[(late, LATE), (silent, SILENT)])
        if now == period.start:
            too_late = HandOrder("D034", 0, BUY, 500_000, 10)
            district.place([too_late], now)
        district.certify(now)
        district.said(f"{now.astimezone(district.zone):%d %B %H:%M}")
        now += QUARTER


def _place_by_hand(district: District, now: datetime) -> None:
    """Place orders that are filled wholly, partly or not, and some that nobody can take."""
    roof, at = district.roofs[-1], district.period.noon
    cancelled, *_ = district.place(
        [
            HandOrder("D035", at, BUY, 520_000, 700),
            HandOrder(roof, at, SELL, 365_003, 19_000),  # more than anybody wants
            HandOrder("D036", at, BUY, 540_001, 3_001, minimum=3_001),
            HandOrder("D037", at + 1, BUY, 400_003, 20_000, minimum=20_000),  # more than there is
            HandOrder("D038", at, BUY, 530_000, 500, expires=now + HOUR),
            HandOrder("D039", at, SELL, 1_900_000, 400),  # nobody pays that
            HandOrder(EMPTY, at - 1, SELL, 361_000, 800),  # of which nothing is delivered
            HandOrder(POOR, at, BUY, 500_000, 10_000),  # beyond what may be owed
            HandOrder("D040", at, BUY, 2_000_001, 10),
            HandOrder("D041", at, BUY, 500_000, 20_001),
        ],
        now,
    )
    district.settle(now)
    district.cancel("D035", cancelled, now + HOUR)


def correct_and_bill(district: District) -> list[int]:
    """Let deadlines pass, correct twice, bill both months; return the runs."""
    period = district.period
    silent_until = period.end + timedelta(days=1, hours=1)
    district.settle(silent_until)

    corrected = silent_until + timedelta(days=1)
    silent = period.starts[period.noon + SILENT_AT]
    district.send(district.rows_of(silent, [SILENT]), corrected)
    wrong = period.starts[period.noon + CORRECTED_AT]
    roof = district.rows_of(wrong, [district.roofs[-1]])
    district.send(roof, corrected, more_wh=MORE_WH)
    district.settle(corrected)
    district.certify(corrected)
    june = _bill(district, JUNE, MIDNIGHT + timedelta(days=14))

    too_late = period.end + timedelta(days=37)
    both = [WRONG, district.roofs[-2]]
    rows = district.rows_of(period.starts[period.noon + AFTER_DEADLINE_AT], both)
    district.send(rows, too_late, more_wh=MORE_WH)
    district.settle(too_late)
    district.certify(too_late)
    return [june, _bill(district, JULY, MIDNIGHT + timedelta(days=46))]


def _bill(district: District, month: date, now: datetime) -> int:
    """Make a month's statements final: they are compared with the ledger then."""
    run = preview_billing(
        community_id=district.community.id,
        month=month,
        tax_ppm=0,
        tax_is_included=False,
        now=now,
    )
    finalise_billing(run_id=run, now=now)
    district.settle(now)
    district.said(f"{month:%B} is billed")
    return run
