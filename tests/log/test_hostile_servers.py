"""Servers that lie: a log that is checked from outside, and a witness."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from config.log import remote
from ledger.domain.merkle import EMPTY_ROOT
from ledger.domain.policy import Witness
from ledger.errors import LogBroken
from ledger.services.cosigning import WitnessClient, WitnessRefused
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import Signed
from tests.log.hall import cosigner


class Liar(BaseHTTPRequestHandler):
    """Sends everybody elsewhere, or sends without end, or sends what is no HTTP."""

    elsewhere = ""
    asked: list[tuple[str, str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, self.headers["Authorization"]))
        match self.path.rsplit("/", 1)[-1]:
            case "endless":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 2000)
            case "torn":
                self.send_response(200)
                self.send_header("Content-Length", "9")
                self.end_headers()
            case "secret":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"elsewhere")
            case _:
                self.send_response(302)
                self.send_header("Location", f"{self.elsewhere}/secret")
                self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def liar(elsewhere: str = "") -> Iterator[tuple[str, list[tuple[str, str, str | None]]]]:
    asked: list[tuple[str, str, str | None]] = []
    handler = type("OneLiar", (Liar,), {"elsewhere": elsewhere, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_credential_goes_to_no_other_server() -> None:
    with liar() as (elsewhere, heard), liar(elsewhere) as (url, asked):
        server = remote._Server(url, "credential")
        with pytest.raises(LogBroken, match="answers 302"):
            server.read("openings/1")
        assert asked == [("GET", "/openings/1", "Bearer credential")]
        assert heard == []
        # What is public may have moved, such as to https.
        assert server.read("policy") == b"elsewhere"
        assert heard == [("GET", "/secret", None)]


def test_a_server_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_ANSWER_BYTES_MAX", 1000)
    with liar() as (url, _asked):
        server = remote._Server(url, None)
        with pytest.raises(LogBroken, match="more than 1000 bytes"):
            server.read("endless")
        with pytest.raises(LogBroken, match="torn was cut off"):
            server.read("torn")


def test_a_witness_sends_this_host_nowhere(tmp_path: Path) -> None:
    key = cosigner("wilma.example").key
    with liar() as (elsewhere, heard), liar(elsewhere) as (url, asked):
        witness = Witness(name="wilma", key=key, url=url)
        client = WitnessClient(witness=witness, folder=LogFolder(tmp_path))
        with pytest.raises(WitnessRefused, match="302"):
            client.submit(Signed(0, EMPTY_ROOT, "note", 0))
        assert [method for method, _, _ in asked] == ["POST"]
        assert heard == []
