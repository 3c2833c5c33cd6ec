"""The steps of an application: site, meter, texts, rule, and sending it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from config.web.join.forms import JoinRuleForm, MeterForm, SiteForm, TextsForm
from config.web.join.preview import rule_preview
from config.web.join.texts import texts_in_force
from config.web.signing import translated
from marketplace.domain.applications import ENERGY_ROLES, ApplicationState
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.applications import (
    ApplicationLine,
    find_application,
    list_consents_of_application,
    list_open_communities,
)
from marketplace.services import applications as service

STEPS = {
    "site": _("Role and site"),
    "meter": _("Metering point"),
    "texts": _("Agreements"),
    "rule": _("My rule"),
    "send": _("Check and send"),
}
TEMPLATES = {name: f"join/step_{name}.html" for name in STEPS}


@dataclass(frozen=True)
class _Asked:
    """A step that somebody is at."""

    request: HttpRequest
    user_id: int
    application: ApplicationLine
    now: datetime


@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, step: str) -> HttpResponse:
    """Show a step of the application, take it in, and go to the next one."""
    if step not in STEPS:
        raise Http404
    assert request.user.is_authenticated  # the page is for people who are signed in
    user_id, now = request.user.pk, timezone.now()
    application = find_application(user_id=user_id)
    if application is None or application.state != ApplicationState.DRAFT:
        return redirect("join_state")
    names = _names(application)
    if step not in names:
        return redirect("join_step", names[-1])
    asked = _Asked(request, user_id, application, now)
    form, act = _FORMS[step](asked)
    if request.method == "POST" and form.is_valid() and _done(form, act):
        following = names[names.index(step) + 1 :]
        return redirect("join_step", following[0]) if following else redirect("join_state")
    context = {
        "form": form,
        "application": application,
        "step": step,
        "steps": [(name, STEPS[name]) for name in names],
        **_beside(step, asked),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, TEMPLATES[step], context, status=status)


def _names(application: ApplicationLine) -> list[str]:
    """Return the steps of a role: who sells no energy has no meter and no rule."""
    sells_data = application.role and application.role not in ENERGY_ROLES
    return [name for name in STEPS if not (sells_data and name in ("meter", "rule"))]


def _done(form: forms.Form, act: Callable[[], None]) -> bool:
    try:
        act()
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, translated(error))
    except MarketplaceError as error:
        form.add_error(None, translated(error))
    else:
        return True
    return False


def _site(asked: _Asked) -> tuple[forms.Form, Callable[[], None]]:
    line = asked.application
    assert line.details is not None  # a draft has its key
    form = SiteForm(
        asked.request.POST or None,
        communities=list_open_communities(),
        initial=SiteForm.initial_of(line.details, line.role, line.community_id),
    )
    return form, lambda: service.fill_in_site(
        user_id=asked.user_id,
        role=form.cleaned_data["role"],
        community_id=form.community_id,
        name=form.cleaned_data["name"],
        zone=form.zone,
        label=form.cleaned_data["label"],
    )


def _meter(asked: _Asked) -> tuple[forms.Form, Callable[[], None]]:
    details = asked.application.details
    assert details is not None  # a draft has its key
    form = MeterForm(
        asked.request.POST or None,
        asked.request.FILES or None,
        initial={"meter": details.meter, "kind": details.meter_kind or "smart"},
    )
    return form, lambda: service.fill_in_meter(
        user_id=asked.user_id,
        meter=form.cleaned_data["meter"],
        kind=form.cleaned_data["kind"],
        proof=form.proof_bytes(),
    )


def _texts(asked: _Asked) -> tuple[forms.Form, Callable[[], None]]:
    texts = texts_in_force()
    form = TextsForm(asked.request.POST or None, texts=texts)
    return form, lambda: service.agree_to_texts(
        user_id=asked.user_id, texts=[each.named for each in texts], now=asked.now
    )


def _rule(asked: _Asked) -> tuple[forms.Form, Callable[[], None]]:
    details = asked.application.details
    assert details is not None  # a draft has its key
    form = JoinRuleForm(asked.request.POST or None, initial={"rule": details.rule or "default"})
    return form, lambda: service.choose_rule(
        user_id=asked.user_id,
        rule=form.cleaned_data["rule"],
        sell_micro=form.sell_micro,
        buy_micro=form.buy_micro,
    )


def _send(asked: _Asked) -> tuple[forms.Form, Callable[[], None]]:
    form = forms.Form(asked.request.POST if asked.request.method == "POST" else None)
    return form, lambda: service.submit_application(
        user_id=asked.user_id, texts=[each.named for each in texts_in_force()], now=asked.now
    )


def _beside(step: str, asked: _Asked) -> dict[str, object]:
    """Return what a step shows beside its form."""
    line = asked.application
    if step == "texts":
        return {"texts": texts_in_force()}
    if step == "rule":
        return {"preview": rule_preview(line, now=asked.now)}
    if step == "send":
        return {"consents": list_consents_of_application(application_id=line.id)}
    return {}


_FORMS: dict[str, Callable[[_Asked], tuple[forms.Form, Callable[[], None]]]] = {
    "site": _site,
    "meter": _meter,
    "texts": _texts,
    "rule": _rule,
    "send": _send,
}
