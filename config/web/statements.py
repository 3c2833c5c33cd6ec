"""A member's final statements as files, and which month a page is about."""

from dataclasses import dataclass
from datetime import date

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.billing_files import statement_csv
from config.web.billing_pdf import statement_pdf
from config.web.billing_words import WordedStatement, worded_statement
from config.web.personas import place_or_404, use_persona
from marketplace.domain.billing.month import (
    month_after,
    month_before,
    month_of,
    read_month,
)
from marketplace.queries.billing import (
    StatementLine,
    find_final,
    find_statement,
    list_items,
)
from marketplace.queries.pages import Persona, Place, get_market_days

ROLES = ("household", "enterprise")


@dataclass(frozen=True)
class ChosenMonth:
    """A civil month, and the months one may go to from it."""

    month: date
    previous: date | None
    next: date | None
    first: date
    last: date


@require_safe
def pdf(request: HttpRequest, participant_id: int, month: str) -> HttpResponse:
    """Hand out the final statement of a month as PDF."""
    worded = _own_final(request, participant_id, month)
    return pdf_answer(worded)


@require_safe
def csv(request: HttpRequest, participant_id: int, month: str) -> HttpResponse:
    """Hand out the lines of the final statement of a month as CSV."""
    worded = _own_final(request, participant_id, month)
    items = list_items(run_id=worded.run.id, participant_id=participant_id)
    return csv_answer(statement_csv(items), f"statement-{month}-{participant_id}")


def pdf_answer(worded: WordedStatement) -> HttpResponse:
    """Return a statement as a PDF to keep."""
    answer = HttpResponse(statement_pdf(worded), content_type="application/pdf")
    name = f"statement-{worded.run.month:%Y-%m}-{worded.statement.participant_id}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    return answer


def csv_answer(text: str, name: str) -> HttpResponse:
    """Return a text as a CSV file; with a mark by which spreadsheets know it as UTF-8."""
    answer = HttpResponse("\N{BYTE ORDER MARK}" + text, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _own_final(request: HttpRequest, participant_id: int, asked: str) -> WordedStatement:
    persona = use_persona(request, participant_id, *ROLES)
    place = place_or_404(persona)
    month = read_month(asked)
    worded = final_statement(persona, place, month) if month else None
    if worded is None:
        raise Http404
    return worded


def final_statement(persona: Persona, place: Place, month: date) -> WordedStatement | None:
    """Return a member's final statement of a month in words; None while there is none."""
    run = find_final(community_id=place.community_id, month=month)
    if run is None:
        return None
    found = find_statement(run_id=run.id, participant_id=persona.participant_id)
    if found is None:
        return None
    items = list_items(run_id=run.id, participant_id=persona.participant_id)
    return worded_statement(run, found, items, place)


def statement_before(persona: Persona, place: Place, month: date) -> StatementLine | None:
    """Return the final statement of the month before."""
    run = find_final(community_id=place.community_id, month=month_before(month))
    if run is None:
        return None
    return find_statement(run_id=run.id, participant_id=persona.participant_id)


def chosen_month(request: HttpRequest, place: Place) -> ChosenMonth:
    """Return the month a request asks for, as near to it as the market has months."""
    known = get_market_days(place=place)
    today = timezone.now().astimezone(place.zone).date()
    first, last = (known.first, known.last) if known else (today, today)
    first, last = month_of(first), month_of(last)
    month = min(max(read_month(request.GET.get("month", "")) or last, first), last)
    return ChosenMonth(
        month=month,
        previous=month_before(month) if month > first else None,
        next=month_after(month) if month < last else None,
        first=first,
        last=last,
    )
