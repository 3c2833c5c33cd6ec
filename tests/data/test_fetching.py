"""Fetching from providers: real servers on this machine, each of them bad in its own way."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.fixtures import Settings

from marketplace.errors import FetchFailed
from marketplace.services.data.addresses import may_ask
from marketplace.services.data.fetching import Fetched, FetchLimits, fetch

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUICK = FetchLimits(body_bytes=100_000)
SHORT = FetchLimits(connect_s=0.5, total_s=0.5)
OK = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Answers each path with what a function sends; counts questions and keeps the last."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.answers: dict[str, Callable[[socket.socket, str], None]] = {}
        self.questions: list[str] = []
        self.context: ssl.SSLContext | None = None
        Thread(target=self._serve, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def says(self, path: str, answer: bytes) -> str:
        """Answer a path with these bytes, and return its address."""
        self.answers[path] = lambda connection, _: connection.sendall(answer)
        return self.url(path)

    def does(self, path: str, act: Callable[[socket.socket, str], None]) -> str:
        self.answers[path] = act
        return self.url(path)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            question = ""
            while "\r\n\r\n" not in question:
                if not (piece := connection.recv(4096)):
                    return
                question += piece.decode("latin-1")
            self.questions.append(question)
            self.answers[question.split(" ")[1]](connection, question)


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    settings.FETCH_ALLOWS_LOOPBACK = True
    settings.FETCH_SCHEMES = ["https", "http"]
    running = Server()
    yield running
    running.listener.close()


def get(url: str, limits: FetchLimits = QUICK) -> Fetched:
    return fetch(url=url, now=NOW, limits=limits)


def refused(url: str, limits: FetchLimits = QUICK) -> str:
    with pytest.raises(FetchFailed) as failed:
        get(url, limits)
    assert failed.value.code == f"fetch_{failed.value.reason}"
    assert "{" not in str(failed.value)
    return failed.value.reason


def test_an_answer_comes_with_its_time_and_headers(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(b"counts " * 1000)
    head = OK + b'Content-Encoding: gzip\r\nETag: "7"\r\nContent-Length: %d\r\n\r\n' % len(packed)
    url = server.says("/a?b=1", head + packed)

    plain = fetch(url=url, now=NOW, limits=QUICK, headers={"If-None-Match": '"6"'})

    assert (plain.status, plain.is_ok, plain.body) == (200, True, b"counts " * 1000)
    assert (plain.headers["etag"], plain.at, plain.byte_count) == ('"7"', NOW, 7000)
    assert 0 <= plain.latency_ms <= plain.total_ms
    assert 'if-none-match: "6"' in server.questions[0]
    assert f"host: 127.0.0.1:{server.port}\r\n" in server.questions[0]
    with (tmp_path / "body").open("wb") as file:
        assert fetch(url=url, now=NOW, limits=QUICK, sink=file).body == b""
    assert (tmp_path / "body").read_bytes() == b"counts " * 1000
    assert get(server.says("/same", b"HTTP/1.1 304 Not Modified\r\n\r\n")).status == 304
    assert get(server.says("/no", b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")).body == b"no"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.1.2.3", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.8", "168.63.129.16"),
        *(
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ),
        *("::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1", "100::1"),
        "2001:0:a00:1::f5ff:fffe",
    ],
)
def test_an_address_of_a_network_of_somebody_s_own_is_never_asked(address: str) -> None:
    assert not may_ask(ipaddress.ip_address(address))


def test_public_addresses_are_asked() -> None:
    for address in ("8.8.8.8", "203.119.1.1", "2606:4700::1111"):
        assert may_ask(ipaddress.ip_address(address))
    assert may_ask(ipaddress.ip_address("127.0.0.1"), allows_loopback=True)
    assert not may_ask(ipaddress.ip_address("10.0.0.1"), allows_loopback=True)


def test_this_machine_is_not_asked_however_it_is_written(
    server: Server, settings: Settings
) -> None:
    settings.FETCH_ALLOWS_LOOPBACK = False
    server.says("/", OK + b"\r\nsecret")

    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "0"):
        assert refused(f"http://{host}:{server.port}/") == "address_private"
    assert refused(f"http://[::ffff:127.0.0.1]:{server.port}/") == "address_private"
    assert server.questions == []


def test_an_address_says_no_more_than_where(server: Server) -> None:
    assert refused("http://user:word@example.org/") == "address_credentials"
    assert refused("ftp://127.0.0.1/") == "address_scheme"
    assert refused("file:///etc/hostname") == "address_scheme"
    assert refused("http://8.8.8.8:22/") == "address_port"
    assert refused("http://nobody.invalid/") == "host_unknown"
    for url in (
        "http:///x",
        "http://a b/",
        "http://127.0.0.1\\@x/",
        "http://[::1/",
        "http://x:99999/",
    ):
        assert refused(url) == "address_form"
    assert server.questions == []


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/", "address_private"),
        ("http://169.254.169.254/latest/meta-data", "address_private"),
        ("//192.168.0.1/", "address_private"),
        ("file:///etc/hostname", "address_scheme"),
        ("/again", "redirects"),
    ],
)
def test_a_redirect_is_judged_like_an_address(server: Server, location: str, reason: str) -> None:
    url = server.says("/again", b"HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" % location.encode())

    assert refused(url) == reason
    assert len(server.questions) == (4 if reason == "redirects" else 1)


def test_a_redirect_to_another_host_learns_no_secret(server: Server) -> None:
    server.says("/end", OK + b"\r\nhere")
    away = f"http://localhost:{server.port}/end".encode()
    url = server.says("/begin", b"HTTP/1.1 301 Moved\r\nLocation: %s\r\n\r\n" % away)

    found = fetch(
        url=url, now=NOW, limits=QUICK, headers={"Authorization": "Bearer x", "Accept": "text/csv"}
    )

    assert (found.body, found.url) == (b"here", away.decode())
    assert "Bearer x" in server.questions[0]
    assert "Bearer x" not in server.questions[1]
    assert "text/csv" in server.questions[1]


def test_the_host_is_resolved_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that says something else the second time leads nowhere."""
    answers = ["127.0.0.1", "10.0.0.1"]

    def rebinding(*_: object, **__: object) -> list[object]:
        address = answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))]

    server.says("/", OK + b"\r\nhere")
    real, socket_of = socket.getaddrinfo, "rebinding.example"
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: rebinding() if host == socket_of else real(host, *rest, **more),
    )

    assert get(f"http://{socket_of}:{server.port}/").body == b"here"
    assert answers == ["10.0.0.1"]


