"""Places for server-sent events that stay: few, since each holds a thread of the web server."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

# Of the four threads of a web process; the others are for pages. One listener takes one.
STREAMS_MAX: Final = 2
STREAMS_OF_ONE_MAX: Final = 1


class Places:
    """The places for streams that stay, in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def take(self, listener: Hashable) -> Iterator[bool]:
        """Take a place while there is one; True if the stream may stay."""
        with self._lock:
            is_free = self._taken.total() < STREAMS_MAX
            fits = is_free and self._taken[listener] < STREAMS_OF_ONE_MAX
            self._taken[listener] += fits
        try:
            yield fits
        finally:
            with self._lock:
                self._taken[listener] -= fits
                self._taken += Counter()  # forget who has none


# All kinds of streams share them.
places = Places()
