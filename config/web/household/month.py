"""A member's month as a waterfall whose every bar opens its days, and the year month by month."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from analytics.domain.figures import MemberTotals
from analytics.domain.money_steps import money_steps
from analytics.queries.figures import get_basis, get_member_totals, list_member_days
from config.templatetags.figures import money_change
from config.web.billing_words import WordedStatement, month_name
from config.web.chart_cards import ChartCard
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.charts import Words
from config.web.days import render_in
from config.web.household.step_rows import step_table
from config.web.household.waterfalls import (
    NAMES,
    Change,
    changes_of,
    saved_sentence,
    waterfall_card,
)
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES
from config.web.statements import chosen_month, final_statement, statement_before
from marketplace.domain.billing.month import month_bounds
from marketplace.queries.billing import list_final_months
from marketplace.queries.pages import Persona, Place

MICRO = 10**6


@require_safe
def month(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show how a month came to what it came to; each step opens the days behind it."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place)
    start, end = month_bounds(chosen.month, place.zone)
    days = list_member_days(participant_id=participant_id, start=start, end=end)
    totals = get_member_totals(participant_id=participant_id, start=start, end=end)
    basis = get_basis(community_id=place.community_id, start=start, end=end)
    worded = final_statement(persona, place, chosen.month)
    changes = _changes(totals, worded)
    context: dict[str, object] = {
        "persona": persona,
        "chosen": chosen,
        "days": days,
        "totals": totals if days else None,
        "basis": basis,
        "waiting_count": basis.interval_count - basis.settled_count,
        "worded": worded,
        "before": statement_before(persona, place, chosen.month),
        "changes": changes,
        "card": _card(totals, worded, changes, place) if days else None,
        "opened": step_table(request.GET.get("step", ""), days, place.currency),
    }
    return render_in(request, place, "household/month.html", context)


def _changes(totals: MemberTotals, worded: WordedStatement | None) -> list[Change]:
    """Return the steps of a month; of a final one so that they come to its statement."""
    changes = changes_of(money_steps(totals))
    if worded is not None:
        statement = worded.statement
        later = statement.net_micro - statement.correction_micro - totals.net_micro
        if later:
            changes.append(Change("later", str(NAMES["later"]), later))
        if statement.correction_micro:
            changes.append(Change("earlier", str(NAMES["earlier"]), statement.correction_micro))
    return changes


def _card(
    totals: MemberTotals, worded: WordedStatement | None, changes: list[Change], place: Place
) -> ChartCard:
    note = _("Amounts as booked, before tax. Down is good: less to pay.")
    return waterfall_card(
        key="steps",
        title=saved_sentence(totals.saved_micro, place.currency),
        alone_micro=totals.alone_micro,
        changes=changes,
        net_micro=worded.statement.net_micro if worded else totals.net_micro,
        currency=place.currency,
        note=note,
    )


@require_safe
def year(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show the last twelve months side by side."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place)
    first = _months_before(chosen.last, 11)
    start = _midnight(first, place)
    end = month_bounds(chosen.last, place.zone)[1]
    by_month: dict[date, list[MemberTotals]] = defaultdict(list)
    for day, totals in list_member_days(participant_id=participant_id, start=start, end=end):
        by_month[day.replace(day=1)].append(totals)
    final = list_final_months(community_id=place.community_id)
    months = [
        (month, _whole(persona, place, month, some), month in final)
        for month, some in sorted(by_month.items(), reverse=True)
    ]
    context: dict[str, object] = {
        "persona": persona,
        "months": months,
        "totals": get_member_totals(participant_id=participant_id, start=start, end=end),
        "card": _year_card(months, place) if months else None,
    }
    return render_in(request, place, "household/year.html", context)


def _whole(persona: Persona, place: Place, month: date, days: list[MemberTotals]) -> MemberTotals:
    """Add up the days of a month."""
    start, end = month_bounds(month, place.zone)
    names = [name for name in MemberTotals.__slots__ if name not in ("of", "start", "end")]
    sums = {name: sum(getattr(each, name) for each in days) for name in names}
    return MemberTotals(of=f"member:{persona.participant_id}", start=start, end=end, **sums)


def _year_card(months: list[tuple[date, MemberTotals, bool]], place: Place) -> ChartCard:
    saved = sum(totals.saved_micro for _month, totals, _final in months)
    bars = [
        Bar(
            month_name(month),
            money_change(totals.saved_micro, place.currency),
            totals.saved_micro / MICRO,
            "pool" if totals.saved_micro >= 0 else "grid",
        )
        for month, totals, _final in months
    ]
    title = saved_sentence(saved, place.currency)
    told = "; ".join(f"{bar.name} {bar.figure}" for bar in bars)
    return ChartCard(
        key="months",
        title=title,
        svg=ranked_bars(bars, Words(title, told, place.currency)),
        columns=[pgettext("column", "Month"), _("Better by")],
        rows=[(bar.name, bar.figure) for bar in bars],
        note=_("Against the grid alone, month by month, as booked now."),
    )


def _months_before(month: date, count: int) -> date:
    for _number in range(count):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _midnight(day: date, place: Place) -> datetime:
    return datetime.combine(day, time(), tzinfo=place.zone).astimezone(UTC)
