"""A chart as pages show it: a finding, the picture, its figures as a table, how it was made."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe


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

    @property
    def body(self) -> SafeString:
        """The table's rows as markup; a template would take longer over a month of hours."""
        lines = (
            "".join(
                f'<td class="n">{conditional_escape(cell)}</td>'
                if index
                else f'<th scope="row">{conditional_escape(cell)}</th>'
                for index, cell in enumerate(row)
            )
            for row in self.rows
        )
        text = "".join(f"<tr>{line}</tr>" for line in lines)
        return mark_safe(text)  # noqa: S308 - every cell is escaped
