"""Files with private keys: written once, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from validator.errors import BadNote, SetUpWrong
from validator.notes import COSIGNER, KEY_BYTES, SigningKey, require_key_name

OWNER_ONLY = 0o600


def make_key_file(path: Path, *, name: str, algorithm: int = COSIGNER) -> SigningKey:
    """Make a key and its file; a file that exists is never overwritten.

    Raises
    ------
    SetUpWrong
        If the name cannot name a key, or the file cannot be made.
    """
    try:
        require_key_name(name)
    except BadNote as error:
        raise SetUpWrong(
            f"{error}: a name has no spaces and no plus, such as city.example/w1"
        ) from error
    key = SigningKey(name, algorithm, secrets.token_bytes(KEY_BYTES))
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as error:
        raise SetUpWrong(f"{path} exists: a key is not overwritten, choose another file") from error
    except OSError as error:
        raise SetUpWrong(f"{path} cannot be made: {error.strerror}") from error
    with os.fdopen(file, "w", encoding="utf-8") as writer:
        writer.write(key.private_text() + "\n")
        writer.flush()
        os.fsync(writer.fileno())
    return key


def read_key_file(path: Path) -> SigningKey:
    """Read a private key, unless somebody else could read it as well.

    Raises
    ------
    SetUpWrong
        If the file is missing, open to others, or holds no key.
    """
    try:
        with path.open(encoding="utf-8") as reader:
            mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode)
            text = reader.read(10_000)
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpWrong(f"the key file {path} cannot be read: {error}") from error
    if mode & 0o077:
        raise SetUpWrong(f"others can read the key file {path}: chmod 600 {path}")
    try:
        return SigningKey.parse(text.removesuffix("\n"))
    except BadNote as error:
        raise SetUpWrong(f"the key file {path} holds no key: {error}") from error
