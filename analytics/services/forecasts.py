"""Make the forecasts of a community: of every meter's surplus and demand, and of zone prices."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from analytics.domain.experts import LEADS_MAX, FloatArray
from analytics.domain.forecast import Forecast as Made
from analytics.domain.forecast import forecast_energy, forecast_prices
from analytics.models import Forecast, ForecastRun
from analytics.queries.history import (
    BLOCK,
    BLOCKS_MAX,
    Window,
    read_meters,
    read_prices,
    read_weather,
)
from marketplace.domain.money import ENERGY_MAX_WH, PRICE_MAX_MICRO_PER_KWH
from marketplace.queries.meter_history import (
    LatestReading,
    find_first_interval_start,
    find_latest_reading,
    list_meter_ids,
)
from marketplace.queries.pages import Place, list_places

HORIZON = timedelta(hours=48)
# A city whose readings are older stands still: what follows them is forecast, not what is now.
STANDS_STILL_AFTER = LEADS_MAX * BLOCK - HORIZON
AGAIN_AFTER = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(minutes=30)
KEPT = timedelta(days=3)
METERS_AT_ONCE = 200  # bounds memory
Kind = Forecast.Kind


def make_due_forecasts(*, now: datetime) -> int:
    """Make the forecasts of every community that has news since its last ones.

    Returns
    -------
    int
        Of how many communities.
    """
    made, failures = 0, []
    for place in list_places():
        try:
            made += make_forecasts(place=place, now=now)
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("communities that could not be forecast", failures)
    return made


def make_forecasts(*, place: Place, now: datetime, even_if_made: bool = False) -> bool:
    """Forecast the next 48 hours of a community where something is new since the last time.

    Forecasts begin where the readings end and reach 48 hours beyond ``now``. Each meter's is
    written as soon as it is made, and the latest of a meter counts; one that is killed is begun
    again after a while. Two at once make the same twice.

    Returns
    -------
    bool
        Whether forecasts were made.
    """
    latest = find_latest_reading(community_id=place.community_id)
    if latest is None:
        return False
    window = _window(place, latest, now)
    if not even_if_made and not _is_due(window, now):
        return False
    run = ForecastRun.objects.create(
        community_id=place.community_id,
        starts_at=window.origin,
        interval_minutes=window.minutes,
        lead_count=window.leads,
        known_from=window.start,
        made_at=now,
    )
    weather = read_weather(window)
    meters = list_meter_ids(community_id=place.community_id, active_at=latest.starts_at)
    for at in range(0, len(meters), METERS_AT_ONCE):
        chunk = meters[at : at + METERS_AT_ONCE]
        histories = read_meters(window, metering_point_ids=chunk, weather=weather)
        export, import_ = forecast_energy(*histories, leads=window.leads)
        _write(run, Kind.EXPORT, chunk, export)
        _write(run, Kind.IMPORT, chunk, import_)
    zones, prices = read_prices(window, weather=weather)
    if zones:
        _write(run, Kind.PRICE, zones, forecast_prices(prices, leads=window.leads))
    _finish(run, now)
    return True


def _window(place: Place, latest: LatestReading, now: datetime) -> Window:
    origin = latest.ends_at
    first = find_first_interval_start(community_id=place.community_id)
    assert first is not None and first < origin
    behind = now - origin
    ahead = HORIZON + (behind if timedelta(0) < behind <= STANDS_STILL_AFTER else timedelta(0))
    return Window(
        community_id=place.community_id,
        zone=place.zone,
        origin=origin,
        minutes=latest.minutes,
        blocks=min(BLOCKS_MAX, -(-(origin - first) // BLOCK)),
        leads=-(-ahead // BLOCK),
    )


def _is_due(window: Window, now: datetime) -> bool:
    run = ForecastRun.objects.filter(community_id=window.community_id).order_by("-made_at").first()
    if run is None:
        return True
    if run.finished_at is None:
        return run.made_at <= now - GIVEN_UP_AFTER
    is_news = run.starts_at != window.origin or run.lead_count < window.leads
    return is_news and run.made_at <= now - AGAIN_AFTER


@transaction.atomic
def _write(run: ForecastRun, kind: Kind, subjects: Sequence[int], made: Made) -> None:
    top = PRICE_MAX_MICRO_PER_KWH if kind == Kind.PRICE else ENERGY_MAX_WH
    expected, low, high, error, naive_error = (
        _whole(values.reshape(len(subjects), -1), top)
        for values in (made.expected, made.low, made.high, made.error, made.naive_error)
    )
    Forecast.objects.bulk_create(
        Forecast(
            run=run,
            kind=kind,
            subject_id=subject,
            expected=expected[at],
            low=low[at],
            high=high[at],
            method=made.method[at].tolist(),
            error=error[at],
            naive_error=naive_error[at],
            points=made.points[at].tolist(),
        )
        for at, subject in enumerate(subjects)
    )


def _whole(values: FloatArray, top: int) -> list[list[int | None]]:
    """Return whole numbers within bounds, and None for what is not known."""
    whole = np.rint(np.clip(np.nan_to_num(values), -top, top)).astype(np.int64).astype(object)
    whole[np.isnan(values)] = None
    found: list[list[int | None]] = whole.tolist()
    return found


@transaction.atomic
def _finish(run: ForecastRun, now: datetime) -> None:
    ForecastRun.objects.filter(pk=run.pk).update(finished_at=now)
    older = ForecastRun.objects.filter(community_id=run.community_id).exclude(pk=run.pk)
    older.filter(made_at__lt=now - KEPT).delete()
