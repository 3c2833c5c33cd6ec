"""The hall's deposit key: what the keys of packages and uploads are sealed to.

It stands in a file beside the database, so that a copy of the database opens nothing.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from gate.keys import deposit_info, open_sealed, seal
from marketplace.errors import N_, DepositKeyMissing
from marketplace.models import DataUpload, DataVersion


def get_deposit_key() -> X25519PrivateKey:
    """Return the hall's deposit key; the first time, it is made.

    Raises
    ------
    DepositKeyMissing
        If something was sealed to a key that is not there any more, or others can read the file.
    """
    path: Path = settings.DATA_KEY_FILE
    if not path.exists():
        _make(path)
    try:
        mode = path.stat().st_mode
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise DepositKeyMissing(
            N_("The hall's deposit key {path} cannot be read: put its copy back."), path=path
        ) from error
    if mode & 0o077:
        raise DepositKeyMissing(
            N_("Others can read the hall's deposit key: chmod 600 {path}"), path=path
        )
    if not isinstance(key, X25519PrivateKey):
        raise DepositKeyMissing(N_("{path} holds another kind of key."), path=path)
    return key


def public_deposit_key() -> bytes:
    """Return what a provider seals a package's key to. [32 bytes]"""
    return get_deposit_key().public_key().public_bytes_raw()


def seal_for_hall(*, package_id: bytes, key: bytes) -> bytes:
    """Seal the key of a package, so that only the hall opens it, and only as this package's."""
    return seal(key, get_deposit_key().public_key(), info=deposit_info(package_id))


def open_for_hall(*, package_id: bytes, sealed_key: bytes) -> bytes:
    """Open what `seal_for_hall` or a provider sealed.

    Raises
    ------
    gate.manifest.PackageBroken
        If it was sealed to another key, for another package, or changed since.
    """
    return open_sealed(sealed_key, get_deposit_key(), info=deposit_info(package_id))


def open_version_key(version: DataVersion) -> bytes:
    """Return the key of a ready version's package."""
    assert version.sealed_key is not None, "a ready version of a file has a key"
    return open_for_hall(
        package_id=bytes.fromhex(version.package), sealed_key=bytes(version.sealed_key)
    )


def _make(path: Path) -> None:
    sealed = DataVersion.objects.filter(sealed_key__isnull=False)
    uploads = DataUpload.objects.filter(sealed_key__isnull=False)
    if sealed.exists() or uploads.exists():
        raise DepositKeyMissing(
            N_("The hall's deposit key {path} is gone, and packages were sealed to it."), path=path
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    text = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Never over another's: whoever came first has sealed to theirs already.
        with suppress(FileExistsError):
            path.hardlink_to(made)
    finally:
        made.unlink()
