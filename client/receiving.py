"""Receive a delivery: fetch, sign for it, get the key, open; killed anywhere, it goes on.

What must not be lost is on the disk before anybody else can act on it: the X25519 key and the
signed proof of reception before the proof is sent, since the hall answers no second one.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client.contract_text import Contract, read_contract
from client.errors import ClientError, NotVerified, StillWaiting
from client.fetching import Tell, fetch_package
from client.files import keep, read_secret
from client.hall import Hall
from client.keys import OwnKey, public_bytes, signature_for
from gate.evidence import gather
from gate.exchange import (
    Acceptance,
    Complaint,
    Origin,
    Reception,
    Rewrap,
    check_signed,
    micros_of,
    unwrap_key,
)
from gate.keys import check_key
from gate.manifest import Manifest, PackageBroken
from gate.package import open_package, read_chunks

PROOFS: Final = "heliopolis-proofs"
EVIDENCE: Final = "evidence.json"
COMPLAINT: Final = "complaint.json"
_LOOK_EVERY_S: Final = 1.0
_OUT_OF_REACH: Final = frozenset({"lapsed_seller", "lapsed_buyer", "lapsed_hall", "cancelled"})


@dataclass(frozen=True)
class Job:
    """What is received, into which folder, signed by which key, waiting how long. [s]"""

    hall: Hall
    delivery_id: int
    folder: Path
    key: OwnKey | None
    wait_s: float
    tell: Tell

    @property
    def proofs(self) -> Path:
        """Where texts and keys are kept: with the files, for whoever verifies them later."""
        return self.folder / PROOFS

    @property
    def part(self) -> Path:
        """Where the ciphertext comes in."""
        return self.proofs / "package.part"

    def look(self) -> dict[str, Any]:
        """Return how far the delivery is."""
        found: dict[str, Any] = self.hall.get(f"data/deliveries/{self.delivery_id}/")
        return found

    def look_until(self, is_so: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Look until something is so, as long as the caller waits."""
        until = time.monotonic() + self.wait_s
        while not is_so(found := self.look()):
            if found["state"] in _OUT_OF_REACH:
                raise ClientError(f"this delivery is over ({found['state']}); nothing was paid")
            if time.monotonic() >= until:
                raise StillWaiting(f"still waiting for {what}: run the same command again later")
            time.sleep(_LOOK_EVERY_S)
        return found


def receive(job: Job) -> list[Path]:
    """Receive everything of a delivery and accept it; return the files, verified.

    Raises
    ------
    NotVerified
        If something is not what was signed. Before the proof of reception nothing is paid; after
        it, `EVIDENCE` is written, which `complain` sends.
    StillWaiting
        If somebody else's step is due.
    """
    job.proofs.mkdir(parents=True, exist_ok=True)
    contract, manifest = _contract(job), _manifest(job)
    if manifest.sha256 != contract.manifest_sha256:
        raise NotVerified("the hall offers another version than the contract names")
    offered = job.look_until(lambda found: found["origin"] is not None, "the seller")
    origin = _checked_origin(offered, contract, manifest)
    keep(job.proofs / "origin.json", origin.body())
    keep(job.proofs / "origin.signature", offered["origin_signature"].encode())
    fetch_package(job.hall, job.delivery_id, manifest.package, job.part, tell=job.tell)
    reception = _send_reception(job, origin, contract, manifest)
    out = job.look_until(lambda found: bool(found["wraps"]), "the key")
    key = _opened_key(job, reception, out, manifest)
    files = _open(job, manifest, key, offered)
    _accept(job, reception, out, contract)
    keep_receipts(job)
    job.part.unlink(missing_ok=True)
    return files


def keep_receipts(job: Job) -> int:
    """Keep the log's receipts of what there is by now; return how many are still to come."""
    receipts = job.hall.get(f"data/deliveries/{job.delivery_id}/receipts")
    for each in receipts:
        if each["receipt"]:
            name = each["key"].replace(":", "-")
            keep(job.proofs / f"{name}.tlog-proof", each["receipt"].encode())
    return sum(not each["receipt"] for each in receipts)


