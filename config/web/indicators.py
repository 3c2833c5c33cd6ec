"""The city's public figures of traffic and mobility, as a page, as JSON and as CSV."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from analytics.domain.indicators import DayType, Kind
from analytics.queries.indicators import (
    BalanceLine,
    FlowLine,
    PlaceHours,
    SourceLine,
    list_balance,
    list_by_hour,
    list_flows,
    list_sources,
)
from config.web.data.words import area_label
from config.web.heat_map import HeatRow, heat_map
from marketplace.domain.spreadsheet import plain_text
from marketplace.queries.data.planning_names import ProductName, names_of_products

PLACES_SHOWN: Final = 24
FLOWS_SHOWN: Final = 30
TOPICS: Final[dict[str, Promise]] = {
    "traffic": gettext_lazy("Traffic by hour"),
    "flows": gettext_lazy("Flows between areas"),
    "balance": gettext_lazy("Balance of areas"),
    "stations": gettext_lazy("Bikes at stations"),
    "transit": gettext_lazy("Public transport"),
}
DAYS: Final[dict[str, tuple[DayType, Promise]]] = {
    "workday": (DayType.WORKDAY, gettext_lazy("Workdays")),
    "weekend": (DayType.WEEKEND, gettext_lazy("Weekends")),
}
BY_HOUR: Final = ("traffic", "stations", "transit")
_KINDS: Final = {
    "traffic": Kind.TRAFFIC,
    "flows": Kind.FLOW,
    "balance": Kind.FLOW,
    "stations": Kind.STATIONS,
    "transit": Kind.DEPARTURES,
}
UNITS: Final[dict[str, tuple[str, Promise]]] = {
    "traffic": ("vehicles/h", gettext_lazy("vehicles an hour")),
    "flows": ("trips", gettext_lazy("trips")),
    "balance": ("trips", gettext_lazy("trips")),
    "stations": ("percent", gettext_lazy("percent of the places taken")),
    "transit": ("departures", gettext_lazy("departures")),
}
Line = PlaceHours | FlowLine | BalanceLine


@dataclass(frozen=True)
class SourceRow:
    """What figures are made from, with the product's names."""

    line: SourceLine
    name: ProductName | None


