"""Publish a package that was gated at home; broken off anywhere, it goes on where it was."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from client.errors import ClientError, HallRefused, StillWaiting, Unreachable
from client.fetching import Tell
from client.files import keep
from client.gating import PACKAGE, read_gated
from client.hall import Hall
from gate.exchange import base64_of
from gate.keys import deposit_info, public_key, seal

# The version that a folder is being sent as: beside the package, so that a second run finds it.
VERSION: Final = "version"
TRIES: Final = 5
_PIECE_BYTES: Final = 1 << 20
_REQUEST_BYTES: Final = 64 * _PIECE_BYTES
_LOOK_EVERY_S: Final = 1.0


def publish(
    hall: Hall, product_id: int, folder: Path, *, note: str, wait_s: float, tell: Tell
) -> dict[str, Any]:
    """Send a gated folder as a new version of a product, and return the version once it is ready.

    Raises
    ------
    ClientError
        If the hall refuses the version; its reason is in the text.
    StillWaiting
        If the hall is still looking at it when the wait is over.
    """
    version_id = _begin(hall, product_id, folder, note)
    _send(hall, version_id, folder / PACKAGE, tell)
    until = time.monotonic() + wait_s
    while True:
        version: dict[str, Any] = hall.get(f"data/versions/{version_id}/")
        if version["state"] == "ready":
            return version
        if version["state"] == "refused":
            (folder / VERSION).unlink(missing_ok=True)
            said = version["refusal"]
            raise ClientError(f"the hall refuses this version: {said.get('text', said)}")
        if time.monotonic() >= until:
            raise StillWaiting(f"the hall is looking at version {version_id}: run this again later")
        time.sleep(_LOOK_EVERY_S)


def deposit_again(hall: Hall, delivery_id: int, folder: Path) -> None:
    """Give the hall a package's key once more for a delivery, after the hall lost it."""
    manifest, key = read_gated(folder)
    sealed = _sealed(hall, manifest.package.package_id, key)
    hall.post(f"data/deliveries/{delivery_id}/deposit", {"sealed_key": base64_of(sealed)})


def _begin(hall: Hall, product_id: int, folder: Path, note: str) -> int:
    path = folder / VERSION
    if path.exists():
        return int(path.read_text())
    manifest, key = read_gated(folder)
    made = hall.post(
        f"data/products/{product_id}/home-versions/",
        {
            "manifest": base64_of(manifest.to_bytes()),
            "sealed_key": base64_of(_sealed(hall, manifest.package.package_id, key)),
            "note": note,
        },
    )
    keep(path, str(made["id"]).encode())
    return int(made["id"])


def _sealed(hall: Hall, package_id: bytes, key: bytes) -> bytes:
    raw = base64.b64decode(hall.get("data/deposit-key/")["public_key"], validate=True)
    return seal(key, public_key(raw), info=deposit_info(package_id))


def _send(hall: Hall, version_id: int, package: Path, tell: Tell) -> None:
    """Send what the hall has not got, some at a time."""
    total, tries = package.stat().st_size, 0
    while True:
        try:
            there = int(hall.get(f"data/versions/{version_id}/package/")["received"])
        except HallRefused as refused:
            if refused.status == 404:
                return  # all of it is there, and the hall has begun to work on it
            raise
        tell(there, total)
        if there >= total:
            return
        length = min(total - there, _REQUEST_BYTES)
        path = f"data/versions/{version_id}/package/?offset={there}"
        try:
            hall.send(path, _pieces(package, there, length), length=length, method="PATCH")
            tries = 0
        except Unreachable:
            tries += 1
            if tries >= TRIES:
                raise


def _pieces(path: Path, offset: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while length:
            piece = file.read(min(_PIECE_BYTES, length))
            if not piece:
                raise ClientError(f"{path} became shorter while it was sent")
            length -= len(piece)
            yield piece
