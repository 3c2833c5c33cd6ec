"""The data provider's home: products and their quality, revenue, open demand, disputes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from config.templatetags.figures import money
from config.web import charts
from config.web.chart_cards import ChartCard, LegendItem
from config.web.chart_kinds.sparklines import sparkline
from config.web.data import catalogue_words, words
from config.web.data.hub import wallet_of, ways_of
from config.web.data.money_words import REASONS
from config.web.personas import use_persona
from marketplace.queries.data.charges import MonthOfProduct, get_on_the_way, list_revenue
from marketplace.queries.data.demand import DemandLine, list_open_demand
from marketplace.queries.data.disputes import list_disputes
from marketplace.queries.data.measured_days import Reliability, get_reliabilities
from marketplace.queries.data.products import ProductLine, list_products
from marketplace.queries.data.provided import (
    Measured,
    get_measured_quality,
    list_version_rows,
)

PRODUCTS_SHOWN: Final = 20
DEMAND_SHOWN: Final = 6
MONTHS_SHOWN: Final = 12
# Fewer values are no trend.
LINE_FROM: Final = 3
COLOURS: Final = ("c1", "c2", "c3", "c4", "c5")


@dataclass(frozen=True)
class ProductRow:
    """A product with its badge and the trend behind it."""

    line: ProductLine
    badge: str
    badge_css: str
    quality: str
    spark: str
    trend: str


@dataclass(frozen=True)
class DemandRow:
    """A group of buyers who ask for data of a sort that the provider has."""

    line: DemandLine
    format: str
    kind: str


@require_safe
def provider(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show what is offered, how good it is, what it earned, and what waits."""
    persona = use_persona(request, participant_id, "data_provider")
    now = timezone.now()
    products = list_products(participant_ids=[participant_id], limit=PRODUCTS_SHOWN + 1)
    listed = {(each.format, each.currency) for each in products if each.state == "listed"}
    demand = [
        DemandRow(
            line,
            str(words.FORMAT_LABELS[line.group.format]),
            str(words.KIND_LABELS[line.group.kind]),
        )
        for line in list_open_demand()
        if (line.group.format, line.group.currency) in listed
    ]
    disputes = [
        (view, str(REASONS.get(view.reason, view.reason)))
        for view in list_disputes(participant_ids=[participant_id])
        if view.is_open and "seller" in view.sides
    ]
    context = {
        "persona": persona,
        "products": _rows(products[:PRODUCTS_SHOWN], now),
        "has_more": len(products) > PRODUCTS_SHOWN,
        "wallet": wallet_of(persona),
        "ways": ways_of(persona),
        "earned": _earned(list_revenue(seller_id=participant_id)),
        "demand": demand[:DEMAND_SHOWN],
        "demand_count": len(demand),
        "has_listed": bool(listed),
        "disputes": disputes,
        "on_the_way": get_on_the_way(seller_id=participant_id),
    }
    return render(request, "provider/home.html", context)


def _rows(products: Sequence[ProductLine], now: datetime) -> list[ProductRow]:
    ids = [product.id for product in products]
    badges = get_measured_quality(product_ids=ids)
    looks = get_reliabilities(product_ids=ids, today=now.date())
    versions = list_version_rows(product_ids=ids)
    return [
        _row(each, badges.get(each.id), looks.get(each.id), versions.get(each.id, []))
        for each in products
    ]


def _row(
    product: ProductLine, badge: Measured | None, looks: Reliability | None, rows: list[int]
) -> ProductRow:
    values: list[float | None] = []
    if product.kind == "feed" and looks is not None:
        values = list(looks.days)
        trend = _("up and valid in {share} of {count} looks, 30 days").format(
            share=catalogue_words.percent(looks.valid_count * 1_000_000 // looks.look_count)
            if looks.look_count
            else _("none"),
            count=looks.look_count,
        )
    elif rows:
        values = [float(count) for count in rows]
        trend = ngettext(
            "{rows} rows in the only version", "{rows} rows in the last of {count} versions",
            len(rows),
        ).format(rows=rows[-1], count=len(rows))  # fmt: skip
    else:
        trend = _("nothing measured yet")
    return ProductRow(
        product,
        catalogue_words.badge_words(badge.quality_band) if badge else "",
        catalogue_words.badge_css(badge.quality_band) if badge else "",
        catalogue_words.percent(badge.quality_ppm) if badge and badge.quality_ppm else "",
        sparkline(values, trend) if sum(each is not None for each in values) >= LINE_FROM else "",
        trend,
    )


def _earned(lines: Sequence[MonthOfProduct]) -> ChartCard | None:
    """Draw revenue by month and product in the currency of most of it; None without any."""
    if not lines:
        return None
    by_currency: dict[str, int] = {}
    for line in lines:
        by_currency[line.currency] = by_currency.get(line.currency, 0) + line.paid_micro
    currency = max(by_currency, key=lambda each: by_currency[each])
    lines = [line for line in lines if line.currency == currency]
    months = _months(max(line.month for line in lines))
    sums: dict[tuple[int, date], int] = {}
    totals: dict[int, int] = {}
    for line in lines:
        if line.month in months:
            at = (line.product_id, line.month)
            sums[at] = sums.get(at, 0) + line.paid_micro
            totals[line.product_id] = totals.get(line.product_id, 0) + line.paid_micro
    titles = {line.product_id: line.title for line in lines}
    return _card(months, sums, totals, titles, currency)


def _card(
    months: list[date],
    sums: dict[tuple[int, date], int],
    totals: dict[int, int],
    titles: dict[int, str],
    currency: str,
) -> ChartCard:
    ranked = sorted(totals, key=lambda each: -totals[each])
    shown, rest = ranked[: len(COLOURS)], ranked[len(COLOURS) :]
    groups = [(titles[each], css, [each]) for each, css in zip(shown, COLOURS, strict=False)]
    if rest:
        groups.append((_("Others"), "c6", rest))
    columns = [
        [sum(sums.get((each, month), 0) for each in members) for month in months]
        for _name, _css, members in groups
    ]
    series = [
        charts.Series(name, css, [micro / 1_000_000 for micro in column])
        for (name, css, _members), column in zip(groups, columns, strict=True)
    ]
    title = _("“{title}” earned most: {amount} of {all} in twelve months").format(
        title=titles[ranked[0]],
        amount=money(totals[ranked[0]], currency),
        all=money(sum(totals.values()), currency),
    )
    names = [date_format(month, "Y-m") for month in months]
    slots = [
        charts.Slot(name, name[2:] if index % 2 == 0 else "") for index, name in enumerate(names)
    ]
    described = charts.Words(title, _("Revenue by month and product"), currency)
    return ChartCard(
        "earned",
        title,
        charts.stacked_bars(slots, series, [], described),
        [_("Month"), *(name for name, _css, _members in groups)],
        [
            [name, *(money(column[index], currency) for column in columns)]
            for index, name in enumerate(names)
        ],
        _("Paid out in the month (UTC), credits and refunds taken off, shares of others included."),
        [LegendItem(one.label, one.css) for one in series],
    )


def _months(last: date) -> list[date]:
    """Return the twelve months that end with one, the oldest first."""
    number = last.year * 12 + last.month - 1
    return [
        date(each // 12, each % 12 + 1, 1) for each in range(number - MONTHS_SHOWN + 1, number + 1)
    ]
