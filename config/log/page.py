"""``/log/`` for people: what the log says now, and how to check it without trusting us."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.log.keys import KeyMissing, read_policy
from ledger.errors import PolicyInvalid
from ledger.queries import get_log_status, list_objections

_OBJECTIONS_SHOWN = 20


@login_not_required
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Show the log's name and key, how far it is attested and by whom, and every objection."""
    context: dict[str, object] = {"origin": settings.LOG_ORIGIN}
    try:
        policy = read_policy()
    except (KeyMissing, PolicyInvalid):
        return render(request, "log/log.html", context)
    status = get_log_status(policy=policy)
    context |= {
        "origin": policy.logs[0].key.name if policy.logs else settings.LOG_ORIGIN,
        "keys": [str(log.key) for log in policy.logs],
        "status": status,
        "is_alone": policy.is_quorum(frozenset()),
        "objections": list_objections(limit=_OBJECTIONS_SHOWN),
    }
    return render(request, "log/log.html", context)
