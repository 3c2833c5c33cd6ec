"""Our log read by four implementations that nobody here wrote; they share no code with ours.

What each of them can read:

=================  =====  ==========  ===========  ============  =======
implementation     tiles  checkpoint  cosignature  proofs        receipt
=================  =====  ==========  ===========  ============  =======
tlog-scales        yes    yes         yes          yes           its parts
proofbundle        no     yes         yes          yes           yes
metamorphic-log    no     yes         passes over  yes           its parts
pymerkle           no     no          no           yes           its proof
=================  =====  ==========  ===========  ============  =======
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import metamorphic_log
import proofbundle.checkpoint
import proofbundle.merkle
import proofbundle.tlogproof
import pymerkle
from tlog_scales import reader as scales_reader
from tlog_scales import signing as scales_signing
from tlog_scales import tlog as scales_tlog


class Refused(Exception):
    """Another implementation does not accept the log; the message says which and why."""


@dataclass(frozen=True)
class Claim:
    """What a log publishes, taken apart without our code.

    Parameters
    ----------
    entries : sequence of bytes
        All entries, in order.
    note : str
        The signed and cosigned checkpoint.
    tiles : mapping of str to bytes
        Tiles and entry bundles by their path below the prefix.
    proof_text : str
        The receipt of one entry, under the same checkpoint or an earlier one.
    log_keys, witness_keys : list of str
        Verifier keys that the policy names.
    """

    entries: Sequence[bytes]
    note: str
    tiles: Mapping[str, bytes]
    proof_text: str
    log_keys: list[str]
    witness_keys: list[str]

    @property
    def size(self) -> int:
        return int(self.note.split("\n")[1])

    @property
    def root(self) -> bytes:
        return base64.b64decode(self.note.split("\n")[2])

    @property
    def index(self) -> int:
        return int(self._head()[0].removeprefix("index "))

    @property
    def path(self) -> list[bytes]:
        return [base64.b64decode(line) for line in self._head()[1:]]

    @property
    def receipt_note(self) -> str:
        return self.proof_text.partition("\n\n")[2]

    @property
    def receipt_size(self) -> int:
        return int(self.receipt_note.split("\n")[1])

    @property
    def receipt_root(self) -> bytes:
        return base64.b64decode(self.receipt_note.split("\n")[2])

    @property
    def leaf(self) -> bytes:
        return hashlib.sha256(b"\x00" + self.entries[self.index]).digest()

    def present(self, note: str) -> list[str]:
        """Return the witnesses' keys that a note claims to be cosigned by."""
        names = {line.split(" ")[1] for line in note.split("\n") if line.startswith("\u2014 ")}
        return [key for key in self.witness_keys if key.split("+")[0] in names]

    def _head(self) -> list[str]:
        lines = self.proof_text.partition("\n\n")[0].split("\n")[1:]
        return lines[1:] if lines[0].startswith("extra ") else lines


def check_with_others(
    entries: Sequence[bytes],
    checkpoint_note: str,
    tiles: Mapping[str, bytes],
    proof_text: str,
    policy: str,
    *,
    by: Sequence[str] = ("tlog-scales", "proofbundle", "metamorphic-log", "pymerkle"),
) -> None:
    """Let the others read a log and one receipt.

    Parameters
    ----------
    entries : sequence of bytes
        All entries up to the checkpoint's size.
    checkpoint_note : str
        The signed and cosigned checkpoint.
    tiles : mapping of str to bytes
        Tiles and bundles by path, such as ``tile/0/000.p/7`` and ``tile/entries/000.p/7``.
    proof_text : str
        A receipt; its checkpoint may be an earlier one.
    policy : str
        The policy file's text.
    by : sequence of str
        Which implementations.

    Raises
    ------
    Refused
        If one of them does not accept a part that it can read.
    """
    claim = Claim(
        entries,
        checkpoint_note,
        tiles,
        proof_text,
        _keys_of(policy, "log", 1),
        _keys_of(policy, "witness", 2),
    )
    for name in by:
        try:
            _CHECKS[name](claim)
        except Exception as error:  # whatever another's code says no with
            raise Refused(f"{name}: {type(error).__name__}: {error}") from error


