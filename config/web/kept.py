"""What costs much and may be some minutes old is kept in Redis; without Redis it is made anew."""

import hashlib
import logging
from collections.abc import Callable
from typing import TypeVar, cast

import redis
from django.core.cache import cache

_log = logging.getLogger(__name__)
T = TypeVar("T")


def kept(name: str, *about: object, seconds: int, make: Callable[[], T]) -> T:
    """Return what was made under a name before, else make it.

    Parameters
    ----------
    name : str
        What it is.
    about : objects
        Whatever it depends on: equal texts of them are the same thing.
    seconds : int
        How old it may be.
    make : callable
        Makes it; never None.
    """
    digest = hashlib.sha256("\0".join(str(each) for each in about).encode()).hexdigest()
    key = f"{name}:{digest}"
    try:
        known = cache.get(key)
        if known is not None:
            return cast(T, known)
        made = make()
        cache.set(key, made, seconds)
    except redis.RedisError:
        _log.warning("%s is not kept: Redis does not answer", name)
        return make()
    return made
