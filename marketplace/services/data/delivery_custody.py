"""Receiving in the browser: the hall acts as the client of a buyer whose keys it holds.

Who receives so trusts the hall to have compared the bytes and to have shown all of them; with the
client nobody has to. The X25519 key of such a delivery follows from the key in custody, so that it
is nowhere stored and goes with the member.
"""

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gate.evidence import gather
from gate.exchange import (
    Acceptance,
    Complaint,
    Origin,
    Reception,
    base64_of,
    micros_of,
    unwrap_key,
)
from gate.manifest import TAG_BYTES, Manifest, PackageBroken
from gate.package import check_ciphertext, read_chunks
from marketplace.errors import N_, DeliveryClosed, FileDamaged
from marketplace.models import DataContract, DataDelivery
from marketplace.services.data import deliveries
from marketplace.services.data.delivery_rows import find_own
from marketplace.services.data.delivery_texts import sha256_of
from marketplace.services.data.storage import package_path
from marketplace.services.signed_terms import secret_in_custody

_PURPOSE: Final = b"heliopolis/delivery-in-custody/1\0"
_EPOCH_OF_ZIP: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Opened:
    """A delivered package in the clear: one file as it is, several as a zip.

    ``byte_count`` is None where it shows only at the end.
    """

    name: str
    media_type: str
    byte_count: int | None
    pieces: Iterator[bytes]


def receive_in_custody(
    *, delivery_id: int, participant_ids: Collection[int], now: datetime
) -> None:
    """Compare every chunk for a buyer, and sign the proof of reception in their name.

    Raises
    ------
    NotFound, DeliveryClosed, SignatureNeeded
        As the steps of `marketplace.services.data.deliveries`.
    FileDamaged
        If a chunk is not the one of the manifest; nothing is signed.
    """
    delivery = find_own(delivery_id, participant_ids, sells=False)
    if delivery.origin_body is None:
        raise DeliveryClosed(N_("This delivery does not wait for its buyer."))
    manifest, contract = _manifest(delivery), delivery.contract
    with package_path(contract.version.package).open("rb") as file:
        if check_ciphertext(file, manifest.package) is not None:
            raise FileDamaged(N_("The package was damaged in the hall: nothing was paid."))
    text = Reception(
        origin=Origin.read(bytes(delivery.origin_body)).digest(),
        root=manifest.package.root,
        to=_private_key(delivery).public_key().public_bytes_raw().hex(),
        buyer_key=base64_of(bytes(contract.buyer_key.public_key)),
        issued=micros_of(now),
    )
    deliveries.receive(
        delivery_id=delivery_id,
        participant_ids=participant_ids,
        body=text.body(),
        signature=None,
        now=now,
    )


def open_in_custody(*, delivery_id: int, participant_ids: Collection[int]) -> Opened:
    """Decrypt a delivery for a buyer whose keys the hall holds, chunk by chunk as it goes out.

    Raises
    ------
    NotFound, DeliveryClosed, SignatureNeeded
        If there is no such delivery, its key is not out, or it was received with another key.
    """
    delivery = find_own(delivery_id, participant_ids, sells=False)
    if delivery.contract.state not in (DataContract.State.AGREED, DataContract.State.ENDED):
        raise DeliveryClosed(N_("This contract was revoked: nothing more is delivered."))
    key, manifest = _key(delivery), _manifest(delivery)
    title = f"delivery-{delivery.pk}"
    parts = manifest.package.parts
    if len(parts) == 1:
        [part] = parts
        return Opened(part.name, part.media_type, part.byte_count, _clear(delivery, manifest, key))
    return Opened(f"{title}.zip", "application/zip", None, _zipped(delivery, manifest, key))


