"""The data market's hot paths: publishing, and what else is measured against something simpler."""

from benchmarks import data_catalogue, data_matching, data_publishing
from benchmarks.table import Row


def measure() -> list[Row]:
    """Measure each part in turn."""
    return [*data_publishing.measure(), *data_catalogue.measure(), *data_matching.measure()]
