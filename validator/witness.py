"""What a witness answers to a submitted checkpoint (C2SP tlog-witness, ``add-checkpoint``).

A cosignature states: at this time, this was the largest checkpoint of the log that I saw, and it
extends every one I saw before. It says nothing about what the leaves mean.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from validator.errors import BadNote, Malformed, ProofFailed, SignatureFailed
from validator.merkle import HASH_BYTES, verify_consistency
from validator.notes import Checkpoint, Note, SigningKey, VerifierKey, from_base64, read_integer
from validator.witness_store import Held, WitnessRecord, WitnessStore

PROOF_LINES_MAX = 63
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: HTTPStatus
    body: str
    content_type: str = TEXT_TYPE


@dataclass(frozen=True, slots=True)
class Submission:
    """The body of a request."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read an old size line, proof lines, an empty line and a checkpoint."""
        head, blank, rest = body.partition(b"\n\n")
        try:
            old_line, *proof_lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise BadNote("the lines before the checkpoint are not ASCII") from error
        if not blank or not old_line.startswith("old "):
            raise BadNote("the first line is not an old size, or no empty line follows the proof")
        if len(proof_lines) > PROOF_LINES_MAX:
            raise BadNote(f"{len(proof_lines)} proof lines are more than {PROOF_LINES_MAX}")
        proof = tuple(from_base64(line) for line in proof_lines)
        if any(len(piece) != HASH_BYTES for piece in proof):
            raise BadNote("a proof line is not a hash")
        note = Note.parse(rest)
        return cls(
            read_integer(old_line.removeprefix("old ")), proof, note, Checkpoint.parse(note.text)
        )


class Witness:
    """A cosigner of checkpoints that only checks that each extends the one before.

    Parameters
    ----------
    key : SigningKey
        Its cosigner key.
    logs : mapping of str to sequence of VerifierKey
        The keys it trusts for each origin.
    store : WitnessStore
        What it must not forget.
    """

    def __init__(
        self,
        *,
        key: SigningKey,
        logs: Mapping[str, Sequence[VerifierKey]],
        store: WitnessStore,
    ) -> None:
        self._key = key
        self._logs = logs
        self._store = store

    def add_checkpoint(self, *, body: bytes, now: int) -> Answer:
        """Judge a submission; cosign it if it extends what was cosigned before.

        Parameters
        ----------
        body : bytes
            The request's body.
        now : int
            POSIX time. [s]

        Returns
        -------
        Answer
            Once a cosignature is in it, the checkpoint is on disk.
        """
        try:
            submission = Submission.parse(body)
        except Malformed as error:
            return Answer(HTTPStatus.BAD_REQUEST, f"{error}\n")
        refusal = self._refused_by_itself(submission)
        if refusal:
            return refusal
        try:
            with self._store.transaction() as record:
                answer = self._judge(record, submission, now=now)
        except sqlite3.Error as error:
            # Not on disk, so not cosigned: a full disk must not make us forget what we said.
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"the state was not written: {error}\n")
        return answer

    def _refused_by_itself(self, submission: Submission) -> Answer | None:
        """Return why a submission cannot be accepted whatever was cosigned before."""
        checkpoint = submission.checkpoint
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Answer(HTTPStatus.NOT_FOUND, "this log is not known here\n")
        try:
            signed = submission.note.verified(keys)
        except SignatureFailed as error:
            return Answer(HTTPStatus.FORBIDDEN, f"{error}\n")
        if not signed:
            return Answer(HTTPStatus.FORBIDDEN, "no key known for this log signed this\n")
        if submission.old_size > checkpoint.size:
            return Answer(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's\n")
        return None

    def _judge(self, record: WitnessRecord, submission: Submission, *, now: int) -> Answer:
        """Compare a submission with what was cosigned before, and cosign it if it extends that."""
        checkpoint, note = submission.checkpoint, submission.note
        held = record.held(checkpoint.origin)
        if checkpoint.size == held.size and checkpoint.root != held.root:
            # The log signed two roots for one size, whatever old size it names now.
            record.keep_fork(
                checkpoint.origin,
                size=checkpoint.size,
                root=checkpoint.root,
                cosigned_note=held.note,
                other_note=str(note),
                now=now,
            )
            return _conflict(held)
        if submission.old_size != held.size:
            return _conflict(held)
        try:
            verify_consistency(
                old_size=held.size,
                old_root=held.root,
                size=checkpoint.size,
                root=checkpoint.root,
                proof=submission.proof,
            )
        except ProofFailed as error:
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n")
        if now < record.last_time():
            # "The largest I had seen at that time" would be false of a time already used.
            return Answer(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the clock of this witness is behind its last cosignature\n",
            )
        record.hold(
            checkpoint.origin,
            size=checkpoint.size,
            root=checkpoint.root,
            note=str(note),
            time=now,
        )
        return Answer(HTTPStatus.OK, str(self._key.cosign(note.text, time=now)))


def _conflict(held: Held) -> Answer:
    """Name the size last cosigned; a client that submitted that very size has forked."""
    return Answer(HTTPStatus.CONFLICT, f"{held.size}\n", SIZE_TYPE)
