"""Forecasts of surplus, demand and price, each with its measured error against the naive ones.

A forecast is a mix of simple looks into the past (`analytics.domain.experts`) with weights fitted
to the least absolute error. It is measured by a rolling origin on the last blocks of the history:
every block is forecast from what was known ``lead`` blocks before, by weights fitted before. Where
the better of two naive forecasts (the last day known, the same day of last week) was not beaten,
that naive forecast is used, and the result says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.domain.experts import LEADS_MAX, LEVELS, WEEK, Experts, FloatArray, History

FIT_BLOCKS_MAX: Final = 42
FIT_BLOCKS_MIN: Final = 7
MEASURED_BLOCKS: Final = 14
STEPS: Final = 5
# Of the mean of a series: errors below it weigh alike, or the weights would chase zeros.
SMALL: Final = 0.05
RIDGE: Final = 0.05
BAND: Final = (0.1, 0.9)
# Weights of the levels before anything was learned: the last day first, and a little of the rest.
LEAN: Final = (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)


Cut = Callable[[FloatArray], FloatArray]


class Method(IntEnum):
    """How a forecast was made."""

    MIX = 1
    LAST_DAY = 2
    LAST_WEEK = 3


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected, and how wrong such a forecast was.

    Attributes
    ----------
    expected, low, high : ndarray of float64, shape (series, leads, slots)
        NaN where there is no past to look at. ``low`` and ``high`` are expected plus the 10th and
        90th percentile of the measured errors around that slot.
    method : ndarray of int8, shape (series, leads)
        A `Method`.
    error, naive_error : ndarray of float64, shape (series, leads)
        Mean absolute error of the method used and of the better naive forecast, on the same
        points; NaN where nothing could be measured.
    points : ndarray of int64, shape (series, leads)
        How many points the errors are the mean of.
    """

    expected: FloatArray
    low: FloatArray
    high: FloatArray
    method: NDArray[np.int8]
    error: FloatArray
    naive_error: FloatArray
    points: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Forecasts of known blocks from what was known before them.

    Attributes
    ----------
    blocks : tuple of int
        Which blocks of the history were forecast.
    mix : ndarray of float64, shape (series, blocks, slots)
        What the fitted mix gave.
    """

    blocks: tuple[int, ...]
    mix: FloatArray


def try_out(experts: Experts, *, lead: int, blocks: int = MEASURED_BLOCKS) -> Trial:
    """Forecast the last blocks of a history as if each were still to come.

    The weights are fitted anew for every week, to blocks that were known before its first
    forecast was made.

    Parameters
    ----------
    experts : Experts
        Of the whole history.
    lead : int
        How many blocks ahead, 1 to ``LEADS_MAX``.
    blocks : int
        How many blocks at most; fewer where the history is short.
    """
    if not 1 <= lead <= LEADS_MAX:
        raise ValueError(f"a lead must be 1 to {LEADS_MAX} blocks, not {lead}")
    known = experts.history.blocks
    targets = range(max(lead, known - blocks), known)
    made: list[FloatArray] = []
    for first in range(targets.start, targets.stop, WEEK):
        weights = _fit(experts, lead, before=first - lead + 1)
        week = range(first, min(first + WEEK, targets.stop))
        made.extend(_mixed(experts.looks(target, lead), weights) for target in week)
    shape = (len(experts.scale), 0, experts.values.shape[2])
    return Trial(tuple(targets), np.stack(made, axis=1) if made else np.empty(shape))


def next_block(experts: Experts, *, lead: int) -> FloatArray:
    """Return the mix for the block ``lead`` blocks after the last known, shape (series, slots)."""
    weights = _fit(experts, lead, before=experts.history.blocks)
    return _mixed(experts.looks(experts.history.blocks + lead - 1, lead), weights)


def forecast_prices(history: History, *, leads: int) -> Forecast:
    """Forecast series that may be negative, such as the prices of zones.

    Parameters
    ----------
    history : History
        One series per zone. [micro/kWh]
    leads : int
        How many blocks of 24 hours, 1 to ``LEADS_MAX``.
    """
    experts = Experts(history)

    def made(lead: int) -> Forecast:
        return _choose(experts, experts, lead, _unchanged, _try(experts, lead))

    return _joined([made(lead) for lead in range(1, leads + 1)])


def forecast_energy(export: History, import_: History, *, leads: int) -> tuple[Forecast, Forecast]:
    """Forecast what meters will send and draw.

    The mix forecasts the difference, of which the surplus is one side and the demand the other:
    the median of what is cut off at zero is the median, cut off at zero.

    Parameters
    ----------
    export, import_ : History
        The same meters and blocks. [Wh]
    leads : int
        How many blocks of 24 hours, 1 to ``LEADS_MAX``.

    Returns
    -------
    tuple of Forecast
        Of the export and of the import, never below zero. [Wh]
    """
    net = Experts(History(export.values - import_.values, export.day_kinds, export.weather))
    own = (Experts(export), Experts(import_))
    sides: tuple[list[Forecast], list[Forecast]] = ([], [])
    for lead in range(1, leads + 1):
        tried = _try(net, lead)
        sides[0].append(_choose(own[0], net, lead, _above_zero, tried))
        sides[1].append(_choose(own[1], net, lead, _below_zero, tried))
    return _joined(sides[0]), _joined(sides[1])


def as_it_was_expected(
    export: History, import_: History, *, lead: int, blocks: int, methods: Sequence[Method]
) -> tuple[FloatArray, FloatArray]:
    """Return what would have been expected of the last blocks, by one method for each side.

    Returns
    -------
    tuple of ndarray of float64, shape (series, blocks, slots)
        Export and import, never below zero; NaN where there was no past. [Wh]
    """
    net = Experts(History(export.values - import_.values, export.day_kinds, export.weather))
    trial = try_out(net, lead=lead, blocks=blocks)

    def side(history: History, cut: Cut, method: Method) -> FloatArray:
        if method is Method.MIX:
            return cut(trial.mix)
        own = Experts(history)
        look = own.last if method is Method.LAST_DAY else own.week
        return _stacked([look(block, lead) for block in trial.blocks], trial.mix)

    return side(export, _above_zero, methods[0]), side(import_, _below_zero, methods[1])


def _try(experts: Experts, lead: int) -> tuple[Trial, FloatArray]:
    return try_out(experts, lead=lead), next_block(experts, lead=lead)


def _unchanged(values: FloatArray) -> FloatArray:
    return values


def _above_zero(values: FloatArray) -> FloatArray:
    cut: FloatArray = np.maximum(values, 0.0)
    return cut


def _below_zero(values: FloatArray) -> FloatArray:
    return _above_zero(-values)


def _choose(
    own: Experts,
    mixed: Experts,
    lead: int,
    cut: Cut,
    tried: tuple[Trial, FloatArray],
) -> Forecast:
    """Take for each series the method that was least wrong, the mix only where it beat both."""
    trial, ahead = tried
    target = mixed.history.blocks + lead - 1
    truth = own.history.values[:, list(trial.blocks)]
    candidates = np.stack(
        [
            cut(trial.mix),
            _stacked([own.last(block, lead) for block in trial.blocks], truth),
            _stacked([own.week(block, lead) for block in trial.blocks], truth),
        ]
    )
    off = _off(candidates, truth)
    points = _points(off)
    # Until weeks are known there is only one naive forecast to be measured against.
    without_week = _off(candidates[:2], truth)
    short = 2 * points < _points(without_week)
    off[:2, short], off[2, short] = without_week[:, short], np.nan
    points = _points(off)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing measured is NaN, as it should be
        errors = np.nanmean(np.abs(off), axis=(2, 3))
    rank = np.where(np.isnan(errors), np.inf, errors)
    naive = 1 + np.argmin(rank[1:], axis=0)
    series = np.arange(len(naive))
    best = np.where(rank[0] < rank[naive, series], 0, naive)
    usual = cut(_at_usual(mixed, lead))
    ahead_of = np.stack([cut(ahead), own.last(target, lead), own.week(target, lead)])
    expected = ahead_of[best, series]
    expected = np.where(np.isnan(expected), usual, expected)
    low, high = _band(expected, off[best, series])
    return Forecast(
        expected=expected[:, None],
        low=(low if cut is _unchanged else _above_zero(low))[:, None],
        high=high[:, None],
        method=(best + 1).astype(np.int8)[:, None],
        error=errors[best, series][:, None],
        naive_error=errors[naive, series][:, None],
        points=points[:, None],
    )


def _off(candidates: FloatArray, truth: FloatArray) -> FloatArray:
    """Return forecast less truth where every candidate has a forecast, else NaN."""
    off: FloatArray = np.where(np.isnan(candidates).any(axis=0), np.nan, candidates - truth)
    return off


def _points(off: FloatArray) -> NDArray[np.int64]:
    points: NDArray[np.int64] = (~np.isnan(off[0])).sum(axis=(1, 2))
    return points


def _stacked(blocks: Sequence[FloatArray], like: FloatArray) -> FloatArray:
    return np.stack(blocks, axis=1) if blocks else np.empty_like(like)


def _at_usual(experts: Experts, lead: int) -> FloatArray:
    usual: FloatArray = experts.looks(experts.history.blocks + lead - 1, lead)[..., 4]
    return usual


def _band(expected: FloatArray, off: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return expected plus the errors' quantiles around each slot; NaN where none was measured.

    ``off`` is forecast less truth, shape (series, blocks, slots).
    """
    slots = expected.shape[1]
    reach = max(1, slots // 24)  # an hour before and after
    around = np.concatenate([np.roll(off, by, axis=2) for by in range(-reach, reach + 1)], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if not around.shape[1]:
            around = np.full((len(off), 1, slots), np.nan)
        low, high = np.nanquantile(-around, BAND, axis=1)
    return np.minimum(expected + low, expected), np.maximum(expected + high, expected)


def _fit(experts: Experts, lead: int, *, before: int) -> FloatArray:
    """Return weights, shape (series, looks), fitted to the targets ``before`` a block.

    Least absolute error by reweighted least squares, drawn towards ``LEAN``; a short history
    leaves it at that.
    """
    targets = range(max(lead, before - FIT_BLOCKS_MAX), before)
    series = len(experts.scale)
    count = LEVELS + 1 + experts.weather.shape[1]
    lean = np.array([*LEAN, *[0.0] * (count - LEVELS)])
    weights = np.broadcast_to(lean, (series, count))
    if len(targets) < FIT_BLOCKS_MIN:
        return weights
    scale = experts.scale[:, None, None]
    looks = np.concatenate([experts.looks(at, lead) for at in targets], axis=1) / scale
    truth = np.concatenate([experts.values[at] for at in targets], axis=1) / scale[..., 0]
    known = ~(np.isnan(looks).any(axis=2) | np.isnan(truth))
    looks, truth = np.where(known[..., None], looks, 0.0), np.where(known, truth, 0.0)
    ridge = (RIDGE * np.maximum(known.sum(axis=1), 1))[:, None, None] * np.eye(count)
    importance = known.astype(np.float64)
    for _ in range(STEPS):
        weighted = (looks * importance[..., None]).swapaxes(1, 2)
        rest = (truth - looks @ lean)[..., None]
        moved = np.linalg.solve(weighted @ looks + ridge, weighted @ rest)
        weights = lean + moved[..., 0]
        off = np.abs(truth - np.einsum("mnk,mk->mn", looks, weights))
        importance = known / np.maximum(off, SMALL)
    return weights


def _mixed(looks: FloatArray, weights: FloatArray) -> FloatArray:
    mixed: FloatArray = np.einsum("msk,mk->ms", looks, weights)
    return mixed


def _joined(parts: list[Forecast]) -> Forecast:
    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts], axis=1)

    return Forecast(
        expected=joined("expected"),
        low=joined("low"),
        high=joined("high"),
        method=joined("method").astype(np.int8),
        error=joined("error"),
        naive_error=joined("naive_error"),
        points=joined("points").astype(np.int64),
    )
