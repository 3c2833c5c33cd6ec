"""``/log/`` for people: what the log says now, and how to check it without trusting us."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.log.keys import KeyMissing, read_policy
from ledger.domain.policy import Policy
from ledger.errors import PolicyInvalid
from ledger.queries import get_log_status, list_objections

_OBJECTIONS_SHOWN = 20


@login_not_required
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Show the log's name and key, how far it is attested and by whom, and every objection."""
    context = log_context()
    policy = context["policy"]
    logs = policy.logs if isinstance(policy, Policy) else ()
    context |= {
        "origin": logs[0].key.name if logs else settings.LOG_ORIGIN,
        "keys": [str(log.key) for log in logs],
    }
    return render(request, "log/log.html", context)


def log_context() -> dict[str, object]:
    """Return what the part of a page needs that shows how far the log is attested."""
    policy: Policy | None = None
    problem = ""
    try:
        policy = read_policy()
    except (KeyMissing, PolicyInvalid) as error:
        problem = str(error)
    return {
        "policy": policy,
        "policy_problem": problem,
        "log_status": get_log_status(policy=policy),
        "is_alone": policy is not None and policy.is_quorum(frozenset()),
        "objections": list_objections(limit=_OBJECTIONS_SHOWN),
    }
