"""Whom a validator listens to: the trust policy of C2SP tlog-policy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from validator.errors import BadNote, SetUpWrong, SignatureFailed
from validator.notes import COSIGNER, LOG, Checkpoint, Note, VerifierKey

NOBODY = "none"


@dataclass(slots=True)
class Policy:
    """Keys of the log and of those who cosign it, and how many of them it takes.

    ``groups`` maps a name to how many of which other names it takes.
    """

    logs: list[VerifierKey] = field(default_factory=list)
    cosigners: dict[str, VerifierKey] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str = ""

    def checkpoint_of(self, note: Note) -> Checkpoint:
        """Return the checkpoint in a note that a log of this policy has signed.

        Raises
        ------
        BadNote, SignatureFailed
            If none did. Nobody can be accused of what nobody has signed.
        """
        checkpoint = Checkpoint.parse(note.text)
        if any(one.key.name == checkpoint.origin for one in note.verified(self.logs)):
            return checkpoint
        raise SignatureFailed(f"no log of the policy has signed this one of {checkpoint.origin}")

    def is_attested(self, note: Note) -> bool:
        """Tell whether the quorum has cosigned a note."""
        signed = {one.key for one in note.verified(self.cosigners.values())}
        return self.quorum == NOBODY or self._holds(self.quorum, signed)

    def _holds(self, name: str, signed: Collection[VerifierKey]) -> bool:
        if name in self.cosigners:
            return self.cosigners[name] in signed
        least, members = self.groups[name]
        return sum(self._holds(member, signed) for member in members) >= least

    def read_line(self, words: list[str]) -> None:
        """Take in one line; it may name only what lines before it have defined."""
        match words:
            case ["log", key] | ["log", key, _]:
                self.logs.append(_key(key, LOG))
            case ["witness", name, key] | ["witness", name, key, _] if self._is_new(name):
                self.cosigners[name] = _key(key, COSIGNER)
            case ["group", name, least, *members] if members and self._is_new(name):
                if not all(member in self.cosigners or member in self.groups for member in members):
                    raise BadNote("a group names what is not defined above it")
                self.groups[name] = (_least(least, len(members)), members)
            case ["quorum", name] if not self.quorum:
                if name != NOBODY and self._is_new(name):
                    raise BadNote(f"the quorum {name} is not defined above it")
                self.quorum = name
            case _:
                raise BadNote("neither log, witness, group nor quorum, or one of them twice")

    def _is_new(self, name: str) -> bool:
        return name not in self.cosigners and name not in self.groups and name != NOBODY


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises
    ------
    SetUpWrong
        If it cannot be read, names no log or no quorum, or has a line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpWrong(f"the policy {path} cannot be read: {error}") from error
    policy = Policy()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            policy.read_line(words)
        except BadNote as error:
            raise SetUpWrong(f"{path}, line {number}: {error}") from error
    if not policy.logs or not policy.quorum:
        raise SetUpWrong(f"{path} names no log, or no quorum")
    return policy


def _least(text: str, members: int) -> int:
    named = {"all": members, "any": 1}
    least = named.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
    if not 1 <= least <= members:
        raise BadNote(f"{text[:20]} of {members} members")
    return least


def _key(text: str, algorithm: int) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.algorithm != algorithm:
        raise BadNote(f"the key of {key.name} is of another type")
    return key