def request_new_wrap(job: Job) -> None:
    """Ask for the key once more with a new X25519 key, after the first was lost; then receive."""
    contract = _contract(job)
    found = job.look()
    if not found["wraps"]:
        raise ClientError("no key was given yet: receive does it")
    private = X25519PrivateKey.generate()
    text = Rewrap(
        reception=_sha256(found["wraps"][0]["request"].encode()),
        number=str(len(found["wraps"])),
        to=private.public_key().public_bytes_raw().hex(),
        buyer_key=contract.buyer_key,
        issued=micros_of(datetime.now(UTC)),
    )
    keep(_secret_path(job, text.to), private.private_bytes_raw(), is_secret=True)
    body = text.body()
    job.hall.post(
        f"data/deliveries/{job.delivery_id}/rewrap",
        {"body": body.decode(), "signature": signature_for(contract.buyer_key, body, job.key)},
    )
    keep(job.proofs / "reception.json", found["wraps"][0]["request"].encode())


def complain(job: Job) -> str:
    """Send the evidence that `receive` has written; return the state of the money after it."""
    path = job.proofs / EVIDENCE
    if not path.exists():
        raise ClientError(f"there is no {path}: receive writes it when a chunk fails")
    evidence, contract, said = path.read_bytes(), _contract(job), job.proofs / COMPLAINT
    if not said.exists():
        wrap = job.look()["wraps"][0]
        text = Complaint(
            reception=_sha256(wrap["request"].encode()),
            wrap=_sha256(public_bytes(wrap["wrap"])),
            evidence=hashlib.sha256(evidence).hexdigest(),
            buyer_key=contract.buyer_key,
            issued=micros_of(datetime.now(UTC)),
        )
        keep(said, text.body())
    # What is on the disk is sent again as it is: the hall takes in one outcome.
    body = said.read_bytes()
    answer = job.hall.post(
        f"data/deliveries/{job.delivery_id}/complaint",
        {
            "body": body.decode(),
            "signature": signature_for(contract.buyer_key, body, job.key),
            "evidence": evidence.decode(),
        },
    )
    return str(answer["money"])


def _contract(job: Job) -> Contract:
    """Return the contract as it was received first; its parties and version do not change."""
    path = job.proofs / "contract.json"
    if not path.exists():
        number = job.look()["contract_id"]
        keep(path, job.hall.get(f"data/contracts/{number}/")["body"].encode())
    contract = read_contract(path.read_bytes())
    if job.look()["contract_sha256"] != contract.sha256:
        raise NotVerified(f"{job.folder} holds files of another contract: choose another folder")
    return contract


def _manifest(job: Job) -> Manifest:
    path = job.proofs / "manifest.json"
    if not path.exists():
        keep(path, job.hall.get_bytes(f"data/deliveries/{job.delivery_id}/manifest"))
    return Manifest.from_bytes(path.read_bytes())


def _checked_origin(found: dict[str, Any], contract: Contract, manifest: Manifest) -> Origin:
    """Return the seller's proof of origin, if it promises exactly what the contract names."""
    body = found["origin"].encode()
    check_signed(
        body=body,
        signature=public_bytes(found["origin_signature"]),
        public_key=public_bytes(contract.seller_key),
    )
    origin, package = Origin.read(body), manifest.package
    promised = (
        contract.sha256,
        manifest.sha256,
        package.package_id.hex(),
        str(len(package.chunks)),
        package.root,
        manifest.key_commitment,
        contract.seller_key,
    )
    if promised != (
        origin.contract,
        origin.version,
        origin.package,
        origin.chunks,
        origin.root,
        origin.key_commitment,
        origin.seller_key,
    ):
        raise NotVerified("the seller signed for something else than the contract names")
    return origin


