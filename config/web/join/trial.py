"""The sandbox: somebody's own month, before they join, beside the community's average day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from analytics.domain.disclosure import Audience
from analytics.queries.disclosed import get_released_days, list_hours
from config.templatetags.figures import energy_unit, kwh, money
from config.web.chart_cards import ChartCard, LegendItem
from config.web.charts import Series, Slot, Words, stacked_bars
from config.web.join.attempts import DAY, is_allowed, network_of
from config.web.signing import translated
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.rules import Rules, load_rules
from marketplace.domain.trial import (
    HOURS_MAX,
    CommunityHour,
    DayShape,
    Trial,
    day_shape,
    last_month_of,
    try_month,
)
from marketplace.errors import Invalid
from marketplace.queries.applications import (
    OpenCommunity,
    get_rules_document,
    list_open_communities,
)
from marketplace.queries.pages import Place
from marketplace.services.strangers_file import MOST_BYTES, read_hours

TRIES_A_DAY: Final = 12
# What a form adds to its file.
_ROOM: Final = 20_000
_LOOKS_BACK: Final = timedelta(days=100)


class TrialForm(forms.Form):
    """A community and a file."""

    community = forms.TypedChoiceField(label=gettext_lazy("Community"), coerce=int)
    file = forms.FileField(
        label=gettext_lazy("A month of your meter"),
        help_text=gettext_lazy(
            "From your grid operator's portal: CSV, NEM12, Green Button or MSCONS, of one meter, at"
            " most 3 MB. It is read at once and not stored."
        ),
    )

    def __init__(self, *args: object, communities: Sequence[OpenCommunity], **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what Django's form takes
        language = get_language() or "en"
        self.fields["community"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (each.place.community_id, each.place.name_in(language)) for each in communities
        ]


@dataclass(frozen=True)
class TrialPage:
    """What the page says of a month."""

    trial: Trial
    place: Place
    format: str
    shape: DayShape
    chart: ChartCard


@login_not_required
@csrf_exempt  # _trial asks for the token, once it is known how much will come
@require_http_methods(["GET", "HEAD", "POST"])
def trial(request: HttpRequest) -> HttpResponse:
    """Show what one's own month would have come to; nothing of it is stored."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if request.method == "POST" and (not length.isdigit() or int(length) > MOST_BYTES + _ROOM):
        return render(request, "join/trial_too_large.html", status=413)
    return _trial(request)


@csrf_protect
def _trial(request: HttpRequest) -> HttpResponse:
    communities = list_open_communities()
    form = TrialForm(request.POST or None, request.FILES or None, communities=communities)
    context: dict[str, object] = {"form": form}
    if request.method == "POST" and form.is_valid():
        if not is_allowed("trials", network_of(request), most=TRIES_A_DAY, seconds=DAY):
            form.add_error(None, _("Too many tries from here today. Go on tomorrow."))
        else:
            places = {each.place.community_id: each.place for each in communities}
            context["page"] = _page(form, places[form.cleaned_data["community"]])
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "join/trial.html", context, status=status)


def _page(form: TrialForm, place: Place) -> TrialPage | None:
    now = timezone.now()
    document = get_rules_document(community_id=place.community_id, now=now)
    rules = load_rules(document) if document else None
    shape = _shape(place, rules) if rules else None
    if rules is None or shape is None:
        form.add_error(
            "community",
            _("This community has released no figures yet: there is nothing to compare."),
        )
        return None
    try:
        sent = read_hours(content=form.cleaned_data["file"].read(), timezone=place.timezone)
    except Invalid as refusal:
        # The reader names line and column in English, the language of the files it reads.
        lead = _("This file cannot be read as the month of one meter:")
        form.add_error("file", [lead, translated(refusal)])
        return None
    starts, taken, given = last_month_of(sent.start_s, sent.import_wh, sent.export_wh)
    found = try_month(starts=starts, import_wh=taken, export_wh=given, shape=shape, rules=rules)
    return TrialPage(found, place, sent.format, shape, _chart(found, place))


def _shape(place: Place, rules: Rules) -> DayShape | None:
    """Return the average day of what planners are shown: never fewer members than may be."""
    released = get_released_days(community_id=place.community_id)
    if released is None:
        return None
    # The newest there are, however old: a community that paused, or was replayed, is one as well.
    _start, end = day_bounds(released[1], place.zone)
    buckets = list_hours(
        community_id=place.community_id,
        start=end - _LOOKS_BACK,
        end=end,
        audience=Audience.PLANNER,
    )[-HOURS_MAX:]
    hours = (
        CommunityHour(
            each.at,
            each.energies.import_wh,
            each.energies.export_wh,
            each.energies.bought_wh,
            each.energies.sold_wh,
            each.energies.priced_wh,
            each.energies.priced_micro,
        )
        for each in buckets
    )
    return day_shape(hours, rules)


def _chart(found: Trial, place: Place) -> ChartCard:
    hours = range(24)
    slots = [
        Slot(name=f"{hour:02d}:00", tick=f"{hour:02d}" if hour % 6 == 0 else "") for hour in hours
    ]
    days = max(1, round(found.hour_count / 24))

    def daily(values: list[int]) -> list[float]:
        return [value / days / 1000 for value in values]

    rows = found.by_hour
    grid_in, bought = [a - b for a, b, _c, _d in rows], [b for _a, b, _c, _d in rows]
    grid_out, sold = [c - d for _a, _b, c, d in rows], [d for _a, _b, _c, d in rows]
    if found.saved_micro > 0:
        title = _("With neighbours you would have been better off by {amount}").format(
            amount=money(found.saved_micro, place.currency)
        )
    else:
        title = _("In this month neighbours would have changed nothing for you")
    told = _("Above the line what you use, below it what you give, by hour of an average day.")
    svg = stacked_bars(
        slots,
        [
            Series(_("from neighbours"), "pool", daily(bought)),
            Series(_("from the grid"), "grid", daily(grid_in)),
        ],
        [
            Series(_("to neighbours"), "pool", daily(sold)),
            Series(_("to the grid"), "grid", daily(grid_out)),
        ],
        Words(title, told, energy_unit()),
    )
    table = [
        (f"{hour:02d}:00", *(kwh(round(value / days)) for value in values))
        for hour, *values in zip(hours, bought, grid_in, sold, grid_out, strict=True)
    ]
    start, end = (
        date_format(each.astimezone(place.zone), "Y-m-d") for each in (found.start, found.end)
    )
    return ChartCard(
        key="trial",
        title=title,
        svg=svg,
        columns=[
            _("Hour"),
            _("from neighbours"),
            _("from the grid"),
            _("to neighbours"),
            _("to the grid"),
        ],
        rows=table,
        note=_("{start} to {end}, an average day; {unit}. {told}").format(
            start=start, end=end, unit=energy_unit(), told=told
        ),
        legend=[
            LegendItem(_("with neighbours"), "pool"),
            LegendItem(_("with the grid"), "grid"),
        ],
    )
