"""Fetch from a provider's address: bounded in time and bytes, and only from public addresses.

The host is resolved once and that address connected to, so that no second answer of the resolver
can lead elsewhere; every redirect is judged like the first address. The whole fetch has one
deadline, also for a server that sends a byte now and then.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urljoin

from marketplace.errors import N_, FetchFailed
from marketplace.services.data.addresses import Target, target_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MIB = 1 << 20
PIECE = 64 << 10
REDIRECTS = {301, 302, 303, 307, 308}
AGENT = "Heliopolis"
# What a redirect to another host may still be told.
NOT_SECRET = {"accept", "if-none-match", "if-modified-since", "user-agent"}
LIMIT_TEXT = N_("More than {limit} bytes came. Publish it in smaller files.")

LATE_TEXT = N_("{host} took too long.")
CUT_TEXT = N_("The answer ended before its time. Try again.")


class Sink(Protocol):
    """Where a body goes that is too large for memory: a file, a quarantine."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """Bounds of one fetch.

    Attributes
    ----------
    body_bytes
        Of the body, as it comes and as it unpacks. [byte]
    connect_s, total_s
        Until the connection stands, and until the last byte is here. [s]
    redirects
        How many are followed.
    """

    body_bytes: int = 32 * MIB
    connect_s: float = 5.0
    total_s: float = 20.0
    redirects: int = 3


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a server answered, whatever its status. ``body`` is empty where a sink took it.

    ``headers`` have names in lower case. ``latency_ms`` is from connecting for the last
    answer to the end of its headers, ``total_ms`` all of it. [ms]
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    byte_count: int
    latency_ms: int
    total_ms: int
    at: datetime

    @property
    def is_ok(self) -> bool:
        return self.status == http.client.OK


def fetch(
    *,
    url: str,
    now: datetime,
    limits: FetchLimits | None = None,
    headers: Mapping[str, str] | None = None,
    sink: Sink | None = None,
) -> Fetched:
    """Ask an address and return the answer.

    Parameters
    ----------
    url : str
        http or https, by the setting; public, without credentials.
    now : datetime
        Noted as the time of the fetch.
    limits : FetchLimits
        Bytes, seconds, redirects.
    headers : mapping of str to str
        More of them, as ``If-None-Match``; others than conditions and ``Accept`` don't follow a
        redirect to another host.
    sink : Sink, optional
        Gets the body of an answer 200 piece by piece; other bodies are short and come back.

    Raises
    ------
    FetchFailed
        ``reason`` says what went wrong, the text what to do. A sink may have got some pieces.
    """
    limits = limits or FetchLimits()
    deadline = time.monotonic() + limits.total_s
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    try:
        return _fetched(url, sent, limits, deadline=deadline, sink=sink, now=now)
    except TimeoutError as e:
        raise FetchFailed("timeout", LATE_TEXT, host=url[:200]) from e


def _fetched(
    url: str,
    sent: dict[str, str],
    limits: FetchLimits,
    *,
    deadline: float,
    sink: Sink | None,
    now: datetime,
) -> Fetched:
    target = target_of(url, seconds=min(limits.connect_s, _left(deadline)))
    for _ in range(limits.redirects + 1):
        with _Exchange(target, sent, limits, deadline) as exchange:
            answer = exchange.answer
            location = answer.getheader("Location")
            if answer.status in REDIRECTS and location:
                following = _followed(target, location, min(limits.connect_s, _left(deadline)))
                if following.authority != target.authority:
                    sent = {name: value for name, value in sent.items() if name in NOT_SECRET}
                target = following
                continue
            into = sink if answer.status == http.client.OK else None
            body, byte_count = exchange.body(into)
            return Fetched(
                url=target.url,
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=body,
                byte_count=byte_count,
                latency_ms=exchange.latency_ms,
                total_ms=round((time.monotonic() - deadline + limits.total_s) * 1000),
                at=now,
            )
    raise FetchFailed(
        "redirects", N_("It redirects more than {limit} times."), limit=limits.redirects
    )


def _followed(target: Target, location: str, seconds: float) -> Target:
    try:
        url = urljoin(target.url, location).partition("#")[0]
    except ValueError as error:
        raise FetchFailed("address_form", N_("It redirects to no address of the web.")) from error
    following = target_of(url, seconds=seconds)
    if target.scheme == "https" and following.scheme != "https":
        raise FetchFailed(
            "redirect_down", N_("It redirects from https to http. Give the final address.")
        )
    return following


class _Exchange:
    """One question and its answer over one connection, until a deadline."""

    def __init__(
        self, target: Target, headers: Mapping[str, str], limits: FetchLimits, deadline: float
    ) -> None:
        self.target, self.limits, self.deadline = target, limits, deadline
        asked_at = time.monotonic()
        self.socket = _connected(target, limits, deadline)
        try:
            self.answer = self._asked(headers)
        except BaseException:
            self.socket.close()
            raise
        self.latency_ms = round((time.monotonic() - asked_at) * 1000)

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self.socket.close()

    def _asked(self, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        lines = {
            "host": self.target.authority,
            "user-agent": AGENT,
            "accept": "*/*",
            **headers,
            "accept-encoding": "gzip",
            "connection": "close",
        }
        if any(ord(char) < 32 for line in lines.items() for part in line for char in part):
            raise ValueError("a header with a control character")
        question = f"GET {self.target.path} HTTP/1.1\r\n"
        question += "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        with _failures(self.target):
            self.socket.settimeout(_left(self.deadline))
            self.socket.sendall(question.encode("latin-1"))
            timed = cast("socket.socket", _Timed(self.socket, self.deadline))
            answer = http.client.HTTPResponse(timed, method="GET")
            answer.begin()
        return answer

    def body(self, sink: Sink | None) -> tuple[bytes, int]:
        """Read to the end; return the body, or nothing where the sink took it, and its length."""
        # As the library read it: what a server writes there may be no number, or a thousand digits.
        said = self.answer.length
        if said is not None and said > self.limits.body_bytes:
            raise FetchFailed("too_large", LIMIT_TEXT, limit=self.limits.body_bytes)
        kept = io.BytesIO()
        into: Sink = kept if sink is None else sink
        byte_count = 0
        for piece in self._unpacked():
            byte_count += len(piece)
            if byte_count > self.limits.body_bytes:
                raise FetchFailed("too_large", LIMIT_TEXT, limit=self.limits.body_bytes)
            into.write(piece)
        return kept.getvalue(), byte_count

    def _unpacked(self) -> Iterator[bytes]:
        encoding = (self.answer.getheader("Content-Encoding") or "identity").strip().lower()
        if encoding == "identity":
            yield from self._pieces()
            return
        if encoding not in ("gzip", "x-gzip"):
            raise FetchFailed(
                "encoding", N_("The answer is packed as {encoding}, not gzip."), encoding=encoding
            )
        unpacker = zlib.decompressobj(31)
        try:
            for piece in self._pieces():
                rest = piece
                while rest and not unpacker.eof:
                    yield unpacker.decompress(rest, PIECE)
                    rest = unpacker.unconsumed_tail
            while not unpacker.eof and (left := unpacker.decompress(b"", PIECE)):
                yield left
        except zlib.error as e:
            raise FetchFailed("encoding", N_("The answer can't be unpacked.")) from e
        if not unpacker.eof:
            raise FetchFailed("cut", CUT_TEXT)

    def _pieces(self) -> Iterator[bytes]:
        said = self.answer.length
        received = 0
        with _failures(self.target):
            while piece := self.answer.read(PIECE):
                received += len(piece)
                if received > self.limits.body_bytes:
                    raise FetchFailed("too_large", LIMIT_TEXT, limit=self.limits.body_bytes)
                yield piece
        if said is not None and received < said:
            raise FetchFailed("cut", CUT_TEXT)


def _connected(target: Target, limits: FetchLimits, deadline: float) -> socket.socket:
    """Connect to one of the judged addresses, and to nothing else."""
    last: OSError | None = None
    for address in target.addresses:
        patience = min(limits.connect_s, _left(deadline))
        try:
            plain = socket.create_connection((str(address), target.port), timeout=patience)
        except OSError as e:
            last = e
            continue
        if target.scheme == "http":
            return plain
        try:
            with _failures(target):
                return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise
    if isinstance(last, TimeoutError):
        raise _late(target) from last
    raise FetchFailed(
        "unreachable", N_("{host} doesn't answer. Is the server running?"), host=target.host
    ) from last


class _Timed:
    """Shows a connection to `http.client`, each read of it bounded by the one deadline."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection, self.deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self.connection, self.deadline))


class _Reads(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection, self.deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self.connection.settimeout(_left(self.deadline))
        return self.connection.recv_into(buffer)


class _failures:  # noqa: N801 -- used like a function
    """Turn what connections raise into one error with a reason."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, TimeoutError):
            raise _late(self.target) from error
        if isinstance(error, http.client.IncompleteRead):
            raise FetchFailed("cut", CUT_TEXT) from error
        if isinstance(error, ssl.SSLError):
            raise FetchFailed(
                "tls", N_("{host} has no certificate that can be trusted."), host=self.target.host
            ) from error
        if isinstance(error, http.client.HTTPException | OSError | ValueError):
            raise FetchFailed(
                "protocol",
                N_("{host} broke off, or doesn't speak HTTP."),
                host=self.target.host,
            ) from error


def _late(target: Target) -> FetchFailed:
    return FetchFailed("timeout", LATE_TEXT, host=target.host)


def _left(deadline: float) -> float:
    """Return the seconds left; none left is too late."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