def accept_in_custody(*, delivery_id: int, participant_ids: Collection[int], now: datetime) -> bool:
    """Open every chunk for a buyer; accept if all are as promised, complain with evidence if not.

    Returns
    -------
    bool
        Whether everything was as promised. If not, the price goes back.
    """
    delivery = find_own(delivery_id, participant_ids, sells=False)
    key, manifest = _key(delivery), _manifest(delivery)
    bad = _first_bad(delivery, manifest, key)
    named = {
        "reception": Reception.read(bytes(delivery.receipt_body or b"")).digest(),
        "wrap": sha256_of(bytes(delivery.wrap or b"")),
        "buyer_key": base64_of(bytes(delivery.contract.buyer_key.public_key)),
        "issued": micros_of(now),
    }
    step: dict[str, Any] = {
        "delivery_id": delivery_id,
        "participant_ids": participant_ids,
        "signature": None,
        "now": now,
    }
    if bad is None:
        deliveries.accept(body=Acceptance(**named).body(), **step)
        return True
    evidence = _evidence(delivery, manifest, key, bad)
    text = Complaint(evidence=sha256_of(evidence), **named)
    deliveries.complain(body=text.body(), evidence=evidence, **step)
    return False


def _first_bad(delivery: DataDelivery, manifest: Manifest, key: bytes) -> int | None:
    with package_path(delivery.contract.version.package).open("rb") as file:
        for index in range(len(manifest.package.chunks)):
            try:
                for _ in read_chunks(file, manifest.package, key, indexes=[index]):
                    pass
            except PackageBroken as broken:
                if broken.code == "chunk_changed":
                    raise FileDamaged(
                        N_("The package was damaged in the hall: tell the operator.")
                    ) from broken
                return index
    return None


def _evidence(delivery: DataDelivery, manifest: Manifest, key: bytes, index: int) -> bytes:
    start = list(manifest.package.offsets())[index]
    with package_path(delivery.contract.version.package).open("rb") as file:
        file.seek(start)
        chunk = file.read(manifest.package.chunks[index].byte_count + TAG_BYTES)
    return gather(
        manifest=manifest,
        origin=bytes(delivery.origin_body or b""),
        signature=bytes(delivery.origin_signature or b""),
        index=index,
        chunk=chunk,
        key=key,
    ).body()


def _key(delivery: DataDelivery) -> bytes:
    """Return the package's key by the wrap that was made for this buyer, as a client does."""
    if delivery.wrap is None or delivery.receipt_body is None:
        raise DeliveryClosed(N_("The key of this delivery was not given yet."))
    request = Reception.read(bytes(delivery.receipt_body))
    private = _private_key(delivery)
    if private.public_key().public_bytes_raw().hex() != request.to:
        raise DeliveryClosed(
            N_("This delivery was received with another key: open it where that key is.")
        )
    return unwrap_key(wrap=bytes(delivery.wrap), request=request, private_key=private)


def _private_key(delivery: DataDelivery) -> X25519PrivateKey:
    purpose = _PURPOSE + delivery.contract.sha256.encode()
    secret = secret_in_custody(key=delivery.contract.buyer_key, purpose=purpose)
    return X25519PrivateKey.from_private_bytes(secret)


def _manifest(delivery: DataDelivery) -> Manifest:
    return Manifest.from_bytes(bytes(delivery.contract.version.manifest or b""))


def _clear(delivery: DataDelivery, manifest: Manifest, key: bytes) -> Iterator[bytes]:
    with package_path(delivery.contract.version.package).open("rb") as file:
        for plain in read_chunks(file, manifest.package, key):
            yield bytes(plain)


def _zipped(delivery: DataDelivery, manifest: Manifest, key: bytes) -> Iterator[bytes]:
    """Yield a zip of all parts as it grows; memory is one chunk."""
    out = _Outgoing()
    clear = _clear(delivery, manifest, key)
    with ZipFile(out, "w", ZIP_STORED) as archive:
        for part in manifest.package.parts:
            with archive.open(ZipInfo(part.name, _EPOCH_OF_ZIP), "w", force_zip64=True) as target:
                for _ in range(part.chunk_count):
                    target.write(next(clear))
                    yield out.take()
    yield out.take()


class _Outgoing(io.RawIOBase):
    """Keeps what is written until it is taken; nobody can seek in it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """Return what came since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken
