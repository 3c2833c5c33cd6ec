"""Whom a validator listens to: the trust policy of C2SP tlog-policy, as far as it needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from validator.errors import BadNote, SetUpWrong
from validator.notes import COSIGNER, LOG, VerifierKey


@dataclass(frozen=True, slots=True)
class Policy:
    """Keys of the log, and of those who cosign it."""

    logs: tuple[VerifierKey, ...]
    cosigners: tuple[VerifierKey, ...]


def read_policy(path: Path) -> Policy:
    """Read a policy file, whose quorum is not a cosigner's business.

    Raises
    ------
    SetUpWrong
        If it cannot be read, names no log, or has a line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpWrong(f"the policy {path} cannot be read: {error}") from error
    logs, cosigners = [], []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            match words:
                case ["log", key, *_]:
                    logs.append(_key(key, LOG))
                case ["witness", _, key, *_]:
                    cosigners.append(_key(key, COSIGNER))
                case ["group", _, _, _, *_] | ["quorum", _]:
                    pass
                case _:
                    raise BadNote("neither log, witness, group nor quorum")
        except BadNote as error:
            raise SetUpWrong(f"{path}, line {number}: {error}") from error
    if not logs:
        raise SetUpWrong(f"{path} names no log")
    return Policy(tuple(logs), tuple(cosigners))


def _key(text: str, algorithm: int) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.algorithm != algorithm:
        raise BadNote(f"the key of {key.name} is of another type")
    return key
