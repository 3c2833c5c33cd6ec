"""What others say of the log: cosignatures that attest it, objections against it."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ledger.domain import notes
from ledger.domain.merkle import SIZE_MAX
from ledger.domain.note_text import parse_decimal
from ledger.domain.notes import KeyType, Note, Signature, VerifierKey, parse_signatures
from ledger.domain.policy import NONE, Policy, Witness
from ledger.errors import LogBroken, LogMalformed, NoteRefused
from ledger.models import Checkpoint, Cosignature, Objection, OpeningsCredential

# How far a cosigner's clock may be ahead of ours: a signature from the future says nothing. [s]
AHEAD_SECONDS_MAX = 300
OBJECTION_TITLE = "heliopolis objection v1"
_CODE_CHARACTERS_MAX = 40
_EXPLANATION_CHARACTERS_MAX = 500
# How much one validator may say: an honest one objects once and then waits to be heard.
OBJECTIONS_MAX = 1000


@dataclass(frozen=True)
class ReadObjection:
    """The text of an objection, taken apart."""

    origin: str
    size: int
    leaf_index: int
    code: str


def take_cosignatures(
    *, note: Note, policy: Policy, among: Sequence[str], now: datetime
) -> list[str]:
    """Keep the cosignatures of a checkpoint and attest it once they are a quorum.

    Parameters
    ----------
    note : Note
        The checkpoint's text with cosignatures; other signatures are passed over.
    policy : Policy
        Who may cosign.
    among : sequence of str
        Names of the policy's cosigners that may speak here.
    now : datetime
        The clock.

    Returns
    -------
    list of str
        Names of those whose cosignature is kept now, whether it was before or not.

    Raises
    ------
    NoteRefused
        If the checkpoint is none that this log has signed, or nobody of ``among`` cosigned it.
    LogBroken
        If a signature does not hold.
    """
    head = notes.Checkpoint.parse(note.text)
    checkpoint = Checkpoint.objects.filter(size=head.size).first()
    if checkpoint is None or Note.parse(checkpoint.note).text != note.text:
        raise NoteRefused(f"this log has signed no such checkpoint of {head.size} entries")
    cosigners = {policy.witnesses[name].key: policy.witnesses[name] for name in among}
    times = note.verified(cosigners)
    if not times:
        raise NoteRefused("no cosigner of the policy who may speak here signed this")
    lines = _checked_lines(note.signatures, times, cosigners, now=now)
    Cosignature.objects.bulk_create(
        [
            Cosignature(
                checkpoint=checkpoint,
                name=cosigners[key].name,
                line=line,
                timestamp=times[key] or 0,
                received_at=now,
            )
            for key, line in lines.items()
        ],
        ignore_conflicts=True,
    )
    attest_checkpoint(size=head.size, policy=policy, now=now)
    return [cosigners[key].name for key in lines]


def _checked_lines(
    signatures: Sequence[Signature],
    times: Mapping[VerifierKey, int | None],
    cosigners: Mapping[VerifierKey, Witness],
    *,
    now: datetime,
) -> dict[VerifierKey, str]:
    """Return the signature lines of known keys; refuse those from the future."""
    lines = {}
    by_key = {(signature.name, signature.key_id): signature for signature in signatures}
    for key, timestamp in times.items():
        if timestamp is None or not 0 < timestamp <= now.timestamp() + AHEAD_SECONDS_MAX:
            raise LogBroken(f"{cosigners[key].name} cosigned at {timestamp}, which is no time yet")
        lines[key] = str(by_key[key.name, key.key_id])
    return lines


def attest_checkpoint(*, size: int, policy: Policy, now: datetime) -> bool:
    """Mark a checkpoint as attested when the policy's quorum has cosigned it.

    Returns
    -------
    bool
        Whether it is attested.
    """
    with transaction.atomic():
        # One at a time, so that the last of several cosignatures sees all the others.
        checkpoint = Checkpoint.objects.select_for_update(of=("self",)).get(size=size)
        if checkpoint.attested_at is not None:
            return True
        if not policy.verify(cosigned_note(checkpoint, policy)).satisfied:
            return False
        Checkpoint.objects.filter(size=size).update(attested_at=now)
    return True


def cosigned_note(checkpoint: Checkpoint, policy: Policy) -> Note:
    """Return a checkpoint with the log's signature and the cosignatures that the policy knows."""
    known = {(each.key.name, each.key.key_id) for each in policy.witnesses.values()}
    lines = Cosignature.objects.filter(checkpoint=checkpoint).order_by("name").values_list("line")
    signatures = [signature for (line,) in lines for signature in parse_signatures(line)]
    note = Note.parse(checkpoint.note)
    return note.signed_also(s for s in signatures if (s.name, s.key_id) in known)


