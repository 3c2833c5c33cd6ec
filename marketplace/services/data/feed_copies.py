"""The bytes of live feeds: the last good ones on disk, and copies of them for each buyer.

What is written is never the source's own names of vehicles: they are replaced under a key of the
product before, and again under a key of the contract when a buyer takes them. Files are named by
their hash, so a row of the database always names bytes that are whole.
"""

import gzip
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac
from google.transit import gtfs_realtime_pb2

from marketplace.domain.data.feed_files import VEHICLE_FILES, as_given_out
from marketplace.errors import N_, FileDamaged

# Long enough for whoever read the row just before it changed.
KEEP_S: Final = 600
# Copies that are kept in memory by each process; the larger ones are read from disk each time.
MEMORY_BYTES: Final = 64 * 2**20
ONE_COPY_BYTES: Final = 8 * 2**20
_GZIP_FROM_BYTES: Final = 512
_NAME_HEX: Final = 32


@dataclass(frozen=True)
class Copy:
    """A file as a buyer gets it; ``packed`` is empty where packing brings nothing."""

    body: bytes
    packed: bytes


class _Memory:
    """The copies used last, by a budget of bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: OrderedDict[tuple[object, ...], Copy] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[object, ...]) -> Copy | None:
        with self._lock:
            copy = self._copies.get(key)
            if copy is not None:
                self._copies.move_to_end(key)
            return copy

    def put(self, key: tuple[object, ...], copy: Copy) -> None:
        size = len(copy.body) + len(copy.packed)
        with self._lock:
            if size > ONE_COPY_BYTES or key in self._copies:
                return
            self._copies[key] = copy
            self._bytes += size
            while self._bytes > MEMORY_BYTES:
                _, oldest = self._copies.popitem(last=False)
                self._bytes -= len(oldest.body) + len(oldest.packed)


_memory = _Memory()


def store(*, product_id: int, body: bytes) -> str:
    """Write a file of a feed to last, and return its hash."""
    sha256 = hashlib.sha256(body).hexdigest()
    path = _path(product_id, sha256)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = path.with_name(f"{sha256}.{secrets.token_hex(8)}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    return sha256


def read(*, product_id: int, sha256: str) -> bytes:
    """Return the stored bytes of a file.

    Raises
    ------
    FileDamaged
        If they are not there, or not those that were stored.
    """
    try:
        body = _path(product_id, sha256).read_bytes()
    except FileNotFoundError:
        body = b""
    if hashlib.sha256(body).hexdigest() != sha256:
        raise FileDamaged(N_("The hall's copy of the feed is damaged; the next look renews it."))
    return body


def sweep(*, product_id: int, in_use: Collection[str]) -> None:
    """Remove files of a feed that no row names any more, once nobody can be reading them."""
    folder = _path(product_id, "x").parent
    before = time.time() - KEEP_S
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in in_use and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def copy_for(*, product_id: int, contract_id: int, name: str, sha256: str) -> Copy:
    """Return a file as the buyer of a contract gets it."""
    stem = name.rpartition(".")[0]
    is_own = stem in VEHICLE_FILES or stem == "gtfs-rt"
    key = (product_id, sha256, contract_id if is_own else 0)
    copy = _memory.get(key)
    if copy is None:
        body = read(product_id=product_id, sha256=sha256)
        if is_own:
            body = renamed(stem, body, renamer(f"contract:{contract_id}"))
        packs = len(body) >= _GZIP_FROM_BYTES and not name.endswith(".zip")
        copy = Copy(body, gzip.compress(body, compresslevel=6, mtime=0) if packs else b"")
        _memory.put(key, copy)
    return copy


def renamed(stem: str, body: bytes, rename: Callable[[str], str]) -> bytes:
    """Return a file of a feed with its vehicles under other names."""
    if stem == "gtfs-rt":
        return _realtime_renamed(body, rename)
    return as_given_out(stem, body, rename)


def renamer(whose: str) -> Callable[[str], str]:
    """Return what names vehicles for a product or a contract, the same vehicle always the same."""
    key = _key(whose)

    def rename(identifier: str) -> str:
        return hmac.new(key, identifier.encode(), hashlib.sha256).hexdigest()[:_NAME_HEX]

    return rename


@lru_cache(maxsize=1024)
def _key(whose: str) -> bytes:
    return salted_hmac("heliopolis.feeds.vehicles", whose, algorithm="sha256").digest()


def _realtime_renamed(body: bytes, rename: Callable[[str], str]) -> bytes:
    message = gtfs_realtime_pb2.FeedMessage.FromString(body)
    # Fields that the standard has not may hold anything, also what names a vehicle.
    message.DiscardUnknownFields()
    for entity in message.entity:
        parts = (
            (entity.vehicle, entity.HasField("vehicle")),
            (entity.trip_update, entity.HasField("trip_update")),
        )
        is_named = False
        for part, is_there in parts:
            if not is_there or not part.HasField("vehicle"):
                continue
            vehicle = part.vehicle
            # Many sources number entities by their vehicles.
            is_named = True
            vehicle.ClearField("license_plate")
            for field in ("id", "label"):
                if vehicle.HasField(field):
                    setattr(vehicle, field, rename(getattr(vehicle, field)))
        if is_named:
            entity.id = rename(entity.id)
    renamed_body: bytes = message.SerializeToString()
    return renamed_body


def _path(product_id: int, sha256: str) -> Path:
    folder: Path = settings.DATA_FOLDER
    return folder / "feeds" / str(product_id) / sha256
