"""Names and memberships that stood in the clear go under identity keys.

Written out here in the form of this day, since a migration does not import what moves on.
"""

import fcntl
import hashlib
import hmac
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import migrations

SLOT_BYTES = 64
HEADER = b"heliopolis identity keys 1\n".ljust(SLOT_BYTES, b"\0")


def seal(apps: Any, schema_editor: Any) -> None:
    users = list(apps.get_model("marketplace", "User").objects.order_by("id"))
    participants = list(apps.get_model("marketplace", "Participant").objects.order_by("id"))
    keys = _create(len(users) + len(participants))
    tags = {}
    for user, (slot, key) in zip(users, keys[: len(users)], strict=True):
        user.identity_slot = slot
        user.save(update_fields=["identity_slot"])
        tags[user.id] = hmac.digest(_derived(key, b"tag"), b"memberships\0", "sha256")
    for participant, (slot, key) in zip(participants, keys[len(users) :], strict=True):
        name, nonce = participant.name.encode(), os.urandom(12)
        padded = name.ljust(-(-max(len(name), 1) // 64) * 64, b"\0")
        sealed = AESGCM(_derived(key, b"seal")).encrypt(nonce, padded, b"participant name")
        participant.identity_slot, participant.sealed_name = slot, nonce + sealed
        participant.save(update_fields=["identity_slot", "sealed_name"])
    for membership in apps.get_model("marketplace", "Membership").objects.all():
        membership.user_tag = tags[membership.user_id]
        membership.save(update_fields=["user_tag"])
    # A site was called as its participant; an answer given again is kept for hours, not for ever.
    apps.get_model("marketplace", "Site").objects.update(label="")
    apps.get_model("marketplace", "IdempotencyKey").objects.all().delete()
    # Sessions said for whom somebody acts: everybody signs in once more.
    apps.get_model("sessions", "Session").objects.all().delete()


def _derived(key: bytes, use: bytes) -> bytes:
    return hmac.digest(key, b"heliopolis identity " + use, "sha256")


def _create(count: int) -> list[tuple[int, bytes]]:
    """Append keys to the file of identity keys, on disk before this returns."""
    if not count:
        return []
    folder = settings.IDENTITY_KEYS_DIR
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(folder / "keys", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_size < SLOT_BYTES:
            os.pwrite(file, HEADER, 0)
        first = os.fstat(file).st_size // SLOT_BYTES
        keys = [(slot, os.urandom(32)) for slot in range(first, first + count)]
        content = b"".join(
            key + hashlib.sha256(b"heliopolis identity key %d\0" % slot + key).digest()
            for slot, key in keys
        )
        if os.pwrite(file, content, first * SLOT_BYTES) != len(content):
            raise OSError(f"{folder}: the keys did not fit on the disk")
        os.fsync(file)
    finally:
        os.close(file)
    return keys


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0005_identity_columns"),
        ("sessions", "0001_initial"),
    ]

    operations = [migrations.RunPython(seal)]
