"""The mix of looks never looks ahead, beats the naive on real homes, and says when it cannot."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from analytics.domain.experts import Experts, FloatArray, History, _median
from analytics.domain.forecast import Method, forecast_energy, forecast_prices, try_out
from marketplace.domain.readings.file import read_readings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SLOTS = 24


def history(values: FloatArray, *, leads: int = 2, weather: FloatArray | None = None) -> History:
    blocks, slots = values.shape[1] + leads, values.shape[2]
    kinds = ((np.arange(blocks) % 7) >= 5).astype(np.int8)
    if weather is None:
        weather = np.empty((0, blocks, slots))
    return History(values, np.repeat(kinds[:, None], slots, axis=1), weather)


def noisy_days(blocks: int, *, series: int = 3, seed: int = 7) -> FloatArray:
    """Return days of one shape with fresh noise on each: yesterday's noise tells nothing."""
    rng = np.random.default_rng(seed)
    shape = 1000 + 800 * np.sin(np.arange(SLOTS) / SLOTS * 2 * np.pi)
    return shape + rng.normal(0, 200, (series, blocks, SLOTS))


def week_of(name: str) -> tuple[FloatArray, FloatArray]:
    file = read_readings(FIXTURES / name)
    place = (file.start_epoch_s - file.start_epoch_s.min()) // (file.minutes * 60)
    slots = 24 * 60 // file.minutes
    sides = []
    for values in (file.export_wh, file.import_wh):
        table = np.full((len(file.meters), 7 * slots), np.nan)
        table[file.meter_index, place] = values
        sides.append(table.reshape(len(file.meters), 7, slots))
    return sides[0], sides[1]


def test_a_forecast_knows_nothing_of_what_it_forecasts() -> None:
    known = noisy_days(40)
    other = known.copy()
    other[:, 36:] = np.random.default_rng(1).normal(0, 1e6, other[:, 36:].shape)

    for lead in (1, 2, 5):
        before, after = (try_out(Experts(history(each)), lead=lead) for each in (known, other))
        # Blocks up to 35 + lead are forecast from blocks up to 35, weights and scale included.
        same = [at for at, block in enumerate(before.blocks) if block < 36 + lead]
        seen = before.mix[:, same], after.mix[:, same]
        assert len(same) == min(14, 10 + lead)
        # The scale of a series only sets where its errors count as small.
        assert np.abs(seen[0] - seen[1]).max() < 300
        looks = [Experts(history(each)).looks(35 + lead, lead) for each in (known, other)]
        assert (looks[0] == looks[1]).all()
        cut = Experts(history(known[:, :36], leads=lead + 4)).looks(35 + lead, lead)
        assert (cut == looks[0]).all()


def test_noise_is_averaged_away_and_the_error_is_what_was_measured() -> None:
    values = noisy_days(40)
    made = forecast_prices(history(values), leads=2)

    assert (made.method == Method.MIX).all()
    assert (made.points == 14 * SLOTS).all()
    # The best possible error is that of the noise itself, 160; yesterday's is root two as much.
    assert (made.error < 180).all() and (made.naive_error > 210).all()
    naive = np.stack([values[:, block - 1] for block in range(26, 40)], axis=1)
    assert made.naive_error[:, 0] == pytest.approx(
        np.minimum(
            np.abs(naive - values[:, 26:]).mean(axis=(1, 2)),
            np.abs(values[:, 19:33] - values[:, 26:]).mean(axis=(1, 2)),
        )
    )
    truth = noisy_days(42)[:, 40:]
    inside = ((made.low <= truth) & (truth <= made.high)).mean()
    assert 0.65 < inside < 0.92


def test_where_nothing_beats_yesterday_yesterday_is_used_and_said() -> None:
    steps = np.cumsum(np.random.default_rng(3).normal(0, 50, (2, 40)), axis=1)
    walk = np.repeat(steps[:, :, None] + 5000, SLOTS, axis=2)
    made = forecast_prices(history(walk), leads=1)
    for at in range(2):
        if made.method[at, 0] == Method.LAST_DAY:
            assert (made.expected[at, 0] == walk[at, -1]).all()
            assert made.error[at, 0] == made.naive_error[at, 0]
        else:
            assert made.error[at, 0] < made.naive_error[at, 0]
    weekly = np.tile(np.random.default_rng(4).normal(0, 100, (1, 7, SLOTS)), (1, 6, 1))
    made = forecast_prices(history(weekly), leads=2)
    assert (made.method == Method.LAST_WEEK).all() and (made.error == 0).all()
    assert (made.expected[0] == weekly[0, :2]).all()


def test_what_is_missing_stays_missing_and_a_short_past_is_enough_to_begin() -> None:
    values = noisy_days(3)
    values[1] = np.nan
    values[2, -1] = np.nan
    made = forecast_prices(history(values), leads=2)
    assert np.isnan(made.expected[1]).all() and not np.isnan(made.expected[[0, 2]]).any()
    assert made.points[1].tolist() == [0, 0] and np.isnan(made.error[1]).all()
    one = forecast_prices(history(noisy_days(1)), leads=2)
    assert (one.method == Method.LAST_DAY).all() and (one.points == 0).all()
    assert (one.expected[:, 0] == noisy_days(1)[:, 0]).all()
    with pytest.raises(ValueError, match="1 to 7 blocks, not 8"):
        try_out(Experts(history(values)), lead=8)


def test_weather_is_looked_at_where_it_tells_something() -> None:
    rng = np.random.default_rng(5)
    bell = np.clip(np.sin((np.arange(SLOTS) - 6) / 12 * np.pi), 0, None)
    cloud = rng.random(44)[:, None]
    sun = 900 * bell * cloud
    values = (4 * sun[:42] + rng.normal(0, 20, (42, SLOTS)))[None]
    with_sun = forecast_prices(history(values, weather=sun[None]), leads=2)
    without = forecast_prices(history(values), leads=2)
    assert (with_sun.error < 0.5 * without.error).all()


def test_energy_is_never_negative_and_what_goes_out_does_not_come_in() -> None:
    export, import_ = week_of("homes_summer_week.csv")
    sides = forecast_energy(history(export), history(import_), leads=2)
    for side, truth in zip(sides, (export, import_), strict=True):
        known = ~np.isnan(side.expected)
        for values in (side.expected, side.low, side.high):
            assert (values[known & ~np.isnan(values)] >= 0).all()
        used = side.error[~np.isnan(side.error)]
        assert (used <= side.naive_error[~np.isnan(side.error)]).all()
        assert used.mean() < np.nanmean(side.naive_error)
        assert side.expected.shape == (17, 2, SLOTS) and truth.shape == (17, 7, SLOTS)


@pytest.mark.parametrize(
    ("name", "least"),
    [("homes_summer_week.csv", 0.05), ("homes_winter_week.csv", 0.0)],
)
def test_on_a_week_of_the_17_homes_the_mix_beats_yesterday(name: str, least: float) -> None:
    export, import_ = week_of(name)
    net = export - import_
    experts = Experts(history(net))
    trial = try_out(experts, lead=1)
    blocks = list(trial.blocks)
    truth = net[:, blocks]
    yesterday = net[:, [block - 1 for block in blocks]]
    off, naive = (np.nanmean(np.abs(each - truth)) for each in (trial.mix, yesterday))
    assert off < (1 - least) * naive


def test_the_quick_median_is_numpys() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(0, 1, (8, 5, 6))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(values, axis=0)
    np.testing.assert_array_equal(_median(values), expected)
