"""Check the log of somebody else's server over HTTP."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ledger.domain.opened_check import OpenedLog
from ledger.domain.policy import Policy
from ledger.domain.public_check import PublicBlock, PublicLog, check_public_log
from ledger.domain.snapshot import StateSnapshot, read_snapshot
from ledger.errors import LogBroken
from marketplace.domain.opened_books import OpenedBooks

_TIMEOUT_SECONDS = 30.0
# A bundle is at most 16 MiB; the openings of a large block may be more.
_ANSWER_BYTES_MAX = 256 * 1024 * 1024


@dataclass
class CheckedLog(PublicLog):
    """What was found, how many interval books were recomputed, which blocks nobody can open."""

    books: int = field(default=0)
    pruned_blocks: int = field(default=0)


def read_policy_of(url: str, file: Path | None) -> tuple[Policy, str]:
    """Return the policy to check by, and in words whose it is.

    Raises
    ------
    LogBroken
        If there is none to be had.
    """
    if file is not None:
        try:
            return Policy.parse(file.read_bytes()), f"your policy {file}"
        except OSError as error:
            raise LogBroken(f"the policy cannot be read: {error}") from error
    data = _Server(url, None).read("policy")
    if data is None:
        raise LogBroken(f"{url} publishes no policy; give yours with --policy FILE")
    return Policy.parse(data), "the server's own policy (get one from somebody you trust)"


def check_log(
    url: str,
    policy: Policy,
    *,
    credential: str | None = None,
    on_leaves: Callable[[int, int], None] | None = None,
) -> CheckedLog:
    """Check a log by what everybody can fetch, and with a credential by its openings too.

    Raises
    ------
    LogBroken
        The message names the first thing that is wrong, or that the server does not answer.
    """
    server = _Server(url, credential)
    opened = OpenedLog()
    books = OpenedBooks(lambda key: server.read(f"openings/documents/{_quoted(key)}"))
    snapshot = None if credential is None else _read_snapshot(server, books)
    pruned = snapshot.block if snapshot else 0

    def on_block(block: PublicBlock) -> None:
        if block.number <= pruned:
            opened.pass_over(block)
            if snapshot is not None and block.number == pruned:
                opened.start_from(snapshot, block)
        elif credential is not None:
            _open_block(server, block, opened, books)
        if on_leaves is not None:
            on_leaves(block.first_leaf + len(block.entries), 0)

    found = check_public_log(read=server.read, policy=policy, on_block=on_block)
    return CheckedLog(**vars(found), books=books.checked, pruned_blocks=pruned)


def _read_snapshot(server: "_Server", books: OpenedBooks) -> StateSnapshot | None:
    data = server.read("openings/snapshot")
    if data is None:
        return None
    snapshot = read_snapshot(data)
    if fault := books.know(snapshot.earlier.documents):
        raise LogBroken(f"the snapshot after block {snapshot.block}: {fault.what}")
    return snapshot


def _open_block(
    server: "_Server", block: PublicBlock, opened: OpenedLog, books: OpenedBooks
) -> None:
    lines = server.read(f"openings/{block.number}")
    if lines is None:
        raise LogBroken(f"the server has no openings of block {block.number}")
    for answer in opened.check(block, lines.splitlines()):
        if fault := books.check(answer):
            raise LogBroken(f"block {block.number}: {fault.what}")


def _quoted(key: str) -> str:
    return urllib.parse.quote(key, safe="")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A credential is for the server that it was made by, and for no other that it names."""

    def redirect_request(self, *_: object) -> None:
        return None


class _Server:
    """Files of a log by their paths; of a server that may be anybody's, so nothing is unbounded."""

    def __init__(self, url: str, credential: str | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise LogBroken(f"{url} is no address of a log: begin it with https://")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        self._open_public = urllib.request.build_opener().open
        self._open_closed = urllib.request.build_opener(_NoRedirect).open

    def read(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        is_closed = path.startswith("openings/")
        headers = self._headers if is_closed else {}
        opened = self._open_closed if is_closed else self._open_public
        request = urllib.request.Request(f"{self._url}/{path}", headers=headers)  # noqa: S310 - http(s) only, see above
        try:
            with opened(request, timeout=_TIMEOUT_SECONDS) as answer:
                data: bytes = answer.read(_ANSWER_BYTES_MAX + 1)
                missing = answer.length
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise LogBroken(f"{self._url}/{path}: the server answers {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise LogBroken(f"{self._url}/{path}: {error!r}") from error
        if len(data) > _ANSWER_BYTES_MAX:
            raise LogBroken(f"{self._url}/{path} has more than {_ANSWER_BYTES_MAX} bytes")
        if missing:
            raise LogBroken(f"{self._url}/{path} was cut off")
        return data
