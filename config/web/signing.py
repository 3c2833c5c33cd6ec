"""Signing a standing rule: who holds the key, the text to be signed, and what was signed."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from marketplace.domain.terms_document import Revocation, TermsDocument
from marketplace.errors import MarketplaceError, NotFound, SignatureNeeded, TermsBroken
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import list_meters
from marketplace.queries.signed_terms import find_signed
from marketplace.services.signed_terms import use_hall_key, use_own_key
from marketplace.services.standing import (
    accept_standing_terms,
    draft_revocation,
    revoke_standing_rule,
)

MEMBER_ROLES = ("household", "enterprise")
RULE_SAVED = gettext_lazy("Your rule is saved. It counts from the next interval on.")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_sign(
    request: HttpRequest, persona: Persona, place: Place, document: TermsDocument | Revocation
) -> HttpResponse:
    """Show a text that only the member can sign, with everything it says in words."""
    context: dict[str, object] = {
        "persona": persona,
        "document": document,
        "site": _site(persona, document.metering_point_id),
        "is_revocation": isinstance(document, Revocation),
        "body": document.body().decode(),
        "public_key": base64.b64encode(document.public_key).decode(),
    }
    return render_in(request, place, "pages/sign.html", context)


@require_POST
def accept(request: HttpRequest, participant_id: int, metering_point_id: int) -> HttpResponse:
    """Take in terms that the member signed in their browser."""
    persona = _owner(request, participant_id, metering_point_id)

    def act() -> None:
        accept_standing_terms(
            metering_point_id=metering_point_id, **sent_text(request), now=timezone.now()
        )
        messages.success(request, RULE_SAVED)

    return _tried(request, persona, metering_point_id, act)


@require_POST
def revoke(request: HttpRequest, participant_id: int, metering_point_id: int) -> HttpResponse:
    """End the rule in force; with a key of one's own, sign that first."""
    persona = _owner(request, participant_id, metering_point_id)
    now = timezone.now()
    sent = sent_text(request) if "signature" in request.POST else {}
    try:
        revoke_standing_rule(metering_point_id=metering_point_id, now=now, **sent)
    except SignatureNeeded:
        document = draft_revocation(metering_point_id=metering_point_id, now=now)
        return to_sign(request, persona, place_or_404(persona), document)
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, _("Your rule is revoked: this meter trades with the grid alone."))
    return redirect("rule", participant_id, metering_point_id)


@require_POST
def key(request: HttpRequest, participant_id: int, metering_point_id: int) -> HttpResponse:
    """Choose who holds the key: the browser that sends a new one, or the hall again."""
    persona = _owner(request, participant_id, metering_point_id)
    now = timezone.now()

    def act() -> None:
        if request.POST.get("holder") == "hall":
            use_hall_key(participant_id=participant_id, now=now)
            messages.success(request, _("From now on the hall signs for you, with a new key."))
            return
        use_own_key(participant_id=participant_id, **sent_text(request), now=now)
        messages.success(request, _("From now on only this browser can sign for you."))

    return _tried(request, persona, metering_point_id, act)


@require_safe
def terms(request: HttpRequest, participant_id: int, signed_terms_id: int) -> HttpResponse:
    """What the member signed: in words, as the text itself, with signature, key and hash."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    try:
        signed = find_signed(participant_id=participant_id, signed_terms_id=signed_terms_id)
    except TermsBroken as broken:
        context: dict[str, object] = {"persona": persona, "fault": translated(broken)}
        return render_in(request, place, "pages/terms.html", context)
    if signed is None:
        raise Http404
    context = {
        "persona": persona,
        "signed": signed,
        "document": signed.document,
        "site": _site(persona, signed.document.metering_point_id),
        "is_revocation": isinstance(signed.document, Revocation),
    }
    return render_in(request, place, "pages/terms.html", context)


def translated(refusal: MarketplaceError) -> str:
    """Return an error of a service in the reader's language."""
    text = _(refusal.text)
    return text.format(**refusal.params) if refusal.params else text


def micros_since_epoch(moment: datetime) -> int:
    """Return a moment as signed texts write it. [µs]"""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _tried(
    request: HttpRequest, persona: Persona, metering_point_id: int, act: Callable[[], None]
) -> HttpResponse:
    """Do something, say what stood against it, and go back to the rule."""
    try:
        act()
    except NotFound as missing:
        raise Http404 from missing
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    return redirect("rule", persona.participant_id, metering_point_id)


def _owner(request: HttpRequest, participant_id: int, metering_point_id: int) -> Persona:
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    if not _site(persona, metering_point_id):
        raise Http404
    return persona


def _site(persona: Persona, metering_point_id: int) -> str:
    """Return what a member calls the place of one of their metering points."""
    meters = list_meters(participant_id=persona.participant_id)
    names = {meter.metering_point_id: meter.site or meter.code for meter in meters}
    return names.get(metering_point_id, "")


def sent_text(request: HttpRequest) -> dict[str, bytes]:
    """Return the text and the signature that a browser sent; what is none fails as one."""
    try:
        signature = base64.b64decode(request.POST.get("signature", ""), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    return {"body": request.POST.get("body", "").encode(), "signature": signature}
