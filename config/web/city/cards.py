"""Chart cards of the city's pages: one table, written for people and, exactly, for programs."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from config.templatetags.figures import is_chinese
from config.web.chart_cards import ChartCard, LegendItem
from config.web.city.look import Look
from marketplace.domain.spreadsheet import plain_text

MICRO: Final = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column: its head for people, its name with the unit for programs, how a value is written.

    A value that is None is missing: people read so, in the column's own words where it has some,
    and programs find nothing between the commas.
    """

    label: str
    name: str
    write: Callable[[Any], str] = str
    absent: str = ""


@dataclass(frozen=True)
class CityCard:
    """A chart card and its figures as a file."""

    chart: ChartCard
    columns: Sequence[Column]
    values: Sequence[Sequence[object]]

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return self.chart.key

    def as_csv(self) -> str:
        """Return the table exactly: integers as they are, moments in ISO 8601."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows([[_exact(value) for value in row] for row in self.values])
        return text.getvalue()


@dataclass(frozen=True)
class Section:
    """A part of a page under one heading."""

    key: str
    heading: str
    cards: Sequence[CityCard] = ()
    words: Sequence[str] = field(default=())


def make_card(
    key: str,
    title: str,
    svg: str,
    columns: Sequence[Column],
    values: Sequence[Sequence[object]],
    *,
    note: str,
    legend: Sequence[LegendItem] = (),
) -> CityCard:
    """Return a card whose table says the same as its file."""
    missing = absent()
    rows = [
        [
            (column.absent or missing) if value is None else column.write(value)
            for column, value in zip(columns, row, strict=True)
        ]
        for row in values
    ]
    # Axes and colours around nothing tell nothing: then the title has said what there is to say.
    is_empty = all(value is None for row in values for value in row[1:])
    chart = ChartCard(
        key=key,
        # Sentences are joined by a space, which does not follow a Chinese full stop.
        title=title.replace("。 ", "。"),
        svg="" if is_empty else svg,
        columns=[column.label for column in columns],
        rows=rows,
        note=note.replace("。 ", "。"),
        legend=() if is_empty else legend,
    )
    return CityCard(chart, columns, values)


def absent() -> str:
    """Say that there is no figure, whichever the reason: it is never zero."""
    return _("missing or withheld")


def made_from(look: Look) -> str:
    """Say as of when, from which rules and from how much of the time figures are."""
    basis = look.basis
    if basis.as_of is None:
        return _("Nothing is settled in this time yet.")
    versions = ", ".join(str(each.version) for each in look.rule_sets) or "–"
    words = [
        _("As of {at}, rules version {versions}.").format(
            at=moment_words(look.local(basis.as_of)), versions=versions
        )
    ]
    if not basis.is_complete:
        words.append(
            _("{settled} of {all} intervals are settled; the others are missing, not zero.").format(
                settled=basis.settled_count, all=basis.interval_count
            )
        )
    if not basis.is_final:
        words.append(_("Corrections may still come."))
    return " ".join(words)


def moment_words(moment: datetime) -> str:
    """Write a moment as tables do."""
    return moment.strftime("%Y-%m-%d %H:%M")


def short_day(day: date) -> str:
    """Write a civil day without its year, in the reader's language."""
    return _short_day(day, get_language())


@lru_cache(maxsize=2000)
def _short_day(day: date, _language: str | None) -> str:
    # A page of a month writes each of its days a dozen times.
    return date_format(day, "n月j日" if is_chinese() else "MONTH_DAY_FORMAT")


def kilo(value: int | None) -> float | None:
    """Return thousands, for an axis."""
    return None if value is None else value / 1000


def units(value: int | None) -> float | None:
    """Return whole units of money, for an axis."""
    return None if value is None else value / MICRO


def _exact(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return plain_text(value) if isinstance(value, str) else value
