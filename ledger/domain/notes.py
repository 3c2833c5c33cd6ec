"""Signed notes, their keys, and the checkpoints and cosignatures written as such.

The forms of C2SP signed-note, tlog-checkpoint and tlog-cosignature with Ed25519. A log signs the
text as it stands; a cosigner signs it behind a line with the time, so that neither signature can
be taken for the other. What is read must be exactly what would have been written.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.domain.merkle import HASH_BYTES, SIZE_MAX
from ledger.domain.note_text import (
    check_line,
    check_name,
    check_text,
    decode,
    from_base64,
    parse_decimal,
    to_base64,
)
from ledger.errors import LogBroken, LogMalformed

SIGNATURES_MAX = 64
TIMESTAMP_MAX = 2**63 - 1

_KEY_BYTES = 32
_DASH = "\N{EM DASH}"
_PRIVATE = "PRIVATE+KEY+"


class KeyType(IntEnum):
    """What a key signs; the byte that goes into its id."""

    LOG = 1  # the text itself
    COSIGNER = 4  # the text behind a header and the time of signing


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name and what it signs; written ``name+id+base64(type, key)``.

    Parameters
    ----------
    name : str
        Name of the signer, by custom a URL without scheme. No white space, no ``+``.
    kind : KeyType
        What the key signs.
    public : bytes
        Ed25519 public key, 32 bytes.
    """

    name: str
    kind: KeyType
    public: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != _KEY_BYTES:
            raise LogMalformed(f"an Ed25519 key has {_KEY_BYTES} bytes")
        object.__setattr__(self, "key_id", _key_id(self.name, self.kind, self.public))

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a key back from its text; its id must be the one that its parts give."""
        name, key_id, material = _key_parts(text)
        key = cls(name, _kind_of(material), material[1:])
        if key.key_id.hex() != key_id:
            raise LogMalformed(f"the id of key {name!r} is not that of its name and bytes")
        return key

    def __str__(self) -> str:
        material = bytes([self.kind]) + self.public
        return f"{self.name}+{self.key_id.hex()}+{to_base64(material)}"

    def verify(self, text: str, signature: "Signature") -> int | None:
        """Check one signature under a note's text.

        Parameters
        ----------
        text : str
            The note's text, with its last newline.
        signature : Signature
            A signature with this key's name and id.

        Returns
        -------
        int or None
            When it was made, by the cosigner's clock [s since 1970]; None for a log's signature.

        Raises
        ------
        LogBroken
            If the signature is not this key's over this text.
        """
        if (signature.name, signature.key_id) != (self.name, self.key_id):
            raise LogBroken(f"the signature of {signature.name!r} is not by key {self}")
        timestamp, proof = None, signature.blob
        message = text.encode()
        if self.kind == KeyType.COSIGNER:
            timestamp, proof = int.from_bytes(proof[:8], "big"), proof[8:]
            if timestamp > TIMESTAMP_MAX:
                raise LogBroken(f"the cosignature of {self.name!r} has an impossible time")
            message = _cosigned(text, timestamp)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(proof, message)
        except (InvalidSignature, ValueError) as error:
            raise LogBroken(f"the signature of {self.name!r} does not hold") from error
        return timestamp


@dataclass(frozen=True)
class Signer:
    """A private key with its name and what it signs.

    Parameters
    ----------
    name : str
        Name of the signer.
    kind : KeyType
        What the key signs.
    private : Ed25519PrivateKey
        The key; never shown by ``repr``.
    """

    name: str
    kind: KeyType
    private: Ed25519PrivateKey = field(repr=False, compare=False)
    key: VerifierKey = field(init=False)

    def __post_init__(self) -> None:
        public = self.private.public_key().public_bytes_raw()
        object.__setattr__(self, "key", VerifierKey(self.name, self.kind, public))

    @classmethod
    def generate(cls, name: str, kind: KeyType) -> "Signer":
        """Make a new key from the system's randomness."""
        return cls(name, kind, Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, name: str, kind: KeyType, seed: bytes) -> "Signer":
        """Make the key that belongs to 32 secret bytes."""
        if len(seed) != _KEY_BYTES:
            raise LogMalformed(f"the seed of an Ed25519 key has {_KEY_BYTES} bytes")
        return cls(name, kind, Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read a key back from ``secret_text``; the message of an error never shows it."""
        if not text.startswith(_PRIVATE):
            raise LogMalformed("a private key begins with PRIVATE+KEY+")
        name, key_id, material = _key_parts(text.removeprefix(_PRIVATE))
        signer = cls.from_seed(name, _kind_of(material), material[1:])
        if signer.key.key_id.hex() != key_id:
            raise LogMalformed(f"the id of private key {name!r} is not that of its name and bytes")
        return signer

    def secret_text(self) -> str:
        """Return the private key as one line of text, for a file that only its owner reads."""
        material = bytes([self.kind]) + self.private.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.key.key_id.hex()}+{to_base64(material)}"


@dataclass(frozen=True)
class Signature:
    """One signature line of a note.

    Parameters
    ----------
    name : str
        Name of the key.
    key_id : bytes
        First four bytes of a hash over name, type and key; tells keys of one name apart.
    blob : bytes
        The signature; what it consists of depends on the type of the key.
    """

    name: str
    key_id: bytes
    blob: bytes

    def __str__(self) -> str:
        return f"{_DASH} {self.name} {to_base64(self.key_id + self.blob)}\n"


@dataclass(frozen=True)
class Note:
    """A text with signatures, none of them checked yet.

    Parameters
    ----------
    text : str
        What is signed, ending in a newline.
    signatures : tuple of Signature
        In the order of their lines.
    """

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> "Note":
        """Read a signed note; anything that is not exactly one is refused."""
        note = decode(data)
        text, blank, lines = note.rpartition("\n\n")
        if not blank:
            raise LogMalformed("a signed note has an empty line before its signatures")
        return cls(text + "\n", parse_signatures(lines))

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def signed_also(self, signatures: Iterable[Signature]) -> "Note":
        """Return the note with more signatures behind those it has; none is kept twice."""
        known = {(s.name, s.key_id) for s in self.signatures}
        added = []
        for signature in signatures:
            if (signature.name, signature.key_id) not in known:
                known.add((signature.name, signature.key_id))
                added.append(signature)
        return Note(self.text, (*self.signatures, *added))

    def verified(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
        """Check the signatures of known keys; those of unknown keys are passed over.

        Parameters
        ----------
        keys : iterable of VerifierKey
            The keys one trusts.

        Returns
        -------
        dict of VerifierKey to int or None
            The keys that signed, in the order of their lines, each with the time of its
            cosignature [s since 1970], None for a log's signature.

        Raises
        ------
        LogBroken
            If a known key's signature does not hold: then nothing in the note is to be believed.
        """
        known = {(key.name, key.key_id): key for key in keys}
        signed: dict[VerifierKey, int | None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is not None:
                signed.setdefault(key, key.verify(self.text, signature))
        return signed


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log that a note states.

    Parameters
    ----------
    origin : str
        Name of the log.
    size : int
        Number of leaves.
    root : bytes
        Root of the tree, 32 bytes.
    extensions : tuple of str
        Further lines, of no meaning here; ours have none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise LogMalformed(f"a log cannot have {self.size} leaves")
        if len(self.root) != HASH_BYTES:
            raise LogMalformed(f"a root has {HASH_BYTES} bytes")
        for line in (self.origin, *self.extensions):
            check_line(line)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text as a checkpoint; to trust it, verify the note."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise LogMalformed("a checkpoint has three lines: origin, size, root")
        origin, size, root, *extensions = lines
        return cls(origin, parse_decimal(size), from_base64(root), tuple(extensions))

    def text(self) -> str:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def sign_note(text: str, signer: Signer) -> Signature:
    """Sign a text as a log does.

    Parameters
    ----------
    text : str
        The note's text, ending in a newline.
    signer : Signer
        A key of type ``LOG``.
    """
    if signer.kind != KeyType.LOG:
        raise LogBroken(f"{signer.name!r} is not a log's key")
    check_text(text)
    return Signature(signer.name, signer.key.key_id, signer.private.sign(text.encode()))


def cosign(checkpoint_text: str, signer: Signer, *, timestamp: int) -> Signature:
    """Sign a checkpoint as a witness or validator does.

    Parameters
    ----------
    checkpoint_text : str
        The checkpoint's text, without signatures.
    signer : Signer
        A key of type ``COSIGNER``.
    timestamp : int
        The time of signing. [s since 1970]
    """
    if signer.kind != KeyType.COSIGNER:
        raise LogBroken(f"{signer.name!r} is not a cosigner's key")
    if not 0 <= timestamp <= TIMESTAMP_MAX:
        raise LogMalformed(f"{timestamp} is not a time of signing")
    Checkpoint.parse(checkpoint_text)
    proof = signer.private.sign(_cosigned(checkpoint_text, timestamp))
    return Signature(signer.name, signer.key.key_id, timestamp.to_bytes(8, "big") + proof)


def parse_signatures(data: bytes | str) -> tuple[Signature, ...]:
    """Read signature lines alone, as a witness answers them: at least one, each with a newline."""
    lines = decode(data).split("\n")
    if lines.pop() != "" or not lines:
        raise LogMalformed("a signature is a line that ends with a newline")
    if len(lines) > SIGNATURES_MAX:
        raise LogMalformed(f"a note has at most {SIGNATURES_MAX} signatures")
    return tuple(_parse_signature(line) for line in lines)


def _parse_signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    blob = from_base64(encoded)
    if dash != _DASH or len(blob) <= 4:
        raise LogMalformed("a signature line has a dash, a name, and an id with a signature")
    check_name(name)
    return Signature(name, blob[:4], blob[4:])


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _key_id(name: str, kind: KeyType, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def _key_parts(text: str) -> tuple[str, str, bytes]:
    parts = text.split("+", 2)  # base64 may hold a "+" too
    if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise LogMalformed("a key is written name+id+base64, the id as eight hex digits")
    material = from_base64(parts[2])
    if len(material) != 1 + _KEY_BYTES:
        raise LogMalformed(f"key {parts[0]!r} is not an Ed25519 key")
    return parts[0], parts[1], material


def _kind_of(material: bytes) -> KeyType:
    try:
        return KeyType(material[0])
    except ValueError as error:
        raise LogMalformed(f"keys of type {material[0]:#04x} are not known here") from error
