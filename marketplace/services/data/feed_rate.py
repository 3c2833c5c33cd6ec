"""How fast one credential may ask: a bucket that fills up steadily, kept in Redis.

Without Redis nobody is turned away for being fast: the month's cap holds in the database, and the
rate only keeps one buyer from crowding out the others.
"""

import logging
from functools import cache
from typing import Final

import redis
from django.conf import settings

BURST: Final = 60
_logger = logging.getLogger(__name__)
# One number: the moment at which the bucket would be full again, in Redis's own microseconds.
_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full = tonumber(redis.call('GET', KEYS[1]) or now)
if full < now then full = now end
local after = full + ARGV[1]
local over = after - now - ARGV[1] * ARGV[2]
if over > 0 then return math.ceil(over / 1000) end
local keeps = math.ceil((after - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', keeps)
return 0
"""


def wait_ms(*, whose: str) -> int:
    """Take one from somebody's bucket; 0, or how long to wait until there is one. [ms]"""
    step_us = 1_000_000 // settings.FEED_REQUESTS_PER_S
    try:
        waited = _script()(keys=[f"heliopolis:feed:{whose}"], args=[step_us, BURST])
    except redis.RedisError:
        _logger.warning("no bucket for feeds: Redis does not answer")
        return 0
    return int(waited)


@cache
def _script() -> "redis.commands.core.Script":
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
    )
    return client.register_script(_SCRIPT)
