"""A chart as pages show it: a finding, the picture, its figures as a table, how it was made."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LegendItem:
    """What a colour stands for; of a line, its dashes as well."""

    label: str
    css: str
    is_line: bool = False


@dataclass(frozen=True)
class ChartCard:
    """Everything a chart needs so that nobody depends on seeing it.

    Attributes
    ----------
    key : str
        Its id on the page and the name of its file.
    title : str
        The finding in one sentence ("Neighbours met 38 % of the demand, most of it at noon").
    svg : str
        The picture; of `config.web.charts` and its neighbours.
    columns, rows : sequences of str
        The table twin, formatted for people; what is missing says so.
    note : str
        Units, as of when, from which rule set, how computed.
    """

    key: str
    title: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    legend: Sequence[LegendItem] = ()
