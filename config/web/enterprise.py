"""The enterprise's home: power bought and sold, and where it stands in the data market."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.data.hub import ways_of
from config.web.days import render_in
from config.web.member import day_context
from config.web.personas import place_or_404, use_persona


@require_safe
def enterprise(request: HttpRequest, participant_id: int) -> HttpResponse:
    """A day's power with its money, and the data market as this enterprise sees it."""
    persona = use_persona(request, participant_id, "enterprise")
    place = place_or_404(persona)
    now = timezone.now()
    context = day_context(request, persona, place, now) | {"ways": ways_of(persona)}
    return render_in(request, place, "pages/enterprise.html", context)
