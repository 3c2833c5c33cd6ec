"""A product before it is bought: what it is, what was measured of it, what it costs and allows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from config.web import charts
from config.web.data import catalogue_words as say
from config.web.data.acting import own_ids, trader_of
from config.web.data.catalogue_map import cell_map
from config.web.data.version_changes import changes_between
from config.web.data.version_words import report_words
from config.web.data.words import FORMAT_LABELS, KIND_LABELS, duration
from gate.meanings import MEANINGS
from marketplace.domain.data.licences import licence_of
from marketplace.domain.data.quality import Quality
from marketplace.domain.data.service import Shortfall
from marketplace.domain.data.traders import may_buy
from marketplace.domain.data.vocabularies import FREQUENCIES, THEMES
from marketplace.queries.data.catalogue_product import (
    ProductPage,
    get_product,
    get_quality,
    list_file_versions,
)
from marketplace.queries.data.probes import DayLine, list_days
from marketplace.queries.data.products import list_published

DAYS_SHOWN: Final = 30
SAMPLE_ROWS: Final = 10
FINDINGS_SHOWN: Final = 20
COLUMNS_SHOWN: Final = 60
_PERCENT_PPM: Final = 10_000


@dataclass(frozen=True)
class Column:
    """A column with what it means and holds."""

    name: str
    type: str
    meaning: str
    nulls: int
    least: str
    greatest: str


@dataclass(frozen=True)
class Promise:
    """A promised share beside the measured one."""

    label: str
    promised: str
    measured: str
    is_kept: bool


@require_safe
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    """Show a listed product, or say that it was withdrawn."""
    page = get_product(product_id=product_id, now=timezone.now())
    if page is None:
        raise Http404
    persona = trader_of(request)
    is_own = page.provider_id in own_ids(request)
    context: dict[str, object] = {
        "page": page,
        "is_own": is_own,
        "may_sign": page.is_listed and not is_own and persona is not None and may_buy(persona.role),
        **_words(page),
        **_contents(page),
    }
    return render(request, "market/catalogue_product.html", context)


@require_safe
def changes(request: HttpRequest, product_id: int, number: int) -> HttpResponse:
    """Show what a version of a product changed from the one before it."""
    page = get_product(product_id=product_id, now=timezone.now())
    versions = list_published(product_id=product_id) if page is not None else []
    pairs = {new.number: (old, new) for new, old in pairwise(versions)}
    if page is None or number not in pairs:
        raise Http404
    old, new = pairs[number]
    context = {
        "product_id": product_id,
        "title": page.title,
        "language": page.language,
        "old": old,
        "new": new,
        "changes": changes_between(old, new),
    }
    return render(request, "market/catalogue_changes.html", context)


@login_not_required
@require_safe
def quality(request: HttpRequest, product_id: int) -> HttpResponse:
    """Show what was measured of a listed product, day by day or version by version; public."""
    now = timezone.now()
    found = get_quality(product_id=product_id, now=now)
    if found is None:
        raise Http404
    title, is_feed, measured = found
    today = now.astimezone(UTC).date()
    context: dict[str, object] = {
        "product_id": product_id,
        "title": title,
        "is_feed": is_feed,
        "badge": say.badge_words(measured.band),
        "badge_css": say.badge_css(measured.band),
        "figures": _figures(measured),
        "whole": say.percent(measured.whole_ppm),
    }
    if is_feed:
        days = list_days(product_id=product_id, since=today - timedelta(days=DAYS_SHOWN - 1))
        context |= {"days": [_day_row(day) for day in days], **_day_charts(days, today)}
    else:
        context["versions"] = [
            (line, say.percent(line.completeness_ppm))
            for line in list_file_versions(product_id=product_id)
        ]
    return render(request, "market/catalogue_quality.html", context)


def _words(page: ProductPage) -> dict[str, object]:
    licence = licence_of(page.licence)
    frequency = FREQUENCIES.get(page.frequency)
    policy = page.policy
    return {
        "kind": KIND_LABELS[2 if page.is_feed else 1],
        "format": FORMAT_LABELS[page.format],
        "theme": _(THEMES.get(page.theme, page.theme)),
        "frequency": _(frequency.label) if frequency else page.frequency,
        "licence": licence,
        "licence_title": _(licence.title),
        "licence_words": _(licence.words),
        "price": say.price_words(page.price, page.currency),
        "resolution": duration(page.resolution_s) if page.resolution_s else _("single events"),
        "age": say.age_words(page.age_s),
        "purposes": say.listed(policy.purposes, say.PURPOSE_LABELS),
        "prohibitions": say.listed(policy.prohibitions, say.PROHIBITION_LABELS),
        "duties": say.listed(policy.duties, say.DUTY_LABELS),
        "badge": say.badge_words(page.quality.band),
        "badge_css": say.badge_css(page.quality.band),
        "whole": say.percent(page.quality.whole_ppm),
        "figures": _figures(page.quality),
        "promises": [_promise(each) for each in page.compared],
        "age_limit": say.age_words(page.level.max_age_s) if page.level.max_age_s else "",
        "changes": [(say.CHANGE_LABELS[each.what], each) for each in page.changes],
    }


def _contents(page: ProductPage) -> dict[str, object]:
    """Return what can be seen of the newest version."""
    preview = page.preview
    if preview is None:
        return {}
    profile = preview.profile
    columns = [_column(each) for each in profile.get("columns", [])]
    sample = preview.sample
    return {
        "columns": columns[:COLUMNS_SHOWN],
        "map": cell_map(profile.get("coverage", []), title=_("Map of what it covers")),
        "entities": [
            (say.ENTITY_LABELS.get(name, name), number)
            for name, number in sorted(profile.get("entities", {}).items())
        ],
        "findings": preview.findings[:FINDINGS_SHOWN],
        "report": report_words(preview.privacy_report),
        "sample_columns": sample.get("columns", []),
        "sample_rows": sample.get("rows", [])[:SAMPLE_ROWS],
    }


def _column(column: dict[str, Any]) -> Column:
    meaning = MEANINGS.get(column.get("meaning", ""), "")
    return Column(
        str(column["name"]),
        str(column["type"]),
        _(meaning) if meaning else "",
        int(column.get("nulls") or 0),
        str(column.get("min") or ""),
        str(column.get("max") or ""),
    )


def _figures(measured: Quality) -> list[tuple[str, str]]:
    """Return the badge's figures by what they are called, those that were measured."""
    figures = {
        "availability": measured.availability_ppm,
        "freshness": measured.freshness_ppm,
        "validity": measured.validity_ppm,
        "completeness": measured.completeness_ppm,
    }
    return [
        (str(say.PROMISE_LABELS[name]), say.percent(ppm))
        for name, ppm in figures.items()
        if ppm is not None
    ]


