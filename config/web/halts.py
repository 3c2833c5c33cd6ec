"""The operator stops trading in a community, and lets it go on."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from config.web.order_forms import HaltForm
from config.web.personas import use_persona
from marketplace.errors import MarketplaceError
from marketplace.queries.order_book import HaltLine, list_halts
from marketplace.queries.pages import Persona, Place, list_places
from marketplace.services.halts import halt_trading, lift_halt


@dataclass(frozen=True)
class Floor:
    """A community, whether trading stands still there, and what was halted before."""

    place: Place
    form: HaltForm
    halts: list[HaltLine]

    @property
    def current(self) -> HaltLine | None:
        """The halt in force."""
        return next((halt for halt in self.halts if halt.is_in_force), None)


@require_http_methods(["GET", "HEAD", "POST"])
def trading_halts(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show the halts of the operator's communities; order one."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    places = _places(persona)
    forms = {place.community_id: HaltForm(prefix=str(place.community_id)) for place in places}
    if request.method == "POST":
        place = _place(places, request.POST.get("community", ""))
        with timezone.override(place.zone):
            form = HaltForm(request.POST, prefix=str(place.community_id))
            if form.is_valid() and _halted(persona, place, form, now):
                messages.success(request, _("Trading stands still."))
                return redirect("trading_halts", participant_id)
        forms[place.community_id] = form
    floors = [
        Floor(
            place,
            forms[place.community_id],
            list_halts(community_id=place.community_id, now=now),
        )
        for place in places
    ]
    return render(request, "pages/trading_halts.html", {"persona": persona, "floors": floors})


@require_POST
def trading_halt_lift(request: HttpRequest, participant_id: int, halt_id: int) -> HttpResponse:
    """Let trading go on."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    own = [
        halt.id
        for place in _places(persona)
        for halt in list_halts(community_id=place.community_id, now=now)
    ]
    if halt_id not in own:
        raise Http404
    try:
        lift_halt(halt_id=halt_id, operator_id=persona.participant_id, now=now)
    except MarketplaceError as refusal:
        messages.error(request, _(refusal.text))
    else:
        messages.success(request, _("Trading goes on."))
    return redirect("trading_halts", participant_id)


def _halted(persona: Persona, place: Place, form: HaltForm, now: datetime) -> bool:
    try:
        halt_trading(
            community_id=place.community_id,
            operator_id=persona.participant_id,
            reason=form.cleaned_data["reason"],
            until=form.ends_at(),
            now=now,
        )
    except MarketplaceError as refusal:
        form.add_error(None, _(refusal.text).format(**refusal.params))
        return False
    return True


def _places(persona: Persona) -> list[Place]:
    return [persona.place] if persona.place else list_places()


def _place(places: list[Place], community: str) -> Place:
    for place in places:
        if str(place.community_id) == community:
            return place
    raise Http404
