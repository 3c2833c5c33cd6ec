"""Asking the hall, over HTTP: bounded in time, size and patience, and never through a proxy."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import local
from urllib.parse import quote, urlsplit

from validator.errors import HallRefuses, HallSilent, NotServed, Pruned, SetUpWrong

# A bundle is at most 16 MiB; the openings of a large block may be more.
ANSWER_BYTES_MAX = 256 * 1024 * 1024
TRIES = 3
PAUSE_SECONDS = 0.2
CONNECTIONS = 4
_READ_BYTES = 1024 * 1024


class Hall:
    """The hall's log under one address.

    Parameters
    ----------
    url : str
        Where the log is served, such as ``https://hall.example/log``.
    credential : str
        What the hall's operator gave this validator to read openings with; may be empty.
    timeout_seconds : float
        How long one answer may let itself be waited for.
    """

    def __init__(self, url: str, credential: str = "", *, timeout_seconds: float = 30) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise SetUpWrong(f"{url} is no address of a log, such as https://hall.example/log")
        self._host = parts.netloc
        self._connect = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._prefix = parts.path.rstrip("/")
        self._credential = credential
        self._timeout = timeout_seconds
        self._of_thread = local()
        self._connections: list[http.client.HTTPConnection] = []
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch")

    def get(self, path: str) -> bytes:
        """Return what is public under a path below the log's.

        Raises
        ------
        HallSilent
            If no useful answer comes after some tries; a path with nothing is ``NotServed``.
        """
        return self._ask("GET", path, None, {})

    def get_all(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Yield what is public under several paths, in order, asked for side by side."""
        return self._pool.map(self.get, paths)

    def get_opening(self, path: str) -> bytes:
        """Return what only validators may read."""
        header = {"Authorization": f"Bearer {self._credential}"}
        return self._ask("GET", f"openings/{quote(path, safe='/:')}", None, header)

    def post(self, path: str, body: bytes) -> None:
        """Hand something in; a repetition does no harm to the hall."""
        self._ask("POST", path, body, {"Content-Type": "text/plain; charset=utf-8"})

    def close(self) -> None:
        """Wait for what is being asked and ask no more."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        for tried in range(1, TRIES + 1):
            try:
                status, answer = self._once(method, f"{self._prefix}/{path}", body, headers)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                problem = f"{path}: {error or type(error).__name__}"
            else:
                if 200 <= status < 300:
                    return answer
                text = f"{path}: {status} {answer[:200].decode(errors='replace').strip()}"
                if status == HTTPStatus.NOT_FOUND:
                    raise NotServed(text)
                if status == HTTPStatus.GONE:
                    raise Pruned(text)
                if 300 <= status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise HallRefuses(" ".join(text.split()))
                problem = " ".join(text.split())
            if tried < TRIES:
                time.sleep(PAUSE_SECONDS * 2 ** (tried - 1))
        raise HallSilent(problem)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._connect(self._host, timeout=self._timeout)
            self._of_thread.connection = connection
            self._connections.append(connection)
        kept = connection.sock is not None
        try:
            connection.request(method, path, body, {"Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            if not kept:
                raise
            # The other side had closed a connection that was kept: that is no failure of its own.
            connection.close()
            connection.request(method, path, body, {"Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
        pieces = []
        left = ANSWER_BYTES_MAX
        while piece := response.read(min(_READ_BYTES, left + 1)):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                raise http.client.HTTPException(f"more than {ANSWER_BYTES_MAX} bytes")
        return response.status, b"".join(pieces)

    def _drop(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._of_thread, "connection", None)
        if connection is not None:
            connection.close()