def validator_names(policy: Policy) -> tuple[str, ...]:
    """Return who may hand in cosignatures and objections; nobody where there is no such group."""
    return policy.cosigners().validators if policy.quorum != NONE or policy.groups else ()


def take_objection(*, note: Note, policy: Policy, now: datetime) -> None:
    """Keep an objection that a validator signed.

    Raises
    ------
    NoteRefused
        If it is not about this log, no validator of the policy signed it, or who did has objected
        `OBJECTIONS_MAX` times.
    LogBroken
        If it is not in form, or its signature does not hold.
    """
    said = read_objection(note.text)
    if said.origin not in {log.key.name for log in policy.logs}:
        raise NoteRefused(f"this is not the log {said.origin!r}")
    # The key is the cosigning key; as a signer of plain notes it has another id.
    names = {
        VerifierKey(witness.key.name, KeyType.LOG, witness.key.public): witness.name
        for witness in (policy.witnesses[name] for name in validator_names(policy))
    }
    signed = note.verified(names)
    if not signed:
        raise NoteRefused("no validator of the policy signed this objection")
    signatures = {(each.name, each.key_id): each for each in note.signatures}
    for key in signed:
        if Objection.objects.filter(name=names[key]).count() >= OBJECTIONS_MAX:
            raise NoteRefused(f"{names[key]} has objected {OBJECTIONS_MAX} times")
    Objection.objects.bulk_create(
        [
            Objection(
                name=names[key],
                size=said.size,
                leaf_index=said.leaf_index,
                code=said.code,
                # Other lines of signatures say nothing, and anybody could have added them.
                note=str(Note(note.text, (signatures[key.name, key.key_id],))),
                received_at=now,
            )
            for key in signed
        ],
        ignore_conflicts=True,
    )


def read_objection(text: str) -> ReadObjection:
    """Take the text of an objection apart."""
    lines = text.split("\n")
    if len(lines) != 8 or lines[0] != OBJECTION_TITLE or lines[7] != "":
        raise LogMalformed(f"an objection has seven lines, the first is {OBJECTION_TITLE!r}")
    _title, origin, size, root, index, code, explanation, _end = lines
    notes.Checkpoint.parse(f"{origin}\n{size}\n{root}\n")
    if not code or len(code) > _CODE_CHARACTERS_MAX or not code.replace("_", "").isalnum():
        raise LogMalformed("the code of an objection is one word")
    if parse_decimal(index) > SIZE_MAX:
        raise LogMalformed("there is no such leaf")
    # It is shown on pages and in terminals: no controls, and nothing that turns the reading round.
    if len(explanation) > _EXPLANATION_CHARACTERS_MAX or not explanation.isprintable():
        raise LogMalformed(
            f"an explanation has at most {_EXPLANATION_CHARACTERS_MAX} printable characters"
        )
    return ReadObjection(origin, int(size), int(index), code)


def grant_openings(*, name: str, now: datetime) -> str:
    """Make a credential for reading openings; only its hash is kept.

    Returns
    -------
    str
        The credential, to be given to the validator over a channel that nobody listens to.
    """
    token = secrets.token_urlsafe(32)
    OpeningsCredential.objects.create(name=name, token_hash=_token_hash(token), created_at=now)
    return token


def revoke_openings(*, name: str, now: datetime) -> bool:
    """End a credential; False if there is none of this name that still counts."""
    found = OpeningsCredential.objects.filter(name=name, revoked_at__isnull=True)
    return found.update(revoked_at=now) > 0


def may_read_openings(*, token: str) -> bool:
    """Tell whether a credential counts."""
    wanted = _token_hash(token)
    known = OpeningsCredential.objects.filter(token_hash=wanted, revoked_at__isnull=True)
    found = known.values_list("token_hash", flat=True).first()
    # The look-up compares hashes of what a guesser sends, which tells nothing of the tokens.
    return found is not None and hmac.compare_digest(bytes(found), wanted)


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
