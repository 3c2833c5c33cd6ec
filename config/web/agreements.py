"""Agreements between members: proposed, signed by both, ended; each in words and as the text."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Literal

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.agreement_form import AgreementForm
from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES, translated
from marketplace.domain.agreement_text import AgreementEnd, AgreementText
from marketplace.errors import Invalid, MarketplaceError, NotFound, SignatureNeeded
from marketplace.queries.agreements import (
    AgreementLine,
    find_agreement,
    find_point_by_code,
    get_point_codes,
    list_agreements,
    list_kinds_allowed,
)
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import list_meters
from marketplace.services.agreements import (
    accept_agreement,
    close_proposal,
    draft_agreement,
    draft_end,
    end_agreement,
    propose_agreement,
)

PROPOSED = gettext_lazy("Your proposal waits for the other side.")
FIELDS_OF_SERVICE = {
    "price_micro_per_kwh": "price",
    "maximum_wh": "maximum",
    "rank": "rank",
    "valid_from": "first_day",
    "valid_until": "last_day",
    "metering_point": "other_meter",
    "kind": "kind",
}


@require_http_methods(["GET", "HEAD", "POST"])
def agreements(request: HttpRequest, participant_id: int) -> HttpResponse:
    """What I agreed on with others, what waits for a signature, and a new proposal."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    now = timezone.now()
    meters = list_meters(participant_id=participant_id)
    kinds = list_kinds_allowed(community_id=place.community_id, now=now)
    form = AgreementForm(meters=meters, kinds=kinds, initial={"first_day": _tomorrow(place, now)})
    if request.method == "POST":
        form = AgreementForm(request.POST, meters=meters, kinds=kinds)
        if form.is_valid():
            done = _proposed(form, persona, place, now)
            if isinstance(done, AgreementText):
                return _to_sign(request, persona, place, done)
            if done:
                messages.success(request, PROPOSED)
                return redirect("agreements", participant_id)
    lines = list_agreements(participant_id=participant_id)
    context: dict[str, object] = {
        "persona": persona,
        "form": form if kinds else None,
        "waiting": [line for line in lines if line.state == "proposed"],
        "running": [line for line in lines if line.state == "agreed"],
        "past": [line for line in lines if line.state in ("ended", "closed")],
    }
    return render_in(request, place, "pages/agreements.html", context)


