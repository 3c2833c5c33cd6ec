"""Pages of requests: the buyer's board, one request with what covers it, the sellers' demand."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.web.data import words
from config.web.data.acting import accepted, act_and_go, buyer_of, own_ids, seller_of
from config.web.data.wish_forms import AGES, GROUPS, AnswerForm, WishForm
from marketplace.domain.data.wishes import DEMAND_MINIMUM, Area, DemandGroup
from marketplace.errors import N_, Invalid
from marketplace.queries.data.demand import DemandLine, list_open_demand
from marketplace.queries.data.wishes import (
    MatchLine,
    WishLine,
    get_wish,
    list_answerable_products,
    list_answers,
    list_matches,
    list_wishes,
)
from marketplace.services.data import wishes

STATE_LABELS: Final = {
    "open": gettext_lazy("Open"),
    "fulfilled": gettext_lazy("Met by a contract"),
    "ended": gettext_lazy("Ended"),
}
_PPM: Final = 10_000  # of a percent


@dataclass(frozen=True)
class WishRow:
    """A request with its words."""

    line: WishLine
    format: str
    kind: str
    area: str
    resolution: str
    age: str
    group: str
    state: str


@dataclass(frozen=True)
class MatchRow:
    """What was found, with what stays uncovered in words."""

    line: MatchLine
    uncovered_percent: float
    uncovered: tuple[str, ...]


@dataclass(frozen=True)
class DemandRow:
    """A group of open demand, with its words and the form that answers it."""

    line: DemandLine
    format: str
    kind: str
    area: str
    finest: str
    form: AnswerForm | None


@require_http_methods(["GET", "POST"])
def requests(request: HttpRequest) -> HttpResponse:
    """Show a buyer's requests, and let them post another."""
    persona = buyer_of(request)
    form = WishForm(request.POST or None, initial=_asked_for(request))
    if request.method == "POST" and form.is_valid():
        posted: list[int] = []

        def post() -> None:
            posted.append(
                wishes.post_wish(
                    buyer_id=persona.participant_id,
                    format_=form.cleaned_data["format"],
                    kind=form.cleaned_data["kind"],
                    wish=form.wish(),
                    now=timezone.now(),
                )
            )

        if accepted(request, form, post):
            messages.success(request, _("Your request stands on the board."))
            return redirect("market_request", posted[0]) if posted else redirect("market_requests")
    return render(
        request,
        "market/wishes.html",
        {
            "persona": persona,
            "form": form,
            "rows": [_row(each) for each in list_wishes(buyer_ids=[persona.participant_id])],
        },
        status=400 if form.is_bound and form.errors else 200,
    )


@require_GET
def request_page(request: HttpRequest, wish_id: int) -> HttpResponse:
    """Show one of a buyer's requests with what covers it and who answered."""
    persona = buyer_of(request)
    line = get_wish(wish_id=wish_id, buyer_ids=own_ids(request))
    if line is None:
        raise Http404
    found = [_match_row(each) for each in list_matches(wish_id=wish_id)]
    return render(
        request,
        "market/wish.html",
        {
            "persona": persona,
            "row": _row(line),
            "whole": [each for each in found if not each.line.uncovered_ppm],
            "part": next((each for each in found if each.line.uncovered_ppm), None),
            "answers": list_answers(wish_id=wish_id),
        },
    )


@require_POST
def end(request: HttpRequest, wish_id: int) -> HttpResponse:
    """End one of the buyer's requests."""
    return act_and_go(
        request,
        lambda: wishes.end_wish(wish_id=wish_id, buyer_ids=own_ids(request), now=timezone.now()),
        done=_("Your request has ended."),
        to="market_requests",
    )


@require_http_methods(["GET", "POST"])
def demand(request: HttpRequest) -> HttpResponse:
    """Show sellers what is asked for, in groups, and let them answer."""
    persona = seller_of(request)
    products = list_answerable_products(seller_id=persona.participant_id)
    named = [(id_, title) for id_, title, _format in products]
    bound = AnswerForm(request.POST, products=named) if request.method == "POST" else None
    if bound is not None and bound.is_valid():

        def answer() -> None:
            wishes.answer_demand(
                seller_id=persona.participant_id,
                product_id=bound.cleaned_data["product"],
                group=_group_of(bound.cleaned_data["group"]),
                price_micro=bound.price_micro(),
                note=bound.cleaned_data["note"],
                now=timezone.now(),
            )

        if accepted(request, bound, answer):
            messages.success(request, _("Everybody in this group has your offer."))
            return redirect("market_demand")
    rows = [_demand_row(line, products, bound) for line in list_open_demand()]
    return render(
        request,
        "market/demand.html",
        {"persona": persona, "rows": rows, "minimum": DEMAND_MINIMUM},
        status=400 if bound is not None and bound.errors else 200,
    )


def _asked_for(request: HttpRequest) -> dict[str, Any]:
    """Return what the address fills in: the catalogue's search hands its filters over."""
    return {name: value for name, value in request.GET.items() if name in WishForm.base_fields}


def _row(line: WishLine) -> WishRow:
    return WishRow(
        line,
        str(words.FORMAT_LABELS[line.format]),
        str(words.KIND_LABELS[line.kind]),
        _area(line.area),
        str(words.RESOLUTION_LABELS.get(line.resolution_s) or words.duration(line.resolution_s)),
        str(AGES.get(line.age_s or 0) or words.duration(line.age_s or 0)),
        str(GROUPS.get(line.minimum_group, line.minimum_group)),
        str(STATE_LABELS[line.state]),
    )


def _match_row(line: MatchLine) -> MatchRow:
    return MatchRow(
        line,
        line.uncovered_ppm / _PPM,
        tuple(
            _("{first_day} to {last_day}, {area}").format(
                first_day=box["first_day"],
                last_day=box["last_day"],
                area=words.area(box["west"], box["south"], box["east"], box["north"]),
            )
            for box in line.uncovered
        ),
    )


def _demand_row(
    line: DemandLine, products: list[tuple[int, str, str]], bound: AnswerForm | None
) -> DemandRow:
    """Return a group with its form: the one that was sent, if it was sent for this group."""
    fitting = [(id_, title) for id_, title, format_ in products if format_ == line.group.format]
    key = _key_of(line.group)
    form = None
    if fitting:  # one of many forms on the page, each with ids of its own
        ids = f"answer-{key.replace(' ', '_')}-%s"
        form = AnswerForm(products=fitting, initial={"group": key}, auto_id=ids)
    if bound is not None and bound.data.get("group") == key:
        form = bound
    return DemandRow(
        line,
        str(words.FORMAT_LABELS[line.group.format]),
        str(words.KIND_LABELS[line.group.kind]),
        _area(line.group.area),
        "" if line.finest_s is None else words.duration(line.finest_s),
        form,
    )


def _area(area: Area) -> str:
    return words.area(area.west, area.south, area.east, area.north)


def _key_of(group: DemandGroup) -> str:
    return (
        f"{group.format} {group.kind} {group.currency} {group.cell_longitude}"
        f" {group.cell_latitude} {group.month.isoformat()}"
    )


def _group_of(key: str) -> DemandGroup:
    try:
        format_, kind, currency, longitude, latitude, month = key.split(" ")
        return DemandGroup(
            format_, int(kind), currency, int(longitude), int(latitude), date.fromisoformat(month)
        )
    except ValueError as error:
        raise Invalid("group", N_("This is no group of open requests: reload the page.")) from error