def test_a_body_is_bounded_as_it_comes_and_as_it_unpacks(server: Server) -> None:
    def pours(connection: socket.socket, _: str) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 60_000
    assert refused(server.says("/said", OK + b"Content-Length: 100001\r\n\r\n")) == "too_large"
    assert refused(server.does("/pours", pours)) == "too_large"
    url = server.says("/bomb", OK + b"Content-Encoding: gzip\r\n\r\n" + bomb)
    assert refused(url) == "too_large"


def test_a_server_that_hangs_or_drips_is_left_in_time(server: Server) -> None:
    def drips(first: bytes) -> Callable[[socket.socket, str], None]:
        def act(connection: socket.socket, _: str) -> None:
            connection.sendall(first)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)

        return act

    urls = [
        server.does("/hangs", lambda *_: time.sleep(30)),
        server.does("/headers", drips(OK)),
        server.does("/body", drips(OK + b"Content-Length: 9999\r\n\r\n")),
    ]
    for url in urls:
        began = time.monotonic()
        assert refused(url, SHORT) == "timeout"
        assert time.monotonic() - began < 5


def test_a_broken_answer_is_no_answer(server: Server) -> None:
    assert refused(server.says("/cut", OK + b"Content-Length: 10\r\n\r\nhalf")) == "cut"
    packed = gzip.compress(b"whole")[:-9]
    gzipped = OK + b"Content-Encoding: gzip\r\n\r\n"
    assert refused(server.says("/cut-gzip", gzipped + packed)) == "cut"
    assert refused(server.says("/no-gzip", gzipped + b"plain")) == "encoding"
    assert refused(server.says("/br", OK + b"Content-Encoding: br\r\n\r\n")) == "encoding"
    assert refused(server.says("/ssh", b"SSH-2.0-OpenSSH_9.0\r\n")) == "protocol"
    assert refused(server.says("/nothing", b"")) == "protocol"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/") == "unreachable"


def test_a_certificate_that_nobody_vouches_for_is_none(server: Server, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(file)
    server.says("/", OK + b"\r\nhere")

    assert refused(f"https://localhost:{server.port}/") == "tls"
    assert server.questions == []


def test_headers_that_mean_nothing_end_in_one_error(server: Server) -> None:
    for number, length in enumerate((b"\xb2", b"9" * 5000)):
        url = server.says(f"/{number}", OK + b"Content-Length: " + length + b"\r\n\r\nbody")
        with suppress(FetchFailed):
            assert get(url).body == b"body"
    astray = b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n"
    assert refused(server.says("/astray", astray)) == "address_form"
    assert not may_ask(ipaddress.ip_address("::7f00:1"))
