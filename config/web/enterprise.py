"""The enterprise's home: power bought and sold, data matched and received."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.days import render_in
from config.web.member import day_context
from config.web.personas import place_or_404, use_persona
from ledger.queries import get_balances
from marketplace.queries.data_files import list_matches, list_own_requests

LINES_SHOWN = 10


@require_safe
def enterprise(request: HttpRequest, participant_id: int) -> HttpResponse:
    """A day's power with its money, and the data market as this enterprise sees it."""
    persona = use_persona(request, participant_id, "enterprise")
    place = place_or_404(persona)
    now = timezone.now()
    own = [persona.participant_id]
    wallet = None
    if persona.wallet_account_id is not None:
        found = get_balances(account_ids=[persona.wallet_account_id])
        wallet = found.get(persona.wallet_account_id)
    context = day_context(request, persona, place, now) | {
        "wallet": wallet,
        "matches": list_matches(participant_ids=own, now=now, limit=LINES_SHOWN),
        "requests": list_own_requests(participant_ids=own, limit=LINES_SHOWN),
    }
    return render_in(request, place, "pages/enterprise.html", context)
