"""Shared with whom, who looked, my data to take away, and being forgotten."""

from datetime import UTC, datetime, tzinfo
from typing import Final

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.log.keys import KeyMissing, read_policy
from config.own_data.archive import own_data_archive
from config.web.accesses import note
from config.web.household.access_words import access_row
from config.web.household.forget_form import ForgetForm
from config.web.personas import use_persona
from config.web.signing import translated
from ledger.errors import PolicyInvalid
from ledger.services.attestation import validator_names
from marketplace.domain.accesses import AccessKind
from marketplace.errors import MarketplaceError
from marketplace.queries.accesses import list_accesses
from marketplace.queries.agreements import count_agreements
from marketplace.queries.applications import list_consents
from marketplace.queries.erasures import (
    DAYS_TO_ANSWER,
    find_open_erasure,
    list_claims,
    list_open_erasures,
)
from marketplace.queries.pages import (
    Persona,
    Place,
    get_minimum_group_size,
    list_places,
)
from marketplace.services.erasure_requests import (
    ask_for_erasure,
    carry_out_erasure,
    take_back_erasure,
)

ROLES: Final = ("household", "enterprise", "data_provider", "planner")
SHOWN: Final = 25


@require_safe
def privacy(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Say what of mine is shared with whom, and who looked."""
    persona = use_persona(request, participant_id, *ROLES)
    return render_privacy(request, persona, ForgetForm(persona=persona))


def render_privacy(request: HttpRequest, persona: Persona, form: ForgetForm) -> HttpResponse:
    """Show the page with a form to be forgotten, which may have been filled in wrongly."""
    now = timezone.now()
    before = request.GET.get("before", "")
    before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    lines = list_accesses(
        participant_id=persona.participant_id, before_id=before_id, limit=SHOWN + 1
    )
    context: dict[str, object] = {
        "persona": persona,
        "accesses": [access_row(line) for line in lines[:SHOWN]],
        "older": lines[SHOWN - 1].id if len(lines) > SHOWN else None,
        "agreement_count": count_agreements(participant_id=persona.participant_id),
        "consents": list_consents(participant_id=persona.participant_id),
        "validators": _validators(),
        "group_size": _group_size(persona, now),
        "claims": list_claims(participant_id=persona.participant_id),
        "asked_at": find_open_erasure(participant_id=persona.participant_id),
        "days_to_answer": DAYS_TO_ANSWER,
        "form": form,
    }
    with timezone.override(_zone(persona)):
        return render(request, "privacy/privacy.html", context)


@require_safe
@never_cache
def own_data(request: HttpRequest, participant_id: int) -> HttpResponseBase:
    """Hand out everything the hall keeps of a participant, as one archive."""
    persona = use_persona(request, participant_id, *ROLES)
    assert request.user.is_authenticated  # whoever has a persona has signed in
    now = timezone.now()
    pieces = own_data_archive(persona=persona, email=request.user.email, now=now)
    answer = StreamingHttpResponse(pieces, content_type="application/zip")
    name = f"heliopolis-{persona.participant_id}-{now:%Y-%m-%d}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_POST
def forget(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Ask to be forgotten: done at once where nothing is owed, else the operator's to do."""
    persona = use_persona(request, participant_id, *ROLES)
    form = ForgetForm(request.POST, persona=persona)
    if not form.is_valid():
        return render_privacy(request, persona, form)
    is_done = ask_for_erasure(participant_id=participant_id, now=timezone.now())
    if not is_done:
        messages.success(request, _("Your wish is noted. The operator settles and then erases."))
        return redirect("privacy", participant_id)
    # The person may act for others still; whoever does not is nobody here any more.
    logout(request)
    return render(request, "privacy/forgotten.html")


@require_POST
def keep(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Take back the wish to be forgotten."""
    use_persona(request, participant_id, *ROLES)
    if take_back_erasure(participant_id=participant_id, now=timezone.now()):
        messages.success(request, _("You are not forgotten. Everything stays as it is."))
    return redirect("privacy", participant_id)


@require_http_methods(["GET", "HEAD", "POST"])
def erasures(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Let the operator see who wants to be forgotten, settle with them, and erase."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    places = {each.community_id: each for each in _places(persona)}
    waiting = list_open_erasures(community_ids=list(places), everywhere=persona.place is None)
    if request.method == "POST":
        chosen = [each for each in waiting if str(each.participant_id) == request.POST.get("who")]
        for each in chosen[:1]:
            if request.POST.get("number") != str(each.participant_id):
                messages.error(request, _("The number typed is not the member's: nothing is done."))
                break
            try:
                carry_out_erasure(participant_id=each.participant_id, now=now)
            except MarketplaceError as refusal:
                messages.error(request, translated(refusal))
            else:
                messages.success(request, _("The member is forgotten; the books stay whole."))
        return redirect("erasures", participant_id)
    note(persona, [each.participant_id for each in waiting], AccessKind.ERASURE, now=now)
    rows = [(each, places.get(each.community_id or 0)) for each in waiting]
    with timezone.override(_zone(persona)):
        return render(request, "privacy/erasures.html", {"persona": persona, "rows": rows})


def _validators() -> tuple[str, ...]:
    """Return who recomputes everything; nobody while there is no policy."""
    try:
        return validator_names(read_policy())
    except (KeyMissing, PolicyInvalid):
        return ()


def _group_size(persona: Persona, now: datetime) -> int | None:
    if persona.place is None:
        return None
    return get_minimum_group_size(community_id=persona.place.community_id, now=now)


def _places(persona: Persona) -> list[Place]:
    return [persona.place] if persona.place else list_places()


def _zone(persona: Persona) -> tzinfo:
    return persona.place.zone if persona.place else UTC
