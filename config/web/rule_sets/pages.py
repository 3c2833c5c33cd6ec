"""The operator's rule sets: versions, what differs, the draft of the next one and its effect."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from config.web.city.cards import moment_words
from config.web.days import render_in
from config.web.personas import use_persona
from config.web.rule_sets.differences import Difference, differences
from config.web.rule_sets.form import DocumentForm, DraftForm, ForceForm
from config.web.signing import translated
from config.web.what_if.cards import parties_card, sides_card, spread_card
from config.web.what_if.words import note_of
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.pages import Persona, Place, get_market_days, list_places
from marketplace.queries.rule_sets import (
    Draft,
    RuleVersion,
    find_draft,
    get_earliest_day,
    list_rule_versions,
)
from marketplace.queries.what_ifs import find_what_if, get_answer
from marketplace.services.rule_drafts import drop_draft, note_preview, put_in_force, save_draft
from marketplace.services.what_ifs import Seen, ask_for_what_if

_PREVIEW_DAYS = timedelta(days=30)
_STEPS = ("effect", "drop", "force")


@dataclass(frozen=True)
class Compared:
    """Two versions and what differs."""

    older: RuleVersion
    newer: RuleVersion
    found: list[Difference]


@require_http_methods(["GET", "HEAD", "POST"])
def rule_sets(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show a community's rules and the draft of the next version; keep a draft."""
    persona, place, places = _whose(request, participant_id)
    now = timezone.now()
    versions = list_rule_versions(community_id=place.community_id, now=now)
    draft = find_draft(community_id=place.community_id)
    begun = draft.document if draft else versions[0].document
    form, document_form = DraftForm.of(begun), DocumentForm.of(begun)
    if request.method == "POST":
        is_whole = "document" in request.POST
        bound = DocumentForm(request.POST) if is_whole else DraftForm(request.POST, base=begun)
        if bound.is_valid() and _kept(persona, place, bound, now):
            messages.success(request, _("The draft is kept; nothing is in force yet."))
            return redirect(f"{_address(persona, place)}#draft")
        if isinstance(bound, DocumentForm):
            document_form = bound
        else:
            form = bound
    context: dict[str, object] = {
        "persona": persona,
        "places": places,
        "versions": versions,
        "compared": _compared(request, place, versions),
        "form": form,
        "document_form": document_form,
        **_draft_context(place, draft, now),
    }
    return render_in(request, place, "rule_sets/rules.html", context)


@require_POST
def rule_draft(request: HttpRequest, participant_id: int, draft_id: int, step: str) -> HttpResponse:
    """Look at a draft's effect, drop it, or put it in force."""
    persona, place, _places = _whose(request, participant_id)
    if step not in _STEPS:
        raise Http404
    draft = find_draft(community_id=place.community_id)
    if draft is None or draft.id != draft_id:
        messages.error(request, _("There is no such draft any more."))
        return redirect(_address(persona, place))
    now = timezone.now()
    try:
        if step == "drop":
            drop_draft(draft_id=draft.id)
            messages.success(request, _("The draft is gone."))
        elif step == "effect":
            _ask_for_effect(persona, place, draft, now)
        else:
            _put_in_force(request, draft, now)
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    return redirect(f"{_address(persona, place)}#draft")


def _whose(request: HttpRequest, participant_id: int) -> tuple[Persona, Place, list[Place]]:
    persona = use_persona(request, participant_id, "operator")
    places = [persona.place] if persona.place else list_places()
    asked = request.GET.get("community", "")
    named = [place for place in places if str(place.community_id) == asked]
    found = next(iter([*named, *places]), None)
    if found is None:
        raise Http404
    return persona, found, places


def _address(persona: Persona, place: Place) -> str:
    address = reverse("rule_sets", args=[persona.participant_id])
    return f"{address}?community={place.community_id}"


def _kept(persona: Persona, place: Place, form: DocumentForm | DraftForm, now: datetime) -> bool:
    document: dict[str, Any] = (
        form.cleaned_data["document"] if isinstance(form, DocumentForm) else form.document()
    )
    try:
        save_draft(
            community_id=place.community_id,
            author_id=persona.participant_id,
            document=document,
            now=now,
        )
    except Invalid as refusal:
        if isinstance(form, DraftForm):
            form.place_error(refusal.field, translated(refusal))
        else:
            form.add_error("document", translated(refusal))
        return False
    return True


def _compared(request: HttpRequest, place: Place, versions: list[RuleVersion]) -> Compared | None:
    """Return the two versions that are asked for, else the newest two."""
    by_number = {str(each.version): each for each in versions}
    older = by_number.get(request.GET.get("older", ""))
    newer = by_number.get(request.GET.get("newer", ""))
    if older is None or newer is None:
        if len(versions) < 2:
            return None
        newer, older = versions[0], versions[1]
    return Compared(older, newer, differences(older.document, newer.document, place.currency))


def _draft_context(place: Place, draft: Draft | None, now: datetime) -> dict[str, object]:
    if draft is None:
        return {"draft": None}
    earliest = get_earliest_day(community_id=place.community_id, now=now)
    context: dict[str, object] = {
        "draft": draft,
        "changes": differences(draft.base_document, draft.document, place.currency),
        "earliest": earliest,
        "force": ForceForm(initial={"day": earliest, "sha256": draft.sha256}),
    }
    if draft.what_if_id is None:
        return context
    line = find_what_if(what_if_id=draft.what_if_id, community_ids=[place.community_id])
    context["line"] = line
    if line is not None and line.computed_at is not None:
        answer = get_answer(what_if_id=line.id)
        note = note_of(answer, moment_words(line.computed_at.astimezone(place.zone)))
        context["cards"] = [
            make(answer, place.currency, note) for make in (spread_card, parties_card, sides_card)
        ]
    return context


def _ask_for_effect(persona: Persona, place: Place, draft: Draft, now: datetime) -> None:
    """Ask what the last settled month would have come to under the draft."""
    days = get_market_days(place=place)
    yesterday = now.astimezone(place.zone).date() - timedelta(days=1)
    last: date = min(days.last, yesterday) if days else yesterday
    asked = ask_for_what_if(
        community_id=place.community_id,
        asked_by_id=persona.participant_id,
        first_day=last - _PREVIEW_DAYS,
        last_day=last,
        change={"rules": draft.document},
        seen=Seen(),
        now=now,
    )
    note_preview(draft_id=draft.id, what_if_id=asked.pk)


def _put_in_force(request: HttpRequest, draft: Draft, now: datetime) -> None:
    form = ForceForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose the day from which the rules are in force."))
        return
    rule_set = put_in_force(
        draft_id=draft.id,
        sha256=form.cleaned_data["sha256"],
        day=form.cleaned_data["day"],
        now=now,
    )
    messages.success(
        request,
        _("Version {version} is logged, and all members are told.").format(
            version=rule_set.version
        ),
    )
