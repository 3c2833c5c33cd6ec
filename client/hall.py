"""The hall over HTTP: JSON in and out, large bodies as streams; nothing else than its API."""

import json
import secrets
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from client.errors import ClientError, HallRefused, Unreachable

TIMEOUT_S: Final = 60.0
TRIES: Final = 3
RETRY_S: Final = 1.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Hall:
    """A hall and who asks; the token goes nowhere but there.

    Parameters
    ----------
    url : str
        ``https://…``; plain HTTP only to this machine.
    token : str
        Of the member's account: whoever has it acts for the member.
    """

    url: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse an address that would show the token to everybody on the way."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ClientError(f"{self.url!r} is no address of a hall: https://…")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ClientError(f"{self.url} is not encrypted: use https")

    def get(self, path: str, **query: object) -> Any:
        """Return what an address of the API says."""
        asked = f"?{urlencode(query)}" if query else ""
        with self.open("GET", f"/api/v1/{path}{asked}") as response:
            return _json(response)

    def get_bytes(self, path: str) -> bytes:
        """Return the bytes behind an address of the API."""
        with self.open("GET", f"/api/v1/{path}") as response:
            return _all_of(response)

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """Yield everything of a list, page by page."""
        asked = dict(query)
        while True:
            page = self.get(path, **asked)
            yield from page["results"]
            if page["next"] is None:
                return
            # The hall's own address for the next page may name a host that we do not know it by.
            asked["cursor"] = dict(parse_qsl(urlsplit(page["next"]).query))["cursor"]

    def post(self, path: str, body: object, *, method: str = "POST") -> Any:
        """Send JSON and return the answer; sent again when the line breaks, it counts once."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
        for left in reversed(range(TRIES)):
            try:
                with self.open(method, f"/api/v1/{path}", body=data, headers=headers) as response:
                    return _json(response)
            except Unreachable:
                if not left:
                    raise
                time.sleep(RETRY_S)
        raise AssertionError("the last try returns or raises")

    def send(self, path: str, pieces: Iterable[bytes], *, length: int, method: str) -> Any:
        """Send bytes as they come."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        with self.open(method, f"/api/v1/{path}", body=pieces, headers=headers) as response:
            return _json(response)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[HTTPResponse]:
        """Ask, and give the answer to be read; raises `HallRefused` for 400 and above.

        Raises
        ------
        Unreachable
            If the line breaks, here or while the answer is read.
        """
        given = {"Authorization": f"Token {self.token}", "Accept-Encoding": "identity"}
        connection = _connection(self.url)
        try:
            connection.request(method, path, body=body, headers=given | dict(headers or {}))
            response = connection.getresponse()
            if response.status >= 300 and response.status != 304:
                raise _refusal(response)
            yield response
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{self.url} did not answer to the end: {error!r}") from error
        finally:
            connection.close()


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None, "checked when the hall was named"
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    return HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=context)


def _json(response: HTTPResponse) -> Any:
    content = _all_of(response)
    try:
        return json.loads(content) if content else None
    except ValueError as error:
        raise Unreachable("the answer is no JSON: is this address a hall?") from error


def _all_of(response: HTTPResponse) -> bytes:
    content = response.read(ANSWER_BYTES_MAX + 1)
    if len(content) > ANSWER_BYTES_MAX:
        raise Unreachable(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    return content


def _refusal(response: HTTPResponse) -> HallRefused:
    # A redirect is not followed: the token is for this address alone.
    content = response.read(65_536)
    try:
        said = json.loads(content)
        return HallRefused(response.status, str(said["code"]), str(said["message"]))
    except (ValueError, KeyError, TypeError):
        text = f"HTTP {response.status} {response.reason}"
        return HallRefused(response.status, str(response.status), text)
