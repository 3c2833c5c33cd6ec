"""How a validator is set up: one folder, one TOML file, paths relative to it."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from validator.errors import SetUpWrong
from validator.keys import make_key_file, read_key_file
from validator.notes import COSIGNER, SigningKey
from validator.policy import Policy, read_policy

CONFIG_NAME = "validator.toml"
KEY_NAME = "validator.key"
POLICY_NAME = "policy.txt"
CREDENTIAL_NAME = "credential"
POLL_SECONDS = 1.0
_TEXTS = ("log", "key", "policy", "state")
_SETTINGS = {*_TEXTS, "credential", "poll_seconds"}


@dataclass(frozen=True, slots=True)
class Config:
    """Where the log is, whose it is, who we are, and where our state lies."""

    log: str
    key: SigningKey
    policy: Policy
    state: Path
    credential: str
    poll_seconds: float


def read_config(path: Path) -> Config:
    """Read a configuration and the files that it names.

    Raises
    ------
    SetUpWrong
        If anything is missing, unknown or unusable; the message says what to do.
    """
    table = read_table(path)
    folder = path.parent
    key = read_key_file(folder / table["key"])
    if key.algorithm != COSIGNER:
        raise SetUpWrong(f"{path}: the key is a log's; make one with heliopolis-validator make-key")
    return Config(
        log=table["log"],
        key=key,
        policy=read_policy(folder / table["policy"]),
        state=folder / table["state"],
        credential=_read_credential(folder / table["credential"]),
        poll_seconds=float(table["poll_seconds"]),
    )


def read_table(path: Path) -> dict[str, str]:
    """Read a configuration's settings as texts, and no other file.

    Raises
    ------
    SetUpWrong
        If anything is missing, unknown or unusable.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetUpWrong(f"the configuration {path} cannot be read: {error}") from error
    unknown = sorted(table.keys() - _SETTINGS)
    if unknown:
        raise SetUpWrong(f"{path}: {unknown[0]} is no setting ({', '.join(sorted(_SETTINGS))} are)")
    settings: dict[str, str] = {"credential": CREDENTIAL_NAME}
    for name in (*_TEXTS, "credential"):
        value = table.get(name, settings.get(name))
        if not isinstance(value, str) or not value:
            raise SetUpWrong(f"{path}: {name} is missing or not a text")
        settings[name] = value
    poll = table.get("poll_seconds", POLL_SECONDS)
    if not isinstance(poll, int | float) or isinstance(poll, bool) or not 0 < poll <= 3600:
        raise SetUpWrong(f"{path}: poll_seconds is not a number of seconds")
    settings["poll_seconds"] = str(poll)
    return settings


def _read_credential(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpWrong(
            f"the credential {path} cannot be read ({error}): the hall's operator gives you one"
        ) from error
    if not text or not text.isprintable() or " " in text:
        raise SetUpWrong(f"{path} holds no credential: one line, as the hall's operator gave it")
    return text


def make_folder(
    folder: Path,
    *,
    log: str,
    name: str,
    policy: Path | None = None,
    credential: Path | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> SigningKey:
    """Make a validator's folder, with a key of its own and a configuration.

    Parameters
    ----------
    folder : Path
        Where; made if it is not there.
    log : str
        Address of the log.
    name : str
        The validator's name, such as ``city.example/v1``.
    policy, credential : Path or None
        Files that are somewhere else; by default they are to be put into the folder.
    poll_seconds : float
        How often to look for something new.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetUpWrong(f"{folder} cannot be made: {error.strerror}") from error
    key = make_key_file(folder / KEY_NAME, name=name)
    lines = (
        ("log", log),
        ("key", KEY_NAME),
        ("policy", str(policy.resolve()) if policy else POLICY_NAME),
        ("credential", str(credential.resolve()) if credential else CREDENTIAL_NAME),
        ("state", "state"),
    )
    text = "".join(f"{setting} = {_quoted(value)}\n" for setting, value in lines)
    with (folder / CONFIG_NAME).open("w", encoding="utf-8") as file:
        file.write(f"{text}poll_seconds = {poll_seconds}\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