def _send_reception(job: Job, origin: Origin, contract: Contract, manifest: Manifest) -> Reception:
    """Sign for what came, once: what is on the disk is sent again as it is."""
    path = job.proofs / "reception.json"
    if not path.exists():
        private = X25519PrivateKey.generate()
        text = Reception(
            origin=origin.digest(),
            # The package was hashed chunk by chunk as it came, and the root is of those hashes.
            root=manifest.package.root,
            to=private.public_key().public_bytes_raw().hex(),
            buyer_key=contract.buyer_key,
            issued=micros_of(datetime.now(UTC)),
        )
        keep(_secret_path(job, text.to), private.private_bytes_raw(), is_secret=True)
        keep(path, text.body())
    body = path.read_bytes()
    found = job.look()
    if found["state"] == "offered":
        job.hall.post(
            f"data/deliveries/{job.delivery_id}/reception",
            {"body": body.decode(), "signature": signature_for(contract.buyer_key, body, job.key)},
        )
    return Reception.read(body)


def _opened_key(job: Job, reception: Reception, out: dict[str, Any], manifest: Manifest) -> bytes:
    """Return the package's key by the latest wrap that a key on this disk opens."""
    for each in reversed(out["wraps"]):
        body = each["request"].encode()
        is_first = body == reception.body()
        request = reception if is_first else _read_rewrap(body)
        path = _secret_path(job, request.to)
        if not path.exists():
            continue
        private = X25519PrivateKey.from_private_bytes(read_secret(path, "the delivery's key"))
        wrap = public_bytes(each["wrap"])
        key = unwrap_key(wrap=wrap, request=request, private_key=private)
        check_key(manifest.package.package_id, key, manifest.key_commitment)
        return key
    raise ClientError(
        f"no key in {job.proofs} opens what the hall gave: if it is lost, run rewrap, and receive"
    )


def _read_rewrap(body: bytes) -> Reception | Rewrap:
    is_reception = json.loads(body).get("type") == Reception.TYPE
    return Reception.read(body) if is_reception else Rewrap.read(body)


def _open(job: Job, manifest: Manifest, key: bytes, offered: dict[str, Any]) -> list[Path]:
    """Write the parts, each whole and verified; a chunk that fails becomes evidence."""
    with job.part.open("rb") as file:
        try:
            return open_package(file, manifest.package, key, job.folder)
        except PackageBroken as broken:
            if broken.code not in {"chunk_not_opened", "chunk_other"}:
                raise
            index = _failing(manifest, key, file)
            start = list(manifest.package.offsets())[index]
            file.seek(start)
            evidence = gather(
                manifest=manifest,
                origin=offered["origin"].encode(),
                signature=public_bytes(offered["origin_signature"]),
                index=index,
                chunk=file.read(manifest.package.chunks[index].byte_count + 16),
                key=key,
            )
            keep(job.proofs / EVIDENCE, evidence.body(), is_secret=True)
            raise NotVerified(
                f"{broken}; the evidence is in {job.proofs / EVIDENCE}: run complain before the"
                " dispute window ends, and the price comes back"
            ) from broken


def _failing(manifest: Manifest, key: bytes, file: Any) -> int:
    chunks = len(manifest.package.chunks)
    for index in range(chunks):
        try:
            for _ in read_chunks(file, manifest.package, key, indexes=[index]):
                pass
        except PackageBroken:
            return index
    return chunks - 1


def _accept(job: Job, reception: Reception, out: dict[str, Any], contract: Contract) -> None:
    """Say that everything opened; once, and not after a dispute or the end."""
    if out["state"] != "key_out":
        return
    text = Acceptance(
        reception=_sha256(out["wraps"][0]["request"].encode()),
        wrap=_sha256(public_bytes(out["wraps"][0]["wrap"])),
        buyer_key=contract.buyer_key,
        issued=micros_of(datetime.now(UTC)),
    )
    body = text.body()
    job.hall.post(
        f"data/deliveries/{job.delivery_id}/acceptance",
        {"body": body.decode(), "signature": signature_for(contract.buyer_key, body, job.key)},
    )


def _secret_path(job: Job, to: str) -> Path:
    return job.proofs / f"x25519-{to[:16]}.key"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
