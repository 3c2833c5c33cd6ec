"""Is the hall alive? For probes, so in as few words as possible."""

import logging

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

TIMEOUT_SECONDS = 2

log = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and broker answer us, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
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
    return JsonResponse({"status": "ok"})
