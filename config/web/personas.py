"""Whom a request acts for. A persona somebody may not use does not exist for them."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from config.web.rights import right_of
from marketplace.queries.pages import Persona, Place, list_personas

# Sessions are rows of the database: what they keep must not say for whom somebody acts.
_SESSION_KEY = "persona"
_MEMO = "_heliopolis_personas"


def personas_of(request: HttpRequest) -> list[Persona]:
    """Return everything the signed-in person may act for; read once per request."""
    if not hasattr(request, "user") or not request.user.is_authenticated:
        return []
    known: list[Persona] | None = getattr(request, _MEMO, None)
    if known is None:
        known = list_personas(user_id=request.user.pk)
        setattr(request, _MEMO, known)
    return known


def use_persona(request: HttpRequest, participant_id: int, *roles: str) -> Persona:
    """Return the persona a page is about, and remember it as the one in use.

    Raises
    ------
    Http404
        If the signed-in person may not act for it, or it has another role: a stranger does not
        even learn that it exists.
    PermissionDenied
        If they may act for it, but not do this.
    """
    for persona in personas_of(request):
        if persona.participant_id == participant_id and persona.role in roles:
            if request.session.get(_SESSION_KEY) != persona.handle:
                request.session[_SESSION_KEY] = persona.handle
            return persona_with_right(request, persona)
    raise Http404


def persona_with_right(request: HttpRequest, persona: Persona) -> Persona:
    """Return a persona for which the person may do what the request asks.

    Raises
    ------
    PermissionDenied
        If their role among those who act for it has not the right; see `config.web.rights`.
    """
    if not persona.may(right_of(request)):
        raise PermissionDenied(
            _("Your role in this organisation does not include this. Ask one of its owners.")
        )
    return persona


def current_persona(request: HttpRequest) -> Persona | None:
    """Return the persona used last, else the first one; None for a person without any."""
    personas = personas_of(request)
    if not personas:
        return None
    used = request.session.get(_SESSION_KEY)
    return next((one for one in personas if one.handle == used), personas[0])


def place_or_404(persona: Persona) -> Place:
    """Return the persona's community; a persona without one has no such page."""
    if persona.place is None:
        raise Http404
    return persona.place
