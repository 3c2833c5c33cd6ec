"""``heliopolis-witness``: a witness behind HTTP, on the loopback interface unless told otherwise.

The configuration is a TOML file; paths in it are relative to its folder:

    key = "witness.key"            # made by: heliopolis-validator make-key NAME witness.key
    state = "witness.sqlite3"      # never restore an old copy of this file
    listen = "127.0.0.1:7380"

    [[log]]
    origin = "city.example/log"
    keys = ["city.example/log+1a2b3c4d+AQ..."]
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import tomllib
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from validator.errors import BadNote, SetUpWrong
from validator.keys import read_key_file
from validator.notes import COSIGNER, LOG, SigningKey, VerifierKey
from validator.witness import TEXT_TYPE, Answer, Witness
from validator.witness_store import WitnessStore

BODY_BYTES_MAX = 256 * 1024
IDLE_SECONDS = 30
DEFAULT_LISTEN = "127.0.0.1:7380"


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file says."""

    key: SigningKey
    state: Path
    host: str
    port: int
    logs: dict[str, tuple[VerifierKey, ...]]


class WitnessServer(ThreadingHTTPServer):
    """One thread per connection; the witness lets one submission in at a time."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """Reads a request, has the witness judge it, writes the answer."""

    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = "heliopolis-witness"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Answers are small and written at once: waiting for more to send would only delay them.
    disable_nagle_algorithm = True
    _only: ClassVar[str] = "this server takes POST /add-checkpoint\n"

    def do_POST(self) -> None:
        """Answer a submission."""
        body = self._read_body()
        if body is None:
            return
        if self.path != "/add-checkpoint":
            self.answer(Answer(HTTPStatus.NOT_FOUND, self._only))
            return
        self.answer(self.server.witness.add_checkpoint(body=body, now=int(time.time())))

    def do_GET(self) -> None:
        """Say what this server is for."""
        wrong_method = self.path == "/add-checkpoint"
        status = HTTPStatus.METHOD_NOT_ALLOWED if wrong_method else HTTPStatus.NOT_FOUND
        self.answer(Answer(status, self._only))

    def answer(self, answer: Answer) -> None:
        """Write an answer, and a line about it if it is a refusal."""
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self.log_message("%d: %s", answer.status, answer.body.strip())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of a request as such: refusals are logged with their reason."""

    def _read_body(self) -> bytes | None:
        """Return the request's body, or answer why it is not read."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self._refuse_unread(HTTPStatus.LENGTH_REQUIRED, "say Content-Length\n")
            return None
        if len(length) > 9 or int(length) > BODY_BYTES_MAX:
            self._refuse_unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long\n")
            return None
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            return None
        return body

    def _refuse_unread(self, status: HTTPStatus, text: str) -> None:
        # What was not read would be taken for the next request.
        self.close_connection = True
        self.answer(Answer(status, text, TEXT_TYPE))


def read_config(path: Path) -> Config:
    """Read a configuration file.

    Raises
    ------
    SetUpWrong
        If anything in it is missing, unknown or unusable.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetUpWrong(f"the configuration {path} cannot be read: {error}") from error
    unknown = sorted(table.keys() - {"key", "state", "listen", "log"})
    if unknown:
        raise SetUpWrong(f"{path}: {unknown[0]} is not a setting (key, state, listen, log are)")
    key = read_key_file(path.parent / _text(table, "key", path))
    if key.algorithm != COSIGNER:
        raise SetUpWrong(f"{path}: the key is a log's; make one with heliopolis-validator make-key")
    host, _, port = _text({"listen": DEFAULT_LISTEN, **table}, "listen", path).rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise SetUpWrong(f"{path}: listen is not host:port")
    logs = _read_logs(table.get("log"), path)
    return Config(key, path.parent / _text(table, "state", path), host, int(port), logs)


def _read_logs(entries: object, path: Path) -> dict[str, tuple[VerifierKey, ...]]:
    if not isinstance(entries, list) or not entries:
        raise SetUpWrong(f"{path}: no log is named: add a [[log]] with origin and keys")
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"origin", "keys"}:
            raise SetUpWrong(f"{path}: a [[log]] has an origin and keys, and nothing else")
        origin = _text(entry, "origin", path)
        if origin in logs:
            raise SetUpWrong(f"{path}: {origin} is named twice: put its keys into one [[log]]")
        if not isinstance(entry["keys"], list) or not entry["keys"]:
            raise SetUpWrong(f"{path}: {origin} has no keys")
        try:
            keys = tuple(VerifierKey.parse(str(text)) for text in entry["keys"])
        except BadNote as error:
            raise SetUpWrong(f"{path}: {origin}: {error}") from error
        if any(key.algorithm != LOG for key in keys):
            raise SetUpWrong(f"{path}: {origin}: a key is a cosigner's, not the log's")
        logs[origin] = keys
    return logs


def _text(table: dict[str, Any], name: str, path: Path) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise SetUpWrong(f"{path}: {name} is missing or not a text")
    return value


def serve(config: Config) -> NoReturn:
    """Serve until a signal ends the process; says on standard output where it listens."""
    store = WitnessStore(config.state)
    witness = Witness(key=config.key, logs=config.logs, store=store)
    try:
        server = WitnessServer((config.host, config.port), witness)
    except OSError as error:
        raise SetUpWrong(f"cannot listen on {config.host}:{config.port}: {error}") from error
    # A stop in the middle of a submission is no worse than a kill: state is on disk or it is not.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    host, port = server.server_address[:2]
    print(f"witness {config.key.name} listens on http://{host!s}:{port}", flush=True)
    print(f"its key: {config.key.verifier}", flush=True)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        store.close()
    raise AssertionError("serve_forever returns only when shut down")


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="heliopolis-witness", description="Cosign checkpoints of logs that only grow."
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="a TOML file")
    options = parser.parse_args(arguments)
    try:
        serve(read_config(options.config))
    except SetUpWrong as error:
        print(f"heliopolis-witness: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
