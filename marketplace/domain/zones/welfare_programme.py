"""The welfare problem of coupled zones as a linear programme, solved by HiGHS.

One variable for each zone, side and price, and one for each link; one row per zone, which says
that sold and received is bought and sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.zones.book import ZoneBook, ZoneSide
from marketplace.domain.zones.network import Network

if TYPE_CHECKING:
    from highspy import Highs

Float64Array = npt.NDArray[np.float64]

# The solver's tolerances are absolute, 1e-7: numbers of this size leave it nine to eleven digits.
_SCALE_BITS: Final = 13
# Of the largest order: what is nearer to nothing than that is the arithmetic's noise.
_NOISE: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Programme:
    """Columns by zone, bids before offers, the eager first; then the links. Scaled by powers of 2.

    ``columns`` are the numbers of each zone's bids and of its offers.
    """

    cost: Float64Array
    upper: Float64Array
    starts: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    values: Float64Array
    zones: int
    columns: tuple[tuple[slice, slice], ...]
    energy_scale: float


@dataclass(frozen=True)
class Optimum:
    """What the solver found, as it found it: energies are not whole. [Wh]

    Up to ``noise`` nothing trades, and nothing is left. [Wh]
    """

    bought: tuple[float, ...]
    sold: tuple[float, ...]
    sent: tuple[float, ...]
    noise: float


def programme_of(network: Network, books: Sequence[ZoneBook]) -> Programme:
    """Write the welfare problem down, orders of one price added up.

    Parameters
    ----------
    network : Network
        Zones and links.
    books : sequence of ZoneBook
        The orders of each zone.

    Returns
    -------
    Programme
        To minimise: what sellers ask and links charge, less what buyers offer.
    """
    costs, uppers, signs, owners, columns = [], [], [], [], []
    count = 0
    for zone, book in enumerate(books):
        slices = []
        for side in (book.bids, book.offers):
            prices, energies = _levels(side)
            costs.append(prices if not side.is_bid else -prices)
            uppers.append(energies)
            signs.append(np.full(len(prices), -1.0 if side.is_bid else 1.0))
            owners.append(np.full(len(prices), zone, dtype=np.int32))
            slices.append(slice(count, count + len(prices)))
            count += len(prices)
        columns.append((slices[0], slices[1]))
    links = network.links
    cost = np.concatenate([*costs, [float(link.fee_micro_per_kwh) for link in links]])
    energies = np.concatenate(uppers)
    # By the orders alone: a limit that says "as much as you like" must not drown them.
    energy_scale = _scale(energies)
    upper = np.concatenate([energies, [float(link.limit_wh) for link in links]])
    ends = [end for link in links for end in (link.from_zone, link.to_zone)]
    gains = [factor for link in links for factor in (-1.0, float(link.gain))]
    return Programme(
        cost * _scale(cost),
        upper * energy_scale,
        np.concatenate((np.arange(count), count + 2 * np.arange(len(links) + 1)), dtype=np.int32),
        np.concatenate((*owners, ends), dtype=np.int32),
        np.concatenate((*signs, gains)),
        len(books),
        tuple(columns),
        energy_scale,
    )


def run_solver(programme: Programme) -> Highs:
    """Hand a programme to HiGHS and let it find the optimum.

    Presolve is off: it takes ten times as long as the dual simplex then needs.
    """
    # Only networks with losses need it: no other book waits for it to load.
    from highspy import Highs, HighsLp, HighsModelStatus, MatrixFormat

    model = HighsLp()
    model.num_col_, model.num_row_ = len(programme.cost), programme.zones
    model.col_cost_ = programme.cost
    model.col_lower_ = np.zeros(len(programme.cost))
    model.col_upper_ = programme.upper
    model.row_lower_ = model.row_upper_ = np.zeros(programme.zones)
    model.a_matrix_.format_ = MatrixFormat.kColwise
    model.a_matrix_.start_ = programme.starts
    model.a_matrix_.index_ = programme.rows
    model.a_matrix_.value_ = programme.values
    solver = Highs()  # type: ignore[no-untyped-call]  # its constructor lacks the annotation
    for option, value in (("output_flag", False), ("presolve", "off"), ("solver", "simplex")):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    status = solver.getModelStatus()
    # Doing nothing is allowed and everything is bounded, so that there is an optimum.
    assert status == HighsModelStatus.kOptimal, solver.modelStatusToString(status)
    return solver


def optimum_of(network: Network, books: Sequence[ZoneBook]) -> Optimum:
    """Solve the welfare problem, up to the solver's tolerance.

    Parameters
    ----------
    network : Network
        Zones and links.
    books : sequence of ZoneBook
        The orders of each zone.

    Returns
    -------
    Optimum
        One optimal vertex, the same for the same input.
    """
    programme = programme_of(network, books)
    found = np.array(run_solver(programme).getSolution().col_value) / programme.energy_scale
    links = len(network.links)
    return Optimum(
        tuple(float(found[bids].sum()) for bids, _ in programme.columns),
        tuple(float(found[offers].sum()) for _, offers in programme.columns),
        tuple(found[len(found) - links :].tolist()),
        _NOISE * 2**_SCALE_BITS / programme.energy_scale,
    )


def _levels(side: ZoneSide) -> tuple[Float64Array, Float64Array]:
    """Return the distinct prices of a side, the eager first, and the energy at each."""
    keys = side.book.keys
    first = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    prices = ~keys[first] if side.is_bid else keys[first]
    ends = np.append(first[1:], len(keys))[: len(first)]
    energies = np.diff(side.book.cumulative[ends - 1], prepend=0)
    return prices.astype(np.float64), energies.astype(np.float64)


def _scale(values: Float64Array) -> float:
    """Return the power of 2 that brings the largest of the values to the size that is wanted."""
    largest = float(np.abs(values).max(initial=0.0))
    return 1.0 if largest == 0 else float(2.0 ** (_SCALE_BITS - np.ceil(np.log2(largest))))