def _with_tlog_scales(claim: Claim) -> None:
    reader = scales_reader.TilesReader(_Published(claim))
    checkpoint = reader.get_checkpoint()
    assert len(claim.entries) == checkpoint.size == claim.size
    for note in (claim.note, claim.receipt_note):
        signed = scales_tlog.Checkpoint.from_text(note)
        for key in (_log_key(claim, signed.origin), *claim.present(note)):
            signed.verify(scales_signing.Vkey.from_string(key))
    assert reader.calculate_root_hash() == checkpoint.root_hash, "tiles give another root"
    for index, entry in enumerate(claim.entries):
        assert reader.get_entry(index) == entry, f"entry {index} is another in its bundle"
        leaf = hashlib.sha256(b"\x00" + entry).digest()
        assert reader.mth(index, index + 1) == leaf, f"entry {index} is not that of its tile"
    for index in _some(claim.size):
        leaf = hashlib.sha256(b"\x00" + claim.entries[index]).digest()
        reader.get_inclusion_proof(index, claim.size).check(leaf, checkpoint.root_hash)
    for old in _some(claim.size)[1:]:  # it proves nothing about the empty log
        proof = reader.get_consistency_proof(old, claim.size)
        proof.check(reader.mth(0, old), checkpoint.root_hash)
    ours = scales_tlog.InclusionProof(claim.index, claim.receipt_size, claim.path)
    ours.check(claim.leaf, claim.receipt_root)


def _with_proofbundle(claim: Claim) -> None:
    for note in (claim.note, claim.receipt_note):
        witnesses = claim.present(note)
        witnessed = proofbundle.checkpoint.verify_witnessed_checkpoint(
            note, _log_key(claim, note.split("\n")[0]), witnesses, threshold=len(witnesses)
        )
        assert witnessed["ok"], witnessed
    witnesses = claim.present(claim.receipt_note)
    receipt = proofbundle.tlogproof.verify_tlog_proof(
        claim.proof_text,
        claim.entries[claim.index],
        _log_key(claim, claim.receipt_note.split("\n")[0]),
        witnesses,
        threshold=len(witnesses),
    )
    assert receipt["ok"], receipt
    root = proofbundle.merkle.merkle_tree_hash(list(claim.entries))
    assert root == claim.root, "the entries give another root"


def _with_metamorphic_log(claim: Claim) -> None:
    head = metamorphic_log.checkpoint_verify(claim.note, claim.log_keys)
    assert (head.size, head.root) == (claim.size, claim.root) == (len(claim.entries), head.root)
    metamorphic_log.checkpoint_verify_inclusion(
        claim.receipt_note, claim.log_keys, claim.index, claim.leaf, claim.path
    )
    tree = scales_reader.TilesReader(_Published(claim))
    tree.set_size(claim.size)
    metamorphic_log.checkpoint_verify_consistency(
        claim.receipt_note,
        claim.note,
        claim.log_keys,
        tree.get_consistency_proof(claim.receipt_size, claim.size).node_hashes,
    )


def _with_pymerkle(claim: Claim) -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in claim.entries:
        tree.append_entry(entry)
    assert tree.get_root() == claim.root, "the entries give another root"
    theirs = tree.prove_inclusion(claim.index + 1, claim.receipt_size)
    ours = pymerkle.InclusionProof(
        "sha256", True, theirs.size, theirs.index, theirs.rule, [claim.leaf, *claim.path]
    )
    pymerkle.verify_inclusion(claim.leaf, claim.receipt_root, ours)
    growth = tree.prove_consistency(claim.receipt_size, claim.size)
    pymerkle.verify_consistency(claim.receipt_root, claim.root, growth)


_CHECKS: dict[str, Callable[[Claim], None]] = {
    "tlog-scales": _with_tlog_scales,
    "proofbundle": _with_proofbundle,
    "metamorphic-log": _with_metamorphic_log,
    "pymerkle": _with_pymerkle,
}


class _Published:
    """A log's files for tlog-scales, which asks for them by the parts of their path."""

    def __init__(self, claim: Claim) -> None:
        self._files = {**claim.tiles, "checkpoint": claim.note.encode()}

    def get(self, *path: str) -> bytes | None:
        return self._files.get("/".join(path))


def _log_key(claim: Claim, origin: str) -> str:
    """Return the key of the log with this origin, as the policy names it."""
    (key,) = [key for key in claim.log_keys if key.split("+")[0] == origin]
    return key


def _keys_of(policy: str, keyword: str, place: int) -> list[str]:
    lines = [line.split() for line in policy.split("\n")]
    return [items[place] for items in lines if items[:1] == [keyword]]


def _some(size: int) -> list[int]:
    """Return sizes or indices near the edges of tiles and of the tree, each below ``size``."""
    wanted = {0, 1, 255, 256, 257, size // 2, size // 3, size - 1}
    return sorted(n for n in wanted if 0 <= n < size)
