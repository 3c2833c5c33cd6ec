"""Signed checkpoints of a log, and the policy of who has to have signed them (C2SP formats).

Written from the C2SP texts signed-note, tlog-checkpoint, tlog-cosignature and tlog-policy.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.errors import ClientError, NotVerified

LOG, COSIGNER = 1, 4
NOBODY: Final = "none"
_DASH: Final = "\u2014 "


@dataclass(frozen=True)
class PublicKey:
    """A key under a name; a log's signs a text, a cosigner's a text and a time."""

    name: str
    kind: int
    raw: bytes

    @classmethod
    def parse(cls, text: str, *, kind: int) -> "PublicKey":
        """Read ``name+id+base64``; raises `ClientError` if it is none of this kind."""
        name, _, rest = text.partition("+")
        number, _, encoded = rest.partition("+")
        data = _base64(encoded) or b"\0"
        key = cls(name, data[0], data[1:])
        if not name or len(key.raw) != 32 or key.kind != kind or key.id.hex() != number:
            raise ClientError(f"not a key of the kind that belongs here: {text[:80]}")
        return key

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names the key beside its name."""
        material = self.name.encode() + b"\n" + bytes([self.kind]) + self.raw
        return hashlib.sha256(material).digest()[:4]

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Tell whether this key made a signature over a note's text."""
        message = text.encode()
        if self.kind == COSIGNER:
            time, signature = int.from_bytes(signature[:8]), signature[8:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """How many entries a log has, and the root over them."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Policy:
    """Whose logs count, and who of which cosigners has to have seen them."""

    logs: tuple[PublicKey, ...]
    cosigners: Mapping[str, PublicKey]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    quorum: str

    def checkpoint_of(self, note: str) -> Checkpoint:
        """Return the checkpoint in a note that a log and a quorum have signed.

        Raises
        ------
        NotVerified
            If they have not, or a signature in their name does not hold.
        """
        text, signatures = _taken_apart(note)
        checkpoint = _checkpoint(text)
        by = {(key.name, key.id): key for key in (*self.logs, *self.cosigners.values())}
        signed = set()
        for name, key_id, signature in signatures:
            key = by.get((name, key_id))
            if key is None:
                continue
            if not key.has_signed(text, signature):
                raise NotVerified(f"the signature in the name of {name} is not theirs")
            signed.add(key)
        if not any(key in signed and key.name == checkpoint.origin for key in self.logs):
            raise NotVerified("no log of the policy has signed this checkpoint")
        if not self._holds(self.quorum, signed):
            raise NotVerified("too few of the policy's cosigners have seen this checkpoint")
        return checkpoint

    def _holds(self, name: str, signed: set[PublicKey]) -> bool:
        if name == NOBODY:
            return True
        if name in self.cosigners:
            return self.cosigners[name] in signed
        least, members = self.groups[name]
        return sum(self._holds(member, signed) for member in members) >= least


def read_policy(path: Path) -> Policy:
    """Read a policy file; get it from somebody you trust, not from the hall alone.

    Raises
    ------
    ClientError
        Naming the line that is not one of a policy.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"the policy {path} cannot be read: {error}") from error
    logs: list[PublicKey] = []
    cosigners: dict[str, PublicKey] = {}
    groups: dict[str, tuple[int, tuple[str, ...]]] = {}
    quorum = ""
    for number, line in enumerate(lines, start=1):
        known = {*cosigners, *groups}
        match line.split():
            case [] | ["#", *_]:
                pass
            case [word, *_] if word.startswith("#"):
                pass
            case ["log", key, *rest] if len(rest) <= 1:
                logs.append(PublicKey.parse(key, kind=LOG))
            case ["witness", name, key, *rest] if len(rest) <= 1 and name not in known:
                cosigners[name] = PublicKey.parse(key, kind=COSIGNER)
            case ["group", name, least, *members] if name not in known and known >= {*members}:
                groups[name] = (_least(least, len(members)), tuple(members))
            case ["quorum", name] if not quorum and (name in known or name == NOBODY):
                quorum = name
            case _:
                raise ClientError(f"{path}, line {number}: not a line of a policy")
    if not logs or not quorum:
        raise ClientError(f"{path} names no log, or no quorum")
    return Policy(tuple(logs), cosigners, groups, quorum)


def _least(text: str, members: int) -> int:
    named = {"any": 1, "all": members}
    least = named.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
    if not 1 <= least <= members:
        raise ClientError(f"a group of {members} cannot need {text[:20]}")
    return least


def _taken_apart(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    text, blank, below = note.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise NotVerified("a checkpoint without signatures, or cut off")
    signatures = []
    for line in below[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        data = _base64(encoded)
        if not line.startswith(_DASH) or data is None or len(data) <= 4:
            raise NotVerified(f"not a line of a signature: {line[:80]}")
        signatures.append((name, data[:4], data[4:]))
    return text + "\n", signatures


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    root = _base64(lines[2]) if len(lines) >= 4 else None
    is_one = root is not None and len(root) == 32 and lines[1].isascii() and lines[1].isdigit()
    if not is_one or root is None:
        raise NotVerified("this is no checkpoint of a log")
    return Checkpoint(lines[0], int(lines[1]), root)


def _base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
