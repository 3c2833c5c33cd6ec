"""The forward market's two hot paths: orders come in, and coupled zones are cleared."""

from benchmarks import market_coupling, market_intake
from benchmarks.table import Row


def measure() -> list[Row]:
    """Measure order intake against a bare COPY, and coupled clearing against HiGHS alone."""
    return [*market_intake.measure(), *market_coupling.measure()]
