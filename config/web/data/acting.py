"""Whom a page of the data market acts for, and how it calls a service."""

from collections.abc import Callable, Collection
from typing import Protocol

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.web.personas import current_persona, persona_with_right, personas_of, use_persona
from config.web.rights import right_of
from marketplace.domain.data.traders import BUYERS, SELLERS
from marketplace.errors import Invalid, MarketplaceError, NotFound
from marketplace.queries.pages import Persona
from marketplace.services.once import act_once


class ComplainingForm(Protocol):
    """A form that can show a service's complaint beside the field it is about."""

    cleaned_data: dict[str, object]

    def complain(self, error: Invalid) -> None:
        """Show an error of a service."""

    def add_error(self, field: str | None, error: str | forms.ValidationError) -> None:
        """Show an error."""


def buyer_of(request: HttpRequest) -> Persona:
    """Return whom a buyer's page acts for; raises `Http404` where the person buys for nobody."""
    return _acting(request, BUYERS)


def seller_of(request: HttpRequest) -> Persona:
    """Return whom a seller's page acts for; raises `Http404` where the person sells for nobody."""
    return _acting(request, SELLERS)


def trader_of(request: HttpRequest) -> Persona | None:
    """Return whom the person would trade data for, if for anybody."""
    return _first(request, BUYERS | SELLERS)


def own_ids(request: HttpRequest) -> list[int]:
    """Return every participant for which the person may do what the request asks."""
    right = right_of(request)
    return [each.participant_id for each in personas_of(request) if each.may(right)]


def accepted(request: HttpRequest, form: ComplainingForm, act: Callable[[], object]) -> bool:
    """Run a service once a page; show what it has against the form, or say that it had nothing."""
    assert request.user.pk is not None  # the page is for people who are signed in

    def once() -> None:
        act()

    try:
        act_once(
            user_id=request.user.pk,
            token=str(form.cleaned_data["token"]),
            act=once,
            now=timezone.now(),
        )
    except Invalid as error:
        form.complain(error)
        return False
    except MarketplaceError as error:
        form.add_error(None, _(error.text).format(**error.params))
        return False
    return True


def act_and_go(
    request: HttpRequest, act: Callable[[], object], *, done: str, to: str, **kwargs: object
) -> HttpResponse:
    """Run a service for a button of a page, say what came of it, and go to a page."""
    try:
        act()
    except NotFound as error:
        raise Http404 from error
    except MarketplaceError as error:
        messages.error(request, _(error.text).format(**error.params))
    else:
        messages.success(request, done)
    return redirect(reverse(to, kwargs=kwargs))


def _acting(request: HttpRequest, roles: Collection[str]) -> Persona:
    persona = _first(request, roles)
    if persona is None:
        raise Http404
    return use_persona(request, persona.participant_id, persona.role)


def _first(request: HttpRequest, roles: Collection[str]) -> Persona | None:
    """Return the persona in use if it has one of the roles, else the person's first that has."""
    current = current_persona(request)
    if current is not None and current.role in roles:
        return persona_with_right(request, current)
    found = next((each for each in personas_of(request) if each.role in roles), None)
    return found and persona_with_right(request, found)
