"""An organisation's page, the change of a seat, an invitation as its reader sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from config.web.data.acting import act_and_go
from config.web.join import mails
from config.web.join.attempts import DAY, HOUR, is_allowed, network_of
from config.web.join.forms import PasswordForm
from config.web.join.pages import BACKEND, TOKENS_A_NETWORK
from config.web.organisation.forms import ROLE_SHORT, InviteForm, SeatForm, as_amount
from config.web.personas import use_persona
from config.web.shell import ROLE_NAMES
from config.web.signing import micros_since_epoch, sent_text, translated
from marketplace.domain.organisations import OrgRole, Right
from marketplace.errors import MarketplaceError, NotFound
from marketplace.queries.organisations import (
    ColleagueLine,
    list_colleagues,
    list_invitations,
)
from marketplace.queries.pages import Persona
from marketplace.queries.signed_terms import get_key_in_use
from marketplace.services import organisations as service
from marketplace.services.signed_terms import use_hall_key, use_own_key

ROLES: Final = tuple(ROLE_NAMES)
INVITATIONS_A_DAY: Final = 40


@dataclass(frozen=True)
class PersonRow:
    """One of an organisation's people, with a form to change their seat."""

    line: ColleagueLine
    role: str
    is_me: bool
    form: SeatForm


@require_http_methods(["GET", "HEAD", "POST"])
def organisation(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show who acts for it, who is invited, who signs; invite somebody."""
    persona = use_persona(request, participant_id, *ROLES)
    now = timezone.now()
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _invited(form, persona, now):
        messages.success(request, _("The invitation is on its way."))
        return redirect("organisation", participant_id)
    return _page(request, persona, now, form)


@require_POST
def person(request: HttpRequest, participant_id: int, membership_id: int) -> HttpResponse:
    """Change somebody's seat, or end it."""
    use_persona(request, participant_id, *ROLES)
    if request.POST.get("act") == "remove":
        return act_and_go(
            request,
            lambda: service.leave(participant_id=participant_id, membership_id=membership_id),
            done=_("They do not act for the organisation any more."),
            to="organisation",
            participant_id=participant_id,
        )
    form = SeatForm(request.POST, prefix=f"p{membership_id}")
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(str(each) for each in errors))
        return redirect("organisation", participant_id)
    return act_and_go(
        request,
        lambda: service.change_seat(
            participant_id=participant_id, membership_id=membership_id, seat=form.seat()
        ),
        done=_("Saved."),
        to="organisation",
        participant_id=participant_id,
    )


@require_POST
def uninvite(request: HttpRequest, participant_id: int, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    use_persona(request, participant_id, *ROLES)
    return act_and_go(
        request,
        lambda: service.uninvite(participant_id=participant_id, invitation_id=invitation_id),
        done=_("The invitation does not hold any more."),
        to="organisation",
        participant_id=participant_id,
    )


@require_POST
def key(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Choose who holds the organisation's key: a browser, or the hall with a new one."""
    persona, now = use_persona(request, participant_id, *ROLES), timezone.now()

    def act() -> None:
        if request.POST.get("holder") == "hall":
            use_hall_key(participant_id=persona.participant_id, now=now)
            return
        use_own_key(participant_id=persona.participant_id, **sent_text(request), now=now)

    return act_and_go(
        request,
        act,
        done=_("The key in use has changed; the one before ended."),
        to="organisation",
        participant_id=participant_id,
    )


@require_POST
def leave(request: HttpRequest, participant_id: int) -> HttpResponse:
    """End one's own acting for an organisation."""
    persona = use_persona(request, participant_id, *ROLES)
    seat_id = persona.membership.id
    assert seat_id is not None  # it is of somebody who is signed in
    try:
        service.leave(participant_id=participant_id, membership_id=seat_id)
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
        return redirect("organisation", participant_id)
    messages.success(request, _("You do not act for {name} any more.").format(name=persona.name))
    return redirect("home")


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a link invites to; accept it as who is signed in, or as somebody new."""
    now = timezone.now()
    if not is_allowed("tokens", network_of(request), most=TOKENS_A_NETWORK, seconds=HOUR):
        return render(request, "organisation/invitation_gone.html", status=429)
    invited = service.find_invitation(token=token, now=now)
    if invited is None:
        return render(request, "organisation/invitation_gone.html", status=404)
    is_new = not invited.has_account and not request.user.is_authenticated
    form = PasswordForm(request.POST or None) if is_new else None
    may_accept = form is None or form.is_valid()
    if request.method == "POST" and may_accept:
        password = form.cleaned_data["password"] if form is not None else ""
        try:
            user_id, participant_id = service.accept_invitation(
                token=token,
                user_id=request.user.pk if request.user.is_authenticated else None,
                password=password,
                language=get_language() or settings.LANGUAGE_CODE,
                now=now,
            )
        except NotFound as refusal:
            messages.error(request, translated(refusal))
            return render(request, "organisation/invitation_gone.html", status=404)
        if form is not None:
            login(request, get_user_model().objects.get(pk=user_id), backend=BACKEND)
        return redirect("organisation", participant_id)
    context = {"invited": invited, "role": ROLE_SHORT[OrgRole(invited.role)], "form": form}
    status = 400 if form is not None and form.errors else 200
    return render(request, "organisation/invitation.html", context, status=status)


def _invited(form: InviteForm, persona: Persona, now: datetime) -> bool:
    whose = str(persona.participant_id)
    if not is_allowed("invitations", whose, most=INVITATIONS_A_DAY, seconds=DAY):
        form.add_error(None, _("Too many invitations today. Go on tomorrow."))
        return False
    email = form.cleaned_data["email"]
    try:
        token = service.invite(
            participant_id=persona.participant_id,
            email=email,
            alias=form.cleaned_data["alias"],
            seat=form.seat(),
            now=now,
        )
    except MarketplaceError as refusal:
        form.add_error(None, translated(refusal))
        return False
    if not mails.send_invitation(email=email, token=token, organisation=persona.name):
        form.add_error(None, _("The mail could not be sent. Try again later."))
        return False
    return True


def _page(request: HttpRequest, persona: Persona, now: datetime, form: InviteForm) -> HttpResponse:
    lines = list_colleagues(participant_id=persona.participant_id, now=now)
    manages = persona.may(Right.MANAGE)
    context = {
        "persona": persona,
        "currency": persona.place.currency if persona.place else "",
        "people": [_row(line, persona) for line in lines],
        "invitations": list_invitations(participant_id=persona.participant_id, now=now)
        if manages
        else [],
        "manages": manages,
        "form": form,
        "key": get_key_in_use(participant_id=persona.participant_id),
        "issued": micros_since_epoch(now),
        "now": now,
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "organisation/organisation.html", context, status=status)


def _row(line: ColleagueLine, persona: Persona) -> PersonRow:
    form = SeatForm(
        prefix=f"p{line.membership_id}",
        initial={
            "role": line.role,
            "limit": as_amount(line.limit_micro),
            "monthly_limit": as_amount(line.monthly_limit_micro),
        },
    )
    is_me = line.membership_id == persona.membership.id
    return PersonRow(line, str(ROLE_SHORT[OrgRole(line.role)]), is_me, form)
