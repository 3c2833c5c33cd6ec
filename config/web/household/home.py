"""A household's home: today, this month, what the market changed, what is next; little else."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from analytics.domain.figures import Basis, MemberTotals
from analytics.domain.money_steps import money_steps
from analytics.queries import Expected, find_energy_forecast
from analytics.queries.figures import get_basis, get_member_totals, list_member_days
from config.templatetags.figures import kwh
from config.web.chart_cards import ChartCard
from config.web.chart_kinds.sparklines import sparkline
from config.web.days import ChosenDay, chosen_day, render_in
from config.web.expected import outlook
from config.web.household.matters import list_matters
from config.web.household.waterfalls import few_changes_of, saved_sentence, waterfall_card
from config.web.personas import place_or_404, use_persona
from marketplace.domain.billing.month import month_bounds, month_of
from marketplace.domain.rules import Rules
from marketplace.queries.agreements import get_rules_now
from marketplace.queries.pages import Place
from marketplace.queries.pages_member import MeterName, list_meters
from marketplace.queries.pages_rules import RuleVersion, list_rule_versions

WH_PER_KWH: Final = 1000
# The best hours of a day to use one's own sun, from half of its best interval on.
NEARLY_MOST: Final = 0.5


@dataclass(frozen=True)
class Ahead:
    """What is expected of the next 24 hours, in a sentence and a line."""

    sentence: str
    picture: str


@dataclass(frozen=True)
class Waiting:
    """Intervals of a day that are not settled, and until when they wait at most for readings."""

    count: int
    until: datetime


@require_safe
def household(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show what a person with two minutes wants to know."""
    persona = use_persona(request, participant_id, "household")
    place = place_or_404(persona)
    now = timezone.now()
    chosen = chosen_day(request, place, now)
    month = month_of(chosen.day)
    start, end = month_bounds(month, place.zone)
    so_far = min(end, chosen.end)
    days = list_member_days(participant_id=participant_id, start=start, end=so_far)
    meters = list_meters(participant_id=participant_id)
    versions = list_rule_versions(metering_point_ids=[each.metering_point_id for each in meters])
    rules = get_rules_now(community_id=place.community_id, now=now)
    basis = get_basis(community_id=place.community_id, start=chosen.start, end=chosen.end)
    month_totals = get_member_totals(participant_id=participant_id, start=start, end=so_far)
    context: dict[str, object] = {
        "persona": persona,
        "chosen": chosen,
        "is_today": chosen.day == now.astimezone(place.zone).date(),
        "day": next((totals for day, totals in days if day == chosen.day), None),
        "month": month,
        "totals": month_totals if days else None,
        "card": _month_card(place, month, month_totals) if days else None,
        "basis": basis,
        "waiting": _waiting(chosen, basis, rules),
        "missing": _missing(days, chosen.day, basis),
        "ahead": what_is_ahead(meters, place, now),
        "rules": [(meter, _in_force(versions, meter, now)) for meter in meters],
        "matters": list_matters(
            persona=persona, rules=rules, today=now.astimezone(place.zone).date()
        ),
        "spark": _days_line(days),
    }
    return render_in(request, place, "household/home.html", context)


def _month_card(place: Place, month: date, totals: MemberTotals) -> ChartCard:
    steps = money_steps(totals)
    return waterfall_card(
        key="changed",
        title=saved_sentence(steps.saved_micro, place.currency),
        alone_micro=steps.alone_micro,
        changes=few_changes_of(steps),
        net_micro=steps.net_micro,
        currency=place.currency,
        note=_("This month so far, as booked. Down is good: less to pay."),
    )


def _days_line(days: list[tuple[date, MemberTotals]]) -> str:
    """Draw what the market was worth day by day; a day without figures is a gap."""
    if len(days) < 2:
        return ""
    known = {day: totals.saved_micro / 10**6 for day, totals in days}
    span = (days[-1][0] - days[0][0]).days
    every = [days[0][0] + timedelta(days=number) for number in range(span + 1)]
    label = _("Better off than with the grid alone, day by day of this month")
    return sparkline([known.get(day) for day in every], label, css="pool")


