"""The operator's pages of credit limits: what is in use, and what another limit would mean."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from config.web.accesses import note
from config.web.days import render_in
from config.web.operator_pages.home import places_of
from config.web.personas import use_persona
from config.web.signing import translated
from marketplace.domain.accesses import AccessKind
from marketplace.domain.credit import LIMIT_MAX_MICRO, REASON_CHARACTERS_MAX, Credit
from marketplace.errors import MarketplaceError
from marketplace.queries.credit_limits import (
    MemberCredit,
    find_member_credit,
    list_limit_changes,
    list_member_credits,
)
from marketplace.queries.pages import Persona, Place
from marketplace.services.credit_limits import set_credit_limit

MICRO: Final = 10**6
PER_PAGE: Final = 50
CHOICES: Final[dict[str, str | Promise]] = {
    "all": gettext_lazy("All members"),
    "over": gettext_lazy("Those who owe more than their limit"),
    "own": gettext_lazy("Those with a limit of their own"),
}


class CreditForm(forms.Form):
    """A member's limit, and why."""

    limit = forms.DecimalField(
        help_text=gettext_lazy(
            "What the member may owe and still take part. Empty: what the rules say."
        ),
        min_value=0,
        max_value=LIMIT_MAX_MICRO // MICRO,
        max_digits=16,
        decimal_places=6,
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        help_text=gettext_lazy("The member reads it, and it stays with the change."),
        max_length=REASON_CHARACTERS_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["limit"].label = _("Limit ({currency})").format(currency=currency)

    @classmethod
    def of(cls, credit: Credit, currency: str) -> "CreditForm":
        """Return the form with the limit as it is."""
        own = credit.own_micro
        # "f" keeps a round sum out of scientific notation.
        limit = None if own is None else f"{(Decimal(own) / MICRO).normalize():f}"
        return cls(initial={"limit": limit}, currency=currency)

    def limit_micro(self) -> int | None:
        """Return what was entered. [micro]"""
        given: Decimal | None = self.cleaned_data["limit"]
        return None if given is None else int(given * MICRO)


@require_safe
def operator_credit(request: HttpRequest, participant_id: int) -> HttpResponse:
    """List members with their limits and what of them is in use."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    places = {str(place.community_id): place for place in places_of(persona)}
    place = places.get(request.GET.get("community", "") or next(iter(places), ""))
    if place is None:
        raise Http404
    shown = request.GET.get("show", "all")
    after = request.GET.get("after", "")
    search = request.GET.get("search", "").replace("\0", "").strip()[:80]
    found = list_member_credits(
        place=place,
        search=search,
        shown=shown if shown in CHOICES else "all",
        after_id=int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0,
        now=now,
        limit=PER_PAGE + 1,
    )
    members = found[:PER_PAGE]
    note(persona, {each.participant_id for each in members}, AccessKind.CREDIT, now=now)
    context: dict[str, object] = {
        "persona": persona,
        "places": list(places.values()),
        "search": search,
        "shown": shown if shown in CHOICES else "all",
        "choices": CHOICES.items(),
        "members": members,
        "next_after": members[-1].participant_id if len(found) > PER_PAGE else None,
    }
    return render_in(request, place, "operator/credit.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def operator_credit_member(
    request: HttpRequest, participant_id: int, member_id: int
) -> HttpResponse:
    """Show what a member's limit is used for, and what another one would mean; set it."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    place, member = _member(persona, member_id, now)
    note(persona, [member_id], AccessKind.CREDIT, now=now)
    form, preview = CreditForm.of(member.credit, place.currency), None
    if request.method == "POST":
        form = CreditForm(request.POST, currency=place.currency)
        if form.is_valid():
            if request.POST.get("act") != "set":
                preview = replace(member.credit, own_micro=form.limit_micro())
            elif _is_set(form, persona, member_id, now):
                messages.success(request, _("The limit is set; the member is told."))
                return redirect("operator_credit_member", participant_id, member_id)
    context: dict[str, Any] = {
        "persona": persona,
        "member": member,
        "credit": member.credit,
        "preview": preview,
        "form": form,
        "changes": list_limit_changes(participant_id=member_id),
    }
    return render_in(request, place, "operator/credit_member.html", context)


def _member(persona: Persona, member_id: int, now: datetime) -> tuple[Place, MemberCredit]:
    for place in places_of(persona):
        member = find_member_credit(participant_id=member_id, place=place, now=now)
        if member is not None:
            return place, member
    raise Http404


def _is_set(form: CreditForm, persona: Persona, member_id: int, now: datetime) -> bool:
    try:
        set_credit_limit(
            participant_id=member_id,
            limit_micro=form.limit_micro(),
            reason=form.cleaned_data["reason"],
            operator_id=persona.participant_id,
            now=now,
        )
    except MarketplaceError as refusal:
        field = getattr(refusal, "field", "")
        form.add_error(field if field in form.fields else None, translated(refusal))
        return False
    return True
