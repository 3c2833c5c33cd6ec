"""Receipts: the text of C2SP tlog-proof, which shows an entry to be in a log without asking it."""

from dataclasses import dataclass

from ledger.domain.merkle import (
    HASH_BYTES,
    PROOF_HASHES_MAX,
    SIZE_MAX,
    leaf_hash,
    verify_inclusion,
)
from ledger.domain.note_text import decode, from_base64, parse_decimal, to_base64
from ledger.domain.notes import Checkpoint, Note
from ledger.domain.policy import Policy, Verdict
from ledger.errors import LogBroken, LogMalformed

HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class LogProof:
    """The proof that one entry stands in a log.

    Parameters
    ----------
    index : int
        Place of the entry.
    hashes : tuple of bytes
        Neighbours from the leaf up to the root.
    checkpoint : Note
        The signed and cosigned checkpoint that the hashes lead to.
    extra : bytes or None
        What else the reader needs; signed by nobody, so never to be believed as it stands.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index <= SIZE_MAX:
            raise LogMalformed(f"a log has no entry {self.index}")
        if self.extra == b"":
            raise LogMalformed("a proof without extra data has no line for it")
        if len(self.hashes) > PROOF_HASHES_MAX:
            raise LogMalformed(f"a proof has at most {PROOF_HASHES_MAX} hashes")
        if any(len(h) != HASH_BYTES for h in self.hashes):
            raise LogMalformed(f"the hashes of a proof have {HASH_BYTES} bytes")
        Checkpoint.parse(self.checkpoint.text)

    @classmethod
    def parse(cls, data: bytes | str) -> "LogProof":
        """Read a proof; anything but the one way to write it is refused."""
        text = decode(data)
        head, blank, note = text.partition("\n\n")
        if not blank:
            raise LogMalformed("a proof has an empty line before its checkpoint")
        first, *lines = head.split("\n")
        if first != HEADER:
            raise LogMalformed(f"a proof begins with {HEADER}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            raise LogMalformed("a proof names the index of its entry")
        index = parse_decimal(lines.pop(0).removeprefix("index "))
        return cls(index, tuple(map(from_base64, lines)), Note.parse(note), extra)

    def __str__(self) -> str:
        head = [HEADER]
        if self.extra is not None:
            head.append(f"extra {to_base64(self.extra)}")
        head += [f"index {self.index}", *map(to_base64, self.hashes)]
        return "\n".join(head) + f"\n\n{self.checkpoint}"


def verify(proof: LogProof, entry: bytes, policy: Policy) -> Verdict:
    """Check offline that an entry is in the log, as the policy's signers saw it.

    Parameters
    ----------
    proof : LogProof
        The receipt.
    entry : bytes
        The bytes of the leaf, from elsewhere: the receipt does not hold them.
    policy : Policy
        Whom the reader trusts.

    Returns
    -------
    Verdict
        Who signed; always satisfied.

    Raises
    ------
    LogBroken
        If a signature does not hold, the quorum has not signed, or the entry is not in the tree.
    """
    verdict = policy.verify(proof.checkpoint)
    if not verdict.satisfied:
        names = ", ".join(sorted(verdict.cosigned)) or "nobody"
        raise LogBroken(f"the checkpoint lacks a quorum: it was cosigned by {names}")
    checkpoint = Checkpoint.parse(proof.checkpoint.text)
    verify_inclusion(
        leaf_hash=leaf_hash(entry),
        index=proof.index,
        size=checkpoint.size,
        root=checkpoint.root,
        proof=proof.hashes,
    )
    return verdict
