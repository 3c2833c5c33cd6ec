"""The operator's billing runs: preview, differences, final, downloads."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.accesses import note
from config.web.billing_files import payments_csv, statements_csv
from config.web.billing_forms import PreviewForm
from config.web.billing_words import month_name, percent, worded_statement
from config.web.days import render_in
from config.web.personas import use_persona
from config.web.signing import translated
from config.web.statements import csv_answer, pdf_answer
from marketplace.domain.accesses import AccessKind, AccessWay
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.billing import (
    RunLine,
    RunTotals,
    StatementLine,
    count_unsettled,
    find_run,
    find_run_before,
    find_statement,
    get_run_totals,
    list_differences,
    list_items,
    list_runs,
    list_statements,
)
from marketplace.queries.pages import Persona, Place, list_places
from marketplace.services.billing import preview_billing
from marketplace.services.billing_final import finalise_billing

# A city's run has more statements than a page should: the file has all of them.
SHOWN = 100


@dataclass(frozen=True)
class RunRow:
    """A run with its totals and its place."""

    run: RunLine
    place: Place
    totals: RunTotals | None

    @property
    def month(self) -> str:
        """The month in words."""
        return month_name(self.run.month)

    @property
    def tax(self) -> str:
        """The rate of the tax; empty without one."""
        return percent(self.run.tax_ppm) if self.run.tax_ppm else ""


@require_http_methods(["GET", "HEAD", "POST"])
def runs(request: HttpRequest, participant_id: int) -> HttpResponse:
    """List billing runs, and make a preview of a month."""
    persona = use_persona(request, participant_id, "operator")
    places = _places(persona)
    if not places:
        raise Http404
    now = timezone.now()
    form = PreviewForm(request.POST or None, places=places, today=now.date())
    if request.method == "POST" and form.is_valid():
        try:
            run_id = preview_billing(
                community_id=form.community_id,
                month=form.cleaned_data["month"],
                tax_ppm=form.tax_ppm,
                tax_is_included=form.cleaned_data["tax_is_included"],
                now=now,
            )
        except Invalid as refusal:
            form.add_error("month" if refusal.field == "month" else "tax", translated(refusal))
        else:
            return redirect("billing_run", participant_id, run_id)
    known = list_runs(community_ids=[place.community_id for place in places])
    context: dict[str, object] = {
        "persona": persona,
        "form": form,
        "rows": _rows(known, places),
    }
    return render_in(request, places[0], "pages/billing_runs.html", context)


@require_safe
def run(request: HttpRequest, participant_id: int, run_id: int) -> HttpResponse:
    """Show a run: its sums, what changed since the preview before, its statements."""
    persona, row = _run(request, participant_id, run_id)
    now = timezone.now()
    before = find_run_before(run=row.run)
    differences = list_differences(run_id=run_id, before_id=before.id) if before else []
    statements = list_statements(run_id=run_id, limit=SHOWN)
    seen = {each.participant_id for each in statements}
    seen |= {each.participant_id for each in differences[:SHOWN]}
    note(persona, seen, AccessKind.STATEMENT, now=now)
    waiting = count_unsettled(
        community_id=row.place.community_id, start=row.run.starts_at, end=row.run.ends_at
    )
    context: dict[str, object] = {
        "persona": persona,
        "row": row,
        "before": before,
        "differences": differences[:SHOWN],
        "difference_count": len(differences),
        "statements": statements,
        "waiting_count": 0 if row.run.number else waiting,
        "is_over": now >= row.run.ends_at,
    }
    return render_in(request, row.place, "pages/billing_run.html", context)


@require_POST
def finalise(request: HttpRequest, participant_id: int, run_id: int) -> HttpResponse:
    """Make a run final, or say what stands against it."""
    _run(request, participant_id, run_id)
    try:
        number = finalise_billing(run_id=run_id, now=timezone.now())
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        done = _("The run is final; its number is {number}.").format(number=number)
        messages.success(request, done)
    return redirect("billing_run", participant_id, run_id)


@require_safe
def statements_file(request: HttpRequest, participant_id: int, run_id: int) -> HttpResponse:
    """Hand out all statements of a run."""
    persona, row = _run(request, participant_id, run_id)
    statements = list_statements(run_id=run_id)
    _note_files(persona, statements)
    text = statements_csv(statements, row.place)
    return csv_answer(text, f"statements-{row.run.month:%Y-%m}-run-{run_id}")


@require_safe
def payments_file(request: HttpRequest, participant_id: int, run_id: int) -> HttpResponse:
    """Hand out what is to be moved outside; of final runs only, so that nobody pays a preview."""
    persona, row = _run(request, participant_id, run_id)
    if row.run.number is None:
        raise Http404
    statements = list_statements(run_id=run_id)
    _note_files(persona, statements)
    text = payments_csv(row.run, statements, row.place)
    return csv_answer(text, f"payments-{row.run.month:%Y-%m}-{row.run.number}")


@require_safe
def statement_file(
    request: HttpRequest, participant_id: int, run_id: int, member_id: int
) -> HttpResponse:
    """Hand out one member's statement as PDF; a preview says that it is one."""
    persona, row = _run(request, participant_id, run_id)
    found = find_statement(run_id=run_id, participant_id=member_id)
    if found is None:
        raise Http404
    _note_files(persona, [found])
    items = list_items(run_id=run_id, participant_id=member_id)
    return pdf_answer(worded_statement(row.run, found, items, row.place))


def _note_files(persona: Persona, statements: list[StatementLine]) -> None:
    """Note in each member's list of who looked that a file with their statement went out."""
    seen = {each.participant_id for each in statements}
    note(persona, seen, AccessKind.STATEMENT, now=timezone.now(), way=AccessWay.FILE)


def _places(persona: Persona) -> list[Place]:
    return [persona.place] if persona.place else list_places()


def _run(request: HttpRequest, participant_id: int, run_id: int) -> tuple[Persona, RunRow]:
    persona = use_persona(request, participant_id, "operator")
    found = find_run(run_id=run_id)
    rows = _rows([found], _places(persona)) if found else []
    if not rows:
        raise Http404
    return persona, rows[0]


def _rows(known: list[RunLine], places: list[Place]) -> list[RunRow]:
    by_id = {place.community_id: place for place in places}
    totals = get_run_totals(run_ids=[each.id for each in known])
    return [
        RunRow(each, by_id[each.community_id], totals.get(each.id))
        for each in known
        if each.community_id in by_id
    ]