@require_POST
def propose_signed(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Take in a proposal that the member signed in their browser."""
    use_persona(request, participant_id, *MEMBER_ROLES)
    try:
        text = AgreementText.read(request.POST.get("body", "").encode())
        propose_agreement(
            text=text,
            participant_id=participant_id,
            signature=_signature(request),
            now=timezone.now(),
        )
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, PROPOSED)
    return redirect("agreements", participant_id)


@require_safe
def agreement(request: HttpRequest, participant_id: int, agreement_id: int) -> HttpResponse:
    """One agreement in words, as the text itself, and what can be done about it."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    line = _line_or_404(participant_id, agreement_id)
    context: dict[str, object] = {
        "persona": persona,
        "line": line,
        "text": line.text,
        "body": line.text.body().decode(),
    }
    return render_in(request, place, "pages/agreement.html", context)


@require_POST
def agreement_step(
    request: HttpRequest,
    participant_id: int,
    agreement_id: int,
    step: str,
) -> HttpResponse:
    """Sign, decline or withdraw, or end; with a key of one's own, sign in the browser first."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    line = _line_or_404(participant_id, agreement_id)
    now = timezone.now()
    try:
        match step:
            case "accept":
                accept_agreement(
                    agreement_id=agreement_id,
                    participant_id=participant_id,
                    signature=_signature(request),
                    now=now,
                )
            case "close":
                close_proposal(agreement_id=agreement_id, participant_id=participant_id, now=now)
            case "end":
                end_agreement(
                    agreement_id=agreement_id,
                    participant_id=participant_id,
                    end=_end(request, participant_id, agreement_id, now),
                    signature=_signature(request),
                    now=now,
                )
            case _:
                raise Http404
    except SignatureNeeded:
        if step == "accept":
            return _to_sign(request, persona, place, line.text, line)
        end = draft_end(agreement_id=agreement_id, participant_id=participant_id, now=now)
        return _to_sign(request, persona, place, end, line)
    except NotFound as missing:
        raise Http404 from missing
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, _said(step))
    return redirect("agreement", participant_id, agreement_id)


def _said(step: str) -> str:
    match step:
        case "accept":
            return _("Both sides have signed. It counts from its first day on.")
        case "close":
            return _("This proposal is closed.")
        case _:
            return _("The agreement has ended. From the next interval on it does not count.")


def _proposed(
    form: AgreementForm, persona: Persona, place: Place, now: datetime
) -> AgreementText | bool:
    """Propose what the form says; where only the member can sign it, return the text instead."""
    other = find_point_by_code(
        community_id=place.community_id, code=form.cleaned_data["other_meter"].strip()
    )
    if other is None:
        form.add_error("other_meter", _("No meter of this number takes part here."))
        return False
    own: int = form.cleaned_data["own_point"]
    is_seller = form.cleaned_data["side"] == "seller"
    kind: Literal["contract", "gift", "partner"] = form.cleaned_data["kind"]
    try:
        text = draft_agreement(
            kind=kind,
            seller_point_id=own if is_seller else other,
            buyer_point_id=other if is_seller else own,
            price_micro_per_kwh=form.price_micro,
            maximum_wh=form.maximum_wh,
            rank=form.cleaned_data["rank"] if kind == "partner" else None,
            valid_from=form.begins_at(place.zone),
            valid_until=form.ends_at(place.zone),
            now=now,
        )
        try:
            propose_agreement(
                text=text, participant_id=persona.participant_id, signature=None, now=now
            )
        except SignatureNeeded:
            return text
    except Invalid as refusal:
        form.add_error(FIELDS_OF_SERVICE.get(refusal.field), translated(refusal))
        return False
    except MarketplaceError as refusal:
        form.add_error(None, translated(refusal))
        return False
    return True


def _end(
    request: HttpRequest, participant_id: int, agreement_id: int, now: datetime
) -> AgreementEnd:
    """Return the end that a browser signed, or a new one for the hall to sign."""
    if "body" in request.POST:
        return AgreementEnd.read(request.POST["body"].encode())
    return draft_end(agreement_id=agreement_id, participant_id=participant_id, now=now)


def _to_sign(
    request: HttpRequest,
    persona: Persona,
    place: Place,
    text: AgreementText | AgreementEnd,
    line: AgreementLine | None = None,
) -> HttpResponse:
    """Show a text that only the member can sign, with everything it says in words."""
    if isinstance(text, AgreementEnd):
        key = text.public_key
    else:
        is_seller = text.seller.participant_id == persona.participant_id
        key = (text.seller if is_seller else text.buyer).public_key
    said = text if line is None else line.text
    assert isinstance(said, AgreementText)  # an end has its agreement's line
    points = [said.seller.metering_point_id, said.buyer.metering_point_id]
    codes = get_point_codes(metering_point_ids=points)
    context: dict[str, object] = {
        "persona": persona,
        "line": line,
        "text": said,
        "seller": codes[points[0]],
        "buyer": codes[points[1]],
        "is_end": isinstance(text, AgreementEnd),
        "body": text.body().decode(),
        "public_key": base64.b64encode(key).decode(),
    }
    return render_in(request, place, "pages/agreement_sign.html", context)


def _line_or_404(participant_id: int, agreement_id: int) -> AgreementLine:
    line = find_agreement(participant_id=participant_id, agreement_id=agreement_id)
    if line is None:
        raise Http404
    return line


def _signature(request: HttpRequest) -> bytes | None:
    """Return the signature that a browser sent; what is none fails as one; None: none came."""
    if "signature" not in request.POST:
        return None
    try:
        return base64.b64decode(request.POST["signature"], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _tomorrow(place: Place, now: datetime) -> str:
    return (now.astimezone(place.zone) + timedelta(days=1)).date().isoformat()