@login_not_required
@require_safe
def indicators(request: HttpRequest) -> HttpResponse:
    """Show one topic of the city's figures."""
    topic, day = _asked(request)
    lines = _lines(topic, day)
    months = sorted({line.month for line in lines if not isinstance(line, PlaceHours)})
    month = request.GET.get("month", "")
    month = month if month in months else (months[-1] if months else "")
    context: dict[str, Any] = {
        "topics": TOPICS,
        "topic": topic,
        "heading": TOPICS[topic],
        "days": {name: words for name, (_type, words) in DAYS.items()},
        "day": day,
        "months": months,
        "month": month,
        "sources": list_source_rows(topic),
    }
    if topic in BY_HOUR:
        shown = [line for line in lines if isinstance(line, PlaceHours)][:PLACES_SHOWN]
        context |= {
            "places": shown,
            "hours": [f"{hour:02d}" for hour in range(24)],
            "chart": _heat(topic, shown),
            "finding": finding(topic, shown),
            "place_count": len(lines),
        }
    else:
        of_month = [
            line for line in lines if not isinstance(line, PlaceHours) and line.month == month
        ]
        most = max((abs(_size(line)) for line in of_month), default=1) or 1
        context["bars"] = [
            (_labels(line), _size(line), 100 * abs(_size(line)) // most)
            for line in of_month[:FLOWS_SHOWN]
        ]
        context["finding"] = flow_finding(of_month)
        context["place_count"] = len(of_month)
    return render(request, "pages/indicators.html", context)


@login_not_required
@require_safe
def indicators_json(request: HttpRequest, topic: str) -> HttpResponse:
    """Return all figures of a topic with what they are made from; `?days=weekend` of weekends."""
    topic, day = _asked(request, topic)
    body = {
        "topic": topic,
        "days": day if topic in BY_HOUR else "all",
        "unit": UNITS[topic][0],
        "sources": [
            {
                **asdict(row.line),
                "computed_at": row.line.computed_at.isoformat(),
                **(asdict(row.name) if row.name else {}),
            }
            for row in list_source_rows(topic)
        ],
        "figures": [asdict(line) for line in _lines(topic, day)],
    }
    return _cacheable(request, json.dumps(body, ensure_ascii=False), "application/json")


@login_not_required
@require_safe
def indicators_csv(request: HttpRequest, topic: str) -> HttpResponse:
    """Return all figures of a topic as a table."""
    topic, day = _asked(request, topic)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if topic in BY_HOUR:
        writer.writerow(["product", "place", "days", "hour", "value"])
        for line in _lines(topic, day):
            if isinstance(line, PlaceHours):
                writer.writerows(
                    [line.product_id, plain_text(line.place), day, hour, value]
                    for hour, value in enumerate(line.values)
                    if value is not None
                )
    elif topic == "flows":
        writer.writerow(["product", "month", "from_area", "to_area", "trips"])
        writer.writerows(list(asdict(line).values()) for line in _lines(topic, day))
    else:
        writer.writerow(["product", "month", "area", "surplus"])
        writer.writerows(list(asdict(line).values()) for line in _lines(topic, day))
    return _cacheable(request, text.getvalue(), "text/csv; charset=utf-8")


def _asked(request: HttpRequest, topic: str = "") -> tuple[str, str]:
    topic = topic or request.GET.get("topic", "traffic")
    if topic not in TOPICS:
        raise Http404
    day = request.GET.get("days", "workday")
    return topic, day if day in DAYS else "workday"


def _lines(topic: str, day: str) -> Sequence[Line]:
    if topic in BY_HOUR:
        return list_by_hour(kind=_KINDS[topic], day_type=DAYS[day][0])
    flows = list_flows()
    return flows if topic == "flows" else list_balance(flows)


def list_source_rows(topic: str) -> list[SourceRow]:
    lines = list_sources(kind=_KINDS[topic])
    names = names_of_products(product_ids=[line.product_id for line in lines])
    return [SourceRow(line, names.get(line.product_id)) for line in lines]


def _heat(topic: str, places: Sequence[PlaceHours]) -> str:
    most = max((value or 0 for line in places for value in line.values), default=0) or 1
    unit = UNITS[topic][1]
    rows = [
        HeatRow(
            line.place[:18],
            [None if value is None else value / most for value in line.values],
            [
                _("{place}, {hour} h: nothing counted").format(place=line.place, hour=hour)
                if value is None
                else f"{line.place}, {hour} h: {value} {unit}"
                for hour, value in enumerate(line.values)
            ],
        )
        for line in places
    ]
    return heat_map(rows, title=str(TOPICS[topic]), description=finding(topic, places))


def finding(topic: str, places: Sequence[PlaceHours]) -> str:
    """Return what the chart shows, in a sentence."""
    if not places:
        return ""
    hours = [sum(line.values[hour] or 0 for line in places) for hour in range(24)]
    peak = max(range(24), key=lambda hour: hours[hour])
    if topic == "traffic":
        return _(
            "Most traffic passes between {hour}:00 and {next}:00; {place} counts most."
        ).format(hour=peak, next=peak + 1, place=places[0].place)
    if topic == "stations":
        return _("Most bikes stand at their stations between {hour}:00 and {next}:00.").format(
            hour=peak, next=peak + 1
        )
    return _("Most departures are between {hour}:00 and {next}:00; {place} has most.").format(
        hour=peak, next=peak + 1, place=places[0].place
    )


def flow_finding(lines: Sequence[Line]) -> str:
    if not lines:
        return ""
    first = lines[0]
    if isinstance(first, FlowLine):
        return _("Most trips go from {origin} to {destination}.").format(
            origin=area_label(first.from_area), destination=area_label(first.to_area)
        )
    surplus = _size(first)
    return ngettext(
        "{area} sends {count} trip more than it receives.",
        "{area} sends {count} trips more than it receives.",
        surplus,
    ).format(area=_labels(first)[0], count=surplus)


def _labels(line: Line) -> tuple[str, ...]:
    match line:
        case FlowLine():
            return area_label(line.from_area), area_label(line.to_area)
        case BalanceLine():
            return (area_label(line.area),)
        case _:
            return (line.place,)


def _size(line: Line) -> int:
    match line:
        case FlowLine():
            return line.trips
        case BalanceLine():
            return line.surplus
        case _:
            return line.total


def _cacheable(request: HttpRequest, text: str, media_type: str) -> HttpResponse:
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "public, max-age=60"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(text, content_type=media_type, headers=headers)
