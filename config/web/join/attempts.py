"""How often somebody may try: by address and by network, under names that tell neither."""

import logging
from typing import Final

import redis
from axes.helpers import get_client_ip_address
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

HOUR: Final = 3600
DAY: Final = 24 * HOUR
_logger = logging.getLogger(__name__)


def is_allowed(what: str, whose: str, *, most: int, seconds: int) -> bool:
    """Count one attempt; return whether it is within what may be tried in a time.

    Without Redis everybody may: a limit that nobody can count must not close the door.
    """
    digest = salted_hmac("heliopolis attempts", f"{what}\0{whose}", algorithm="sha256").hexdigest()
    key = f"attempts:{what}:{digest}"
    try:
        if cache.add(key, 1, timeout=seconds):
            return True
        return int(cache.incr(key)) <= most
    except ValueError:
        return True  # it ran out between the two
    except redis.RedisError:
        _logger.warning("attempts are not counted: Redis does not answer")
        return True


def network_of(request: HttpRequest) -> str:
    """Return where a request comes from, as the sign-in limit sees it."""
    return get_client_ip_address(request) or ""
