"""Evidence that a delivered chunk is not what its seller signed; anybody can judge it, offline.

An evidence file holds the seller's proof of origin with its signature, one chunk as it was fetched,
its leaf with the path to the signed root, and the package's key. It gives the key away to whoever
reads it: it goes to the hall alone, and only its hash into the log.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gate.exchange import Origin, base64_of, check_signed, is_number, is_sha256
from gate.keys import key_commitment
from gate.manifest import Chunk, Manifest, PackageBroken, canonical_json
from gate.merkle import inclusion_path, root_of_path
from gate.package import chunk_context, chunk_nonce

EVIDENCE_TYPE: Final = "heliopolis/evidence/1"
# A chunk of 1 MiB and its tag in base64, the key, a path of at most 63 hashes, one text.
EVIDENCE_BYTES_MAX: Final = 2_000_000
_NAMES: Final = frozenset(
    {"type", "origin", "origin_signature", "seller_key", "leaf", "path", "chunk", "key"}
)


class Verdict(StrEnum):
    """What a piece of evidence shows."""

    NOT_SIGNED = "not_signed"
    NOT_THE_KEY = "not_the_key"
    NOT_A_CHUNK = "not_a_chunk"
    NOT_THE_CIPHERTEXT = "not_the_ciphertext"
    GOOD = "good"
    UNDECRYPTABLE = "undecryptable"
    OTHER_CONTENT = "other_content"

    @property
    def is_sellers_fault(self) -> bool:
        """Whether the seller signed for something that the chunk is not."""
        return self in {Verdict.UNDECRYPTABLE, Verdict.OTHER_CONTENT}


@dataclass(frozen=True)
class Evidence:
    """One chunk with everything it takes to judge it.

    Attributes
    ----------
    origin_body, origin_signature, seller_key : bytes
        The proof of origin as it was signed, and by whom.
    index : int
        Which chunk.
    leaf : Chunk
        What the package's root commits to for it.
    path : tuple of bytes
        From the leaf to the root (RFC 6962).
    chunk : bytes
        The ciphertext as it was fetched.
    key : bytes
        Of the package.
    """

    origin_body: bytes
    origin_signature: bytes
    seller_key: bytes
    index: int
    leaf: Chunk
    path: tuple[bytes, ...]
    chunk: bytes
    key: bytes

    def body(self) -> bytes:
        """Return the bytes of the evidence file."""
        return canonical_json(
            {
                "chunk": base64_of(self.chunk),
                "key": self.key.hex(),
                "leaf": {
                    "bytes": self.leaf.byte_count,
                    "cipher": self.leaf.cipher_sha256,
                    "index": self.index,
                    "plain": self.leaf.plain_sha256,
                },
                "origin": self.origin_body.decode(),
                "origin_signature": base64_of(self.origin_signature),
                "path": [each.hex() for each in self.path],
                "seller_key": base64_of(self.seller_key),
                "type": EVIDENCE_TYPE,
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an evidence file from exactly its canonical bytes.

        Raises
        ------
        PackageBroken
            If it is none.
        """
        try:
            if len(body) > EVIDENCE_BYTES_MAX:
                raise ValueError("too long")
            evidence = cls._of(json.loads(body))
            is_canonical = evidence.body() == body
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable() from error
        if not is_canonical:
            raise _unreadable()
        return evidence

    @classmethod
    def _of(cls, written: dict[str, Any]) -> Self:
        leaf = written["leaf"]
        hashes = (leaf["cipher"], leaf["plain"], written["key"], *written["path"])
        if (
            written["type"] != EVIDENCE_TYPE
            or written.keys() != _NAMES
            or leaf.keys() != {"index", "bytes", "cipher", "plain"}
            or not all(map(is_sha256, hashes))
            or not (is_number(leaf["index"]) and is_number(leaf["bytes"]))
        ):
            raise ValueError("names")
        return cls(
            origin_body=written["origin"].encode(),
            origin_signature=_bytes_of(written["origin_signature"]),
            seller_key=_bytes_of(written["seller_key"]),
            index=int(leaf["index"]),
            leaf=Chunk(int(leaf["bytes"]), leaf["cipher"], leaf["plain"]),
            path=tuple(map(bytes.fromhex, written["path"])),
            chunk=_bytes_of(written["chunk"]),
            key=bytes.fromhex(written["key"]),
        )


def judge(evidence: Evidence) -> Verdict:
    """Say what a piece of evidence shows; pure, so that everybody comes to the same.

    That the proof of origin is of the contract in question, and the key the seller's, stands in the
    contract: compare ``Origin.contract`` and ``seller_key`` with it.
    """
    try:
        check_signed(
            body=evidence.origin_body,
            signature=evidence.origin_signature,
            public_key=evidence.seller_key,
        )
        origin = Origin.read(evidence.origin_body)
    except PackageBroken:
        return Verdict.NOT_SIGNED
    if origin.seller_key != base64_of(evidence.seller_key):
        return Verdict.NOT_SIGNED
    package, count = bytes.fromhex(origin.package), int(origin.chunks)
    if key_commitment(package, evidence.key) != origin.key_commitment:
        return Verdict.NOT_THE_KEY
    leaf, index = evidence.leaf, evidence.index
    try:
        root = root_of_path(index, count, leaf.leaf(index), evidence.path)
    except ValueError:
        return Verdict.NOT_A_CHUNK
    if root.hex() != origin.root:
        return Verdict.NOT_A_CHUNK
    if hashlib.sha256(evidence.chunk).hexdigest() != leaf.cipher_sha256:
        return Verdict.NOT_THE_CIPHERTEXT
    context = chunk_context(package, index, is_last=index == count - 1)
    try:
        content = AESGCM(evidence.key).decrypt(chunk_nonce(index), evidence.chunk, context)
    except (InvalidTag, ValueError):
        return Verdict.UNDECRYPTABLE
    is_it = hashlib.sha256(content).hexdigest() == leaf.plain_sha256
    return Verdict.GOOD if is_it and len(content) == leaf.byte_count else Verdict.OTHER_CONTENT


def gather(
    *, manifest: Manifest, origin: bytes, signature: bytes, index: int, chunk: bytes, key: bytes
) -> Evidence:
    """Return the evidence about one chunk of a package, whatever it shows."""
    leaves = [each.leaf(place) for place, each in enumerate(manifest.package.chunks)]
    return Evidence(
        origin_body=origin,
        origin_signature=signature,
        seller_key=base64.b64decode(Origin.read(origin).seller_key),
        index=index,
        leaf=manifest.package.chunks[index],
        path=tuple(inclusion_path(index, leaves)),
        chunk=chunk,
        key=key,
    )


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _unreadable() -> PackageBroken:
    return PackageBroken(
        "evidence_unreadable",
        "this is no evidence file: use the one that heliopolis-client writes when a chunk fails",
    )
