"""The log's private key and the policy, as the settings say where they are."""

import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from config.embedded.process import write_private
from ledger.domain.notes import KeyType, Signer
from ledger.domain.policy import Policy
from ledger.errors import LogMalformed


class KeyMissing(Exception):
    """A file that the log cannot be published without is not there, or says nothing usable."""


def make_signer() -> Signer:
    """Return the log's key, made at the first call with the origin of the settings as its name."""
    path: Path = settings.LOG_KEY_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        write_private(made, Signer.generate(settings.LOG_ORIGIN, KeyType.LOG).secret_text() + "\n")
        try:
            # Never over another's: a log that has signed once ends with its key.
            with suppress(FileExistsError):
                path.hardlink_to(made)
        finally:
            made.unlink()
    return read_signer()


def read_signer() -> Signer:
    """Return the log's key.

    Raises
    ------
    KeyMissing
        If there is none, or others can read it.
    """
    path: Path = settings.LOG_KEY_FILE
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(
            f"the log's key {path} cannot be read ({error}); manage.py log_keys makes one"
        ) from error
    if mode & 0o077:
        raise KeyMissing(f"others can read the log's key: chmod 600 {path}")
    try:
        signer = Signer.parse(text)
    except LogMalformed as error:
        raise KeyMissing(f"{path} holds no key: {error}") from error
    if signer.kind != KeyType.LOG:
        raise KeyMissing(f"{path} holds a cosigner's key, not a log's")
    return signer


def read_policy() -> Policy:
    """Return the policy in force, the same object until its file changes.

    Without a file everything that the log has signed counts as attested, by the log alone.
    """
    path: Path = settings.LOG_POLICY_FILE
    try:
        stat = path.stat()
    except FileNotFoundError:
        return _of_the_log_alone(str(read_signer().key))
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


def policy_text() -> bytes:
    """Return the policy as it is given to others."""
    path: Path = settings.LOG_POLICY_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return _alone_text(str(read_signer().key)).encode()


def is_attested_by_the_log_alone() -> bool:
    """Tell whether "attested" says no more than that the log signed."""
    return read_policy().is_quorum(frozenset())


@lru_cache(maxsize=2)
def _parsed(path: Path, changed_ns: int, size: int) -> Policy:
    policy = Policy.parse(path.read_bytes())
    if policy.witnesses:
        policy.cosigners()  # one key, one statement: refused here rather than at the first use
    return policy


@lru_cache(maxsize=2)
def _of_the_log_alone(key: str) -> Policy:
    return Policy.parse(_alone_text(key))


def _alone_text(key: str) -> str:
    why = "# No witness and no validator: whoever trusts this trusts the log."
    return f"{why}\nlog {key}\nquorum none\n"