def _promise(each: Shortfall) -> Promise:
    return Promise(
        str(say.PROMISE_LABELS[each.promise]),
        say.percent(each.promised_ppm),
        say.percent(each.measured_ppm),
        each.missed_ppm == 0,
    )


def _day_row(day: DayLine) -> tuple[DayLine, str, str, str]:
    share = _share(day.up_count, day.look_count)
    valid = _share(day.valid_count, day.up_count)
    return day, say.percent(share), say.percent(valid), say.percent(day.completeness_ppm)


def _share(part: int, whole: int) -> int | None:
    return part * 100 * _PERCENT_PPM // whole if whole else None


def _day_charts(days: list[DayLine], today: date) -> dict[str, object]:
    """Draw the last days: what was answered and right, and how old it was."""
    by_day = {day.day: day for day in days}
    dates = [today - timedelta(days=ago) for ago in reversed(range(DAYS_SHOWN))]
    slots = [
        charts.Slot(f"{each:%m-%d}", f"{each:%m-%d}" if n % 7 == 0 else "")
        for n, each in enumerate(dates)
    ]

    def values(read: Callable[[DayLine], float | None]) -> list[float | None]:
        return [read(by_day[each]) if each in by_day else None for each in dates]

    shares = [
        charts.Series(
            _("Answered"), "pool", values(lambda d: _percent(_share(d.up_count, d.look_count)))
        ),
        charts.Series(
            _("Without an error"),
            "feed-in",
            values(lambda d: _percent(_share(d.valid_count, d.up_count))),
        ),
        charts.Series(_("Complete"), "grid", values(lambda d: _percent(d.completeness_ppm))),
    ]
    ages = [charts.Series(_("Oldest"), "price", values(lambda d: d.age_max_s))]
    told = _("Day by day, in UTC; the table below has the same figures.")
    return {
        "share_chart": charts.steps(slots, shares, charts.Words(_("Quality"), told, "%")),
        "age_chart": charts.steps(slots, ages, charts.Words(_("Age of the answers"), told, "s")),
    }


def _percent(ppm: int | None) -> float | None:
    return None if ppm is None else ppm / _PERCENT_PPM
