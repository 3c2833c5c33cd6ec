"""The way in: what one can join as, a confirmed address, the steps of an application, its state."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from config.web.join import mails
from config.web.join.attempts import DAY, HOUR, is_allowed, network_of
from config.web.join.forms import AddressForm, PasswordForm
from config.web.join.state_words import REFUSALS, member_states
from config.web.join.texts import find_text, texts_in_force
from config.web.personas import personas_of
from config.web.signing import translated
from marketplace.errors import MarketplaceError, NotFound
from marketplace.queries.applications import find_application, list_open_communities
from marketplace.services.applications import (
    begin_application,
    revise_application,
    withdraw_application,
)
from marketplace.services.sign_up import begin_sign_up, find_link, finish_sign_up

LINKS_AN_ADDRESS: Final = 3
LINKS_A_NETWORK: Final = 20
TOKENS_A_NETWORK: Final = 60
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Say who can join as what, and send a link; the answer is the same for every address."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = str(form.cleaned_data["email"]).lower()
        if not is_allowed("links", network_of(request), most=LINKS_A_NETWORK, seconds=HOUR):
            form.add_error(None, _("Too many attempts from here. Try again in an hour."))
        else:
            # An address that was written to often enough gets no further mail, and nobody is told.
            may_send = is_allowed("link", email, most=LINKS_AN_ADDRESS, seconds=DAY)
            if not may_send or _sent(email):
                return render(request, "join/sent.html", {"email": email})
            form.add_error(None, _("The mail could not be sent. Try again later."))
    context = {"form": form, "communities": list_open_communities(), "texts": texts_in_force()}
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "join/join.html", context, status=status)


def _sent(email: str) -> bool:
    return mails.send_link(email=email, token=begin_sign_up(email=email, now=timezone.now()))


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Let whoever opened the link choose a password; opening alone changes nothing."""
    now = timezone.now()
    if not is_allowed("tokens", network_of(request), most=TOKENS_A_NETWORK, seconds=HOUR):
        return render(request, "join/link_gone.html", status=429)
    email = find_link(token=token, now=now)
    if email is None:
        return render(request, "join/link_gone.html", status=404)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user_id = finish_sign_up(
                token=token,
                password=form.cleaned_data["password"],
                language=get_language() or settings.LANGUAGE_CODE,
                now=now,
            )
        except NotFound:
            return render(request, "join/link_gone.html", status=404)
        language = get_language() or settings.LANGUAGE_CODE
        begin_application(user_id=user_id, email=email, language=language, now=now)
        login(request, get_user_model().objects.get(pk=user_id), backend=BACKEND)
        return redirect("join_step", "site")
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "join/confirm.html", {"form": form, "email": email}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def state(request: HttpRequest) -> HttpResponse:
    """Say plainly what an applicant or a new member waits for, and what they can do."""
    now = timezone.now()
    if request.method == "POST":
        return _acted(request, now)
    context = {
        "application": (application := find_application(user_id=_person(request)[0])),
        "refusal": REFUSALS.get(application.refusal, "") if application else "",
        "members": member_states(personas_of(request), now=now),
        "now": now,
    }
    return render(request, "join/state.html", context)


def _acted(request: HttpRequest, now: datetime) -> HttpResponse:
    user_id, email = _person(request)
    act = request.POST.get("act")
    try:
        if act == "begin":
            language = get_language() or settings.LANGUAGE_CODE
            begin_application(user_id=user_id, email=email, language=language, now=now)
            return redirect("join_step", "site")
        if act == "withdraw":
            withdraw_application(user_id=user_id, now=now)
            messages.success(request, _("Your application is withdrawn; what you said is deleted."))
        elif act == "revise":
            revise_application(user_id=user_id)
            return redirect("join_step", "site")
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    return redirect("join_state")


@login_not_required
@require_safe
def text(request: HttpRequest, slug: str, version: int) -> HttpResponse:
    """Show a version of a text that members agree to; old ones stay readable."""
    found = find_text(slug, version)
    if found is None:
        raise Http404
    return render(request, "join/text.html", {"text": found})


def _person(request: HttpRequest) -> tuple[int, str]:
    """Return who is signed in, and by which address."""
    assert request.user.is_authenticated  # the page is for people who are signed in
    return request.user.pk, request.user.email