def _waiting(chosen: ChosenDay, basis: Basis, rules: Rules | None) -> Waiting | None:
    """Return what of a day is not settled yet, and until when it can wait for readings."""
    count = basis.interval_count - basis.settled_count
    if count <= 0:
        return None
    minutes = rules.readings_deadline_minutes if rules else 0
    return Waiting(count, chosen.end + timedelta(minutes=minutes))


def _missing(days: list[tuple[date, MemberTotals]], day: date, basis: Basis) -> int:
    """Return how many intervals of a day were settled without a reading of the household."""
    own = next((totals.interval_count for each, totals in days if each == day), None)
    return 0 if own is None else max(0, basis.settled_count - own)


def _in_force(
    versions: dict[int, list[RuleVersion]], meter: MeterName, now: datetime
) -> RuleVersion | None:
    own = versions.get(meter.metering_point_id, [])
    return next((version for version in own if version.is_in_force(now)), None)


def what_is_ahead(meters: list[MeterName], place: Place, now: datetime) -> Ahead | None:
    """Return what all meters together will probably send out, or draw where there is no sun."""
    exports: list[list[Expected]] = []
    imports: list[list[Expected]] = []
    for meter in meters:
        found = find_energy_forecast(metering_point_id=meter.metering_point_id)
        if found is None:
            return None
        shown = [outlook(side, now) for side in found]
        if shown[0] is None or shown[1] is None or shown[0].stands_still:
            return None
        exports.append(shown[0].intervals)
        imports.append(shown[1].intervals)
    if not exports:
        return None
    sent, drawn = _first_day(exports), _first_day(imports)
    much = sum(each.expected or 0 for each in sent)
    if not much:
        drawn_wh = sum(each.expected or 0 for each in drawn)
        sentence = _("In the next 24 hours you will probably draw {energy} and have nothing over.")
        return Ahead(sentence.format(energy=kwh(drawn_wh)), _line(drawn, "grid"))
    sentence = _("In the next 24 hours you will probably have {energy} over, most of it {when}.")
    return Ahead(
        sentence.format(energy=kwh(much), when=_best_time(sent, place)), _line(sent, "pool")
    )


def _first_day(sides: list[list[Expected]]) -> list[Expected]:
    """Add up meters interval by interval over the first 24 hours."""
    end = sides[0][0].starts_at + timedelta(hours=24)
    every = [[each for each in side if each.starts_at < end] for side in sides]
    return [
        replace(row[0], expected=sum(each.expected or 0 for each in row))
        for row in zip(*every, strict=False)
    ]


def _best_time(sent: list[Expected], place: Place) -> str:
    """Return the hours around the best interval in which nearly as much is expected."""
    values = [each.expected or 0 for each in sent]
    best = max(range(len(values)), key=values.__getitem__)
    first = last = best
    while first and values[first - 1] >= values[best] * NEARLY_MOST:
        first -= 1
    while last + 1 < len(values) and values[last + 1] >= values[best] * NEARLY_MOST:
        last += 1
    start = sent[first].starts_at.astimezone(place.zone)
    end = sent[last].ends_at.astimezone(place.zone)
    return _("{day} from {start} to {end}").format(
        day=date_format(start, "n月j日" if _is_chinese() else "j F"),
        start=f"{start:%H:%M}",
        end=f"{end:%H:%M}",
    )


def _line(rows: list[Expected], css: str) -> str:
    values = [None if each.expected is None else each.expected / WH_PER_KWH for each in rows]
    return sparkline(values, _("Expected over the next 24 hours"), css=css)


def _is_chinese() -> bool:
    return (get_language() or "").startswith("zh")
