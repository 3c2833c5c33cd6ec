"""The lines of a statement in words, and its figures as people read them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from config.templatetags.figures import MINUS, NOTHING, kwh_exact, money_exact, price_figure
from marketplace.domain.billing.amounts import due_micro, minor_digits
from marketplace.domain.billing.lines import Line
from marketplace.queries.billing import ItemLine, RunLine, StatementLine
from marketplace.queries.pages import Place

LINE_NAMES = {
    Line.POOL_PURCHASE: gettext_lazy("Bought from neighbours, energy"),
    Line.PLATFORM_FEE: gettext_lazy("Platform fee on it"),
    Line.AGREED_PURCHASE: gettext_lazy("Bought by agreement"),
    Line.GRID_PURCHASE: gettext_lazy("Bought from the grid"),
    Line.GRID_FEE: gettext_lazy("Grid fee"),
    Line.SHORTFALL: gettext_lazy("Sold but not delivered"),
    Line.DEVIATION_DUE: gettext_lazy("Deviation, owed"),
    Line.POOL_SALE: gettext_lazy("Sold to neighbours"),
    Line.AGREED_SALE: gettext_lazy("Sold by agreement"),
    Line.GRID_SALE: gettext_lazy("Sold to the grid"),
    Line.NOT_TAKEN: gettext_lazy("Bought but not taken"),
    Line.DEVIATION_RECEIVED: gettext_lazy("Deviation, received"),
}


@dataclass(frozen=True)
class Row:
    """A line of a statement as text: what for, energy, price, amount."""

    name: str
    energy: str
    price: str
    amount: str
    item: ItemLine | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as a table has it."""
        return self.name, self.energy, self.price, self.amount


@dataclass(frozen=True)
class WordedStatement:
    """A statement in words; the same rows on the page, in the PDF and in no other order."""

    run: RunLine
    statement: StatementLine
    place: Place
    items: list[Row]
    corrections: list[Row]
    sums: list[Row]

    @property
    def number(self) -> str:
        """The statement's own number; empty while it is a preview."""
        return statement_number(self.run, self.statement.participant_id)

    @property
    def payable(self) -> str:
        """What moves outside, without its sign."""
        return minor_text(abs(self.statement.payable_minor), self.place.currency)


def worded_statement(
    run: RunLine, statement: StatementLine, items: list[ItemLine], place: Place
) -> WordedStatement:
    """Return a statement in the reader's language and the community's civil time."""
    of_the_period = [each for each in items if each.interval_id is None]
    return WordedStatement(
        run=run,
        statement=statement,
        place=place,
        items=[_row(each, str(LINE_NAMES[Line(each.line)])) for each in of_the_period],
        corrections=[
            _row(each, f"{_moment(each, place)} · {LINE_NAMES[Line(each.line)]}")
            for each in items
            if each.interval_id is not None
        ],
        sums=_sums(run, statement, place),
    )


def statement_number(run: RunLine, participant_id: int) -> str:
    """Return the number of a final statement: the run's and the member's; empty for a preview."""
    return "" if run.number is None else f"{run.month:%Y-%m}/{run.number}-{participant_id}"


def minor_text(minor: int, currency: str) -> str:
    """Write minor units as people write money, with a dot."""
    digits = minor_digits(currency)
    value = Decimal(abs(minor)).scaleb(-digits)
    return f"{MINUS if minor < 0 else ''}{value:,.{digits}f}"


def month_name(month: date) -> str:
    """Write a month in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return date_format(month, "Y年n月" if chinese else "F Y")


def percent(ppm: int) -> str:
    """Write millionths as percent, exactly."""
    return f"{(Decimal(ppm) / 10_000).normalize():f} %"


def _row(item: ItemLine, name: str) -> Row:
    price = item.mean_price_micro_per_kwh
    shown = NOTHING if price is None else price_figure(price)
    if price is not None and item.price_micro_per_kwh is None:
        shown = f"Ø {shown}"
    has_energy = item.energy_wh != 0
    return Row(
        name=name,
        energy=kwh_exact(item.energy_wh) if has_energy else NOTHING,
        price=shown,
        amount=money_exact(item.amount_micro),
        item=item,
    )


def _sums(run: RunLine, statement: StatementLine, place: Place) -> list[Row]:
    """Return what follows from the items: sum, tax apart, what was carried, what is paid."""
    rows = [Row(_("Sum of the transfers in the book"), "", "", money_exact(statement.net_micro))]
    if run.tax_ppm:
        rate = percent(run.tax_ppm)
        if run.tax_is_included:
            text = _("Tax of {rate}, contained in what was paid").format(rate=rate)
            rows.append(Row(text, "", "", f"({money_exact(-statement.tax_micro)})"))
        else:
            text = _("Tax of {rate} on what was paid").format(rate=rate)
            rows.append(Row(text, "", "", money_exact(-statement.tax_micro)))
    if statement.carried_micro:
        text = _("Carried from the statement before")
        rows.append(Row(text, "", "", money_exact(statement.carried_micro)))
    due = due_micro(
        statement.net_micro,
        statement.tax_micro,
        statement.carried_micro,
        is_included=run.tax_is_included,
    )
    unit = 10 ** (6 - minor_digits(place.currency))
    rest = due - statement.payable_minor * unit
    if rest:
        text = _("Too small to be paid, carried to the next statement")
        rows.append(Row(text, "", "", money_exact(-rest)))
    return rows


def _moment(item: ItemLine, place: Place) -> str:
    assert item.corrected_at is not None, item
    return f"{item.corrected_at.astimezone(place.zone):%Y-%m-%d %H:%M}"
