"""Is the hall alive? For probes, so in as few words as possible."""

import logging

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ledger.queries import get_log_status

TIMEOUT_SECONDS = 2

log = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and broker answer us, else 503; say how far the log is."""
    try:
        status = get_log_status()
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
        ) as broker:
            broker.ping()
    except (DatabaseError, redis.RedisError) as failure:
        # What is down is nobody's business outside; the log says it to the operator.
        log.warning("not healthy: %s", failure)
        return JsonResponse({"status": "unavailable"}, status=503)
    # A stopped publisher keeps nobody from booking, so it is told and does not fail the probe.
    log_facts = {
        "booked": status.booked_block,
        "signed": status.signed_block,
        "attested": status.attested_block,
        "publishing": status.is_publishing and not status.stopped_because,
    }
    return JsonResponse({"status": "ok", "log": log_facts})
