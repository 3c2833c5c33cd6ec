"""Signed notes, their keys and the checkpoints in them (C2SP signed-note, tlog-checkpoint).

Two kinds of Ed25519 keys: a log signs the text of a note as it stands (type 0x01), a cosigner
signs the text together with a time (type 0x04, C2SP tlog-cosignature).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from validator.errors import BadNote, SignatureFailed
from validator.merkle import HASH_BYTES

LOG = 0x01
COSIGNER = 0x04
ALGORITHMS = (LOG, COSIGNER)
KEY_ID_BYTES = 4
KEY_BYTES = 32
SIGNATURE_BYTES = 64
TIME_BYTES = 8
INTEGER_MAX = 2**63 - 1
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 64
_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name, as ``name+key id+base64(type, key)`` writes it."""

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        require_key_name(self.name)
        if self.algorithm not in ALGORITHMS or len(self.public_key) != KEY_BYTES:
            raise BadNote(f"the key of {self.name} is of a type this program does not know")

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a verifier key, and check that its id is its own."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise BadNote(f"not a verifier key (name+id+key): {text[:80]!r}")
        name, written_id, encoded = parts
        data = from_base64(encoded)
        key = cls(name, data[0] if data else -1, data[1:])
        if key.key_id.hex() != written_id:
            raise BadNote(f"the id {written_id[:20]!r} is not that of the key of {name}")
        return key

    def __str__(self) -> str:
        encoded = to_base64(bytes([self.algorithm]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @property
    def key_id(self) -> bytes:
        material = bytes([self.algorithm]) + self.public_key
        return sha256(self.name.encode() + b"\n" + material).digest()[:KEY_ID_BYTES]

    def verify(self, text: str, signature: bytes) -> int | None:
        """Check a signature over a note's text; return the time a cosigner states with it.

        Raises
        ------
        SignatureFailed
            If this key did not make it.
        """
        stamp = TIME_BYTES if self.algorithm == COSIGNER else 0
        if len(signature) != stamp + SIGNATURE_BYTES:
            raise SignatureFailed(f"{self.name}: a signature of {len(signature)} bytes")
        message, time = text.encode(), None
        if stamp:
            time = int.from_bytes(signature[:stamp])
            if time > INTEGER_MAX:
                raise SignatureFailed(f"{self.name}: a time that cannot be")
            message = _cosigned_message(text, time)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature[stamp:], message)
        except InvalidSignature as error:
            raise SignatureFailed(f"{self.name} did not sign this") from error
        return time


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under a name, as ``PRIVATE+KEY+name+key id+base64(type, seed)`` writes it."""

    name: str
    algorithm: int
    seed: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read a private key, and check that its id is its own."""
        parts = text.removeprefix(_PRIVATE).split("+", 2)
        if not text.startswith(_PRIVATE) or len(parts) != 3:
            raise BadNote("not a private key (PRIVATE+KEY+name+id+key)")
        name, written_id, encoded = parts
        data = from_base64(encoded)
        if len(data) != 1 + KEY_BYTES:
            raise BadNote(f"the private key of {name} has {len(data)} bytes")
        key = cls(name, data[0], data[1:])
        if key.verifier.key_id.hex() != written_id:
            raise BadNote(f"the id {written_id[:20]!r} is not that of the private key of {name}")
        return key

    def private_text(self) -> str:
        """Return the key as its file holds it."""
        encoded = to_base64(bytes([self.algorithm]) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    @property
    def verifier(self) -> VerifierKey:
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(self.name, self.algorithm, public.public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Sign a note's text as a log does."""
        assert self.algorithm == LOG, "a cosigner states a time as well"
        return self._signature(self._sign(text.encode()))

    def cosign(self, text: str, *, time: int) -> Signature:
        """State that at ``time`` (POSIX, in seconds) this checkpoint was the largest one seen."""
        assert self.algorithm == COSIGNER, "a log states no time"
        assert 0 <= time <= INTEGER_MAX, time
        return self._signature(
            time.to_bytes(TIME_BYTES) + self._sign(_cosigned_message(text, time))
        )

    def _sign(self, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def _signature(self, signature: bytes) -> Signature:
        return Signature(self.name, self.verifier.key_id, signature)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note, whether or not its key is known."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Read a line, without its newline."""
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise BadNote(f"not a signature line: {line[:80]!r}")
        require_key_name(parts[0])
        data = from_base64(parts[1])
        if len(data) <= KEY_ID_BYTES:
            raise BadNote(f"the signature of {parts[0]} is too short")
        return cls(parts[0], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Verified:
    """A key that did sign a note, and the time it states if it is a cosigner's."""

    key: VerifierKey
    time: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures below it."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a signed note; its signatures are claims until :meth:`verified` checks them."""
        if len(data) > NOTE_BYTES_MAX:
            raise BadNote(f"a note of {len(data)} bytes")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadNote("a note that is not UTF-8") from error
        if any(sign < " " and sign != "\n" for sign in whole):
            raise BadNote("a note with a control character")
        text, blank, below = whole.rpartition("\n\n")
        if not blank or not below.endswith("\n"):
            raise BadNote("a note without signatures, or cut off")
        lines = below[:-1].split("\n")
        if len(lines) > SIGNATURES_MAX:
            raise BadNote(f"a note with {len(lines)} signatures")
        return cls(text + "\n", tuple(Signature.parse(line) for line in lines))

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(signature) for signature in self.signatures)

    def verified(self, keys: Iterable[VerifierKey]) -> list[Verified]:
        """Return which of the given keys signed, each once; others' signatures are ignored.

        Raises
        ------
        SignatureFailed
            If a line claims to be by one of the keys and is not: such a note is refused whole.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found: dict[VerifierKey, Verified] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is not None:
                time = key.verify(self.text, signature.signature)
                found.setdefault(key, Verified(key, time))
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: how many leaves, under which root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note that is a checkpoint."""
        lines = text.split("\n")
        if lines.pop() != "" or len(lines) < 3 or not all(lines):
            raise BadNote("a checkpoint has an origin, a size and a root, each on its own line")
        origin, size, root, *extensions = lines
        checkpoint = cls(origin, read_integer(size), from_base64(root), tuple(extensions))
        if len(checkpoint.root) != HASH_BYTES:
            raise BadNote("the root of a checkpoint is not a hash")
        return checkpoint

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)


def require_key_name(name: str) -> None:
    """Refuse what cannot name a key: nothing, or anything with a space, a plus or a control."""
    if not name or "+" in name or any(sign.isspace() or sign < " " for sign in name):
        raise BadNote(f"not a key name: {name[:80]!r}")


def read_integer(text: str) -> int:
    """Read a decimal without leading zeros that fits 63 bits."""
    # Longer than any 63-bit number: refused before it is converted.
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) > INTEGER_MAX:
        raise BadNote(f"not a size: {text[:40]!r}")
    return int(text)


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Read standard base64; a second way to write the same bytes is refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote(f"not base64: {text[:80]!r}") from error
    if to_base64(data) != text:
        raise BadNote(f"base64 with stray bits: {text[:80]!r}")
    return data


def _cosigned_message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
