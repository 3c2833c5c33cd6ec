"""The operator's page: is everything read, cleared, settled, and if not, what waits for what."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.log.page import log_context
from config.web.personas import use_persona
from ledger.queries import get_worker_health
from marketplace.queries import pages_operator
from marketplace.queries.pages import list_places


@require_safe
def operator(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Readings and gaps, intervals by state, the settlement worker, members over the limit."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    places = [persona.place] if persona.place else list_places()
    counts = pages_operator.list_state_counts(places=places, now=now)
    late = [count.oldest_late_at for count in counts if count.oldest_late_at is not None]
    health = get_worker_health()
    context = {
        "persona": persona,
        "now": now,
        "counts": counts,
        "oldest_late_at": min(late, default=None),
        "gaps": pages_operator.list_gaps(places=places, now=now),
        "batches": pages_operator.list_reading_batches(),
        "over_limit_count": pages_operator.count_members_over_limit(places=places, now=now),
        "health": health,
        "worker_is_alive": health.lease_until is not None and health.lease_until > now,
        **log_context(),
    }
    return render(request, "pages/operator.html", context)
