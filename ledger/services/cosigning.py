"""Ask witnesses for their cosignature: C2SP tlog-witness, ``add-checkpoint``, as its client.

Each witness is asked from a thread of its own, which touches files and the network but no
database: what it hears goes through a queue. Nothing ever waits for a slow or dead witness.
"""

import http.client
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from queue import SimpleQueue

from ledger.domain.merkle import consistency_proof, root_of
from ledger.domain.note_text import parse_decimal, to_base64
from ledger.domain.notes import Note, parse_signatures
from ledger.domain.policy import Witness
from ledger.domain.tiles import TileReader
from ledger.errors import HeadBroken, LogBroken
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import Signed

TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"
# How often one submission may be told another size before we call the witness confused.
_TRIES = 3
_BACK_OFF_SECONDS = (0.5, 5.0)


class WitnessRefused(Exception):
    """A witness answered something that makes no cosignature; the message says what."""


@dataclass(frozen=True)
class Heard:
    """What became of one submission.

    Parameters
    ----------
    witness : str
        Name in the policy.
    size : int
        Of the checkpoint that was submitted.
    note : Note or None
        The checkpoint with what the witness answered, unverified; None when it did not cosign.
    problem : str
        Why not.
    is_fork : bool
        The witness saw another past than ours.
    """

    witness: str
    size: int
    note: Note | None = None
    problem: str = ""
    is_fork: bool = False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A lying witness must not choose what this host asks for inside its own network."""

    def redirect_request(self, *_: object) -> None:
        return None


class WitnessClient:
    """Submits checkpoints to one witness and remembers how far that witness has seen.

    Parameters
    ----------
    witness : Witness
        With its URL, the submission prefix.
    folder : LogFolder
        Where proofs are read from.
    timeout_seconds : float
        For each request. [s]
    """

    def __init__(
        self, *, witness: Witness, folder: LogFolder, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        assert witness.url is not None, witness.name
        self.witness, self.folder, self.timeout_seconds = witness, folder, timeout_seconds
        self.url = f"{witness.url.rstrip('/')}/add-checkpoint"
        self._seen_size: int | None = None
        # Never through a proxy, and never elsewhere: the policy says where the witness is.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)

    def submit(self, signed: Signed) -> Note:
        """Return the checkpoint with the witness's signature lines, which nobody has verified yet.

        Raises
        ------
        HeadBroken
            If the witness has seen another past than the one we hold.
        WitnessRefused
            If it answers anything else that is no cosignature.
        OSError
            If it cannot be reached.
        """
        old_size = signed.size if self._seen_size is None else min(self._seen_size, signed.size)
        for _ in range(_TRIES):
            status, content_type, body = self._post(self._request(old_size, signed))
            if status == HTTPStatus.OK:
                self._seen_size = signed.size
                return Note(Note.parse(signed.note).text, parse_signatures(body))
            if status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise HeadBroken(
                    f"witness {self.witness.name} holds a log of {old_size} entries that ours"
                    " does not extend"
                )
            if status != HTTPStatus.CONFLICT or content_type != SIZE_TYPE:
                raise WitnessRefused(_refusal(status))
            seen = _size(body)
            if seen > signed.size:
                raise HeadBroken(
                    f"witness {self.witness.name} has cosigned {seen} entries, this database has"
                    f" signed {signed.size}: an old copy of the database?"
                )
            if seen == old_size == signed.size:
                raise HeadBroken(
                    f"witness {self.witness.name} has cosigned another log of {seen} entries"
                )
            old_size = self._seen_size = seen
        raise WitnessRefused("it names another size each time it is asked")

    def _request(self, old_size: int, signed: Signed) -> bytes:
        proof: list[bytes] = []
        if signed.size:
            reader = TileReader(self.folder.read_hashes, signed.size)
            if root_of(signed.size, reader) != signed.root:
                # A torn tile must not be taken for a fork.
                raise LogBroken(f"the tiles do not lead to the root of {signed.size} entries")
            proof = consistency_proof(old_size, signed.size, reader)
        lines = [f"old {old_size}", *(to_base64(piece) for piece in proof)]
        return ("\n".join(lines) + f"\n\n{signed.note}").encode()

    def _post(self, body: bytes) -> tuple[int, str, bytes]:
        request = urllib.request.Request(  # noqa: S310 - the policy names http or https
            self.url, data=body, headers={"Content-Type": "text/plain; charset=utf-8"}
        )
        try:
            with self._opener.open(request, timeout=self.timeout_seconds) as answer:
                kind = answer.headers.get_content_type()
                return answer.status, kind, answer.read(ANSWER_BYTES_MAX)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), error.read(ANSWER_BYTES_MAX)


class WitnessThread(threading.Thread):
    """Submits the newest checkpoint to one witness, again and again until it answers.

    Parameters
    ----------
    client : WitnessClient
        Whom to ask.
    heard : SimpleQueue of Heard
        Where answers go.
    """

    def __init__(self, *, client: WitnessClient, heard: "SimpleQueue[Heard]") -> None:
        super().__init__(name=f"witness {client.witness.name}", daemon=True)
        self._client, self._heard = client, heard
        self._wanted: Signed | None = None
        self._ended = False
        self._changed = threading.Condition()

    def ask_for(self, signed: Signed) -> None:
        """Let this be the checkpoint to submit, in place of any that waits."""
        with self._changed:
            self._wanted = signed
            self._changed.notify()

    def end(self) -> None:
        """Submit nothing more; a request under way comes to nothing."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def run(self) -> None:
        """Submit what is wanted until the end."""
        back_off, most = _BACK_OFF_SECONDS
        while (signed := self._next()) is not None:
            heard = self._submit(signed)
            self._heard.put(heard)
            if heard.note is not None:
                back_off = _BACK_OFF_SECONDS[0]
                continue
            with self._changed:
                if self._wanted is None:
                    self._wanted = signed
                if not self._ended:
                    self._changed.wait_for(lambda: self._ended, back_off)
            back_off = min(2 * back_off, most)

    def _next(self) -> Signed | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._wanted is not None)
            signed, self._wanted = self._wanted, None
            return None if self._ended else signed

    def _submit(self, signed: Signed) -> Heard:
        name = self._client.witness.name
        try:
            return Heard(name, signed.size, note=self._client.submit(signed))
        except HeadBroken as error:
            return Heard(name, signed.size, problem=str(error), is_fork=True)
        except (WitnessRefused, LogBroken) as error:
            return Heard(name, signed.size, problem=str(error))
        except (OSError, ValueError, http.client.HTTPException) as error:
            # ValueError: a URL that is none.
            return Heard(name, signed.size, problem=f"not reached: {error}")


def _size(body: bytes) -> int:
    try:
        return parse_decimal(body.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, LogBroken) as error:
        raise WitnessRefused("it answers 409 without the size it has seen") from error


def _refusal(status: int) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return "it does not know this log (404): give its operator our policy"
        case HTTPStatus.FORBIDDEN:
            return "it does not know this log's key (403): give its operator our policy"
        case _:
            return f"it answers {status}"
