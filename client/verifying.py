"""Verify what was received, offline: files, manifest, contract, signatures, and the log."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.contract_text import Contract, read_contract
from client.errors import ClientError, NotVerified
from client.keys import public_bytes
from client.notes import Policy
from client.receipts import Logged, check_receipt
from client.receiving import PROOFS
from gate.evidence import Evidence, Verdict, judge
from gate.exchange import Origin, check_signed
from gate.manifest import Manifest

_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that was checked and holds."""

    what: str
    detail: str


def verify(folder: Path, policy: Policy | None) -> list[Finding]:
    """Check everything that `receive` has left in a folder; nobody is asked.

    Parameters
    ----------
    policy : Policy or None
        Whose logs and cosigners count; None: what the log has is not looked at.

    Raises
    ------
    NotVerified
        At the first thing that does not hold.
    """
    return list(_checks(folder, policy))


def _checks(folder: Path, policy: Policy | None) -> Iterator[Finding]:
    proofs = folder / PROOFS
    manifest = Manifest.from_bytes(_read(proofs / "manifest.json"))
    for part in manifest.package.parts:
        if _sha256_of_file(folder / part.name) != part.sha256:
            raise NotVerified(f"{folder / part.name} is not what the manifest says")
        yield Finding("file", f"{part.name}: {part.byte_count} bytes, SHA-256 {part.sha256}")
    contract = read_contract(_read(proofs / "contract.json"))
    if contract.manifest_sha256 != manifest.sha256:
        raise NotVerified("the contract names another version than this manifest")
    yield Finding("contract", f"pins the manifest {manifest.sha256}")
    origin = _origin(proofs, contract, manifest)
    yield Finding("origin", f"signed by the seller's key {contract.seller_key}")
    if policy is None:
        return
    for path in sorted(proofs.glob("*.tlog-proof")):
        logged = check_receipt(path.read_text(encoding="utf-8"), policy)
        _compare(path.name, logged, contract, manifest, origin)
        yield Finding("log", f"{logged.fields['key']} is entry {logged.index} of {logged.origin}")
    for needed in ("data-version-*.tlog-proof", "data-contract-*.tlog-proof"):
        if not list(proofs.glob(needed)):
            raise NotVerified(f"there is no {needed} in {proofs}: run receipts once it is attested")


def _origin(proofs: Path, contract: Contract, manifest: Manifest) -> Origin:
    body = _read(proofs / "origin.json")
    check_signed(
        body=body,
        signature=public_bytes(_read(proofs / "origin.signature").decode()),
        public_key=public_bytes(contract.seller_key),
    )
    origin = Origin.read(body)
    if (origin.contract, origin.version, origin.root) != (
        contract.sha256,
        manifest.sha256,
        manifest.package.root,
    ):
        raise NotVerified("the proof of origin is of another contract or version")
    return origin


def _compare(
    name: str, logged: Logged, contract: Contract, manifest: Manifest, origin: Origin
) -> None:
    """Compare what the log has with what is here; a receipt of something else is refused."""
    expected: dict[str, Callable[[], bool]] = {
        "data-version": lambda: logged.public.get("manifest_sha256") == manifest.sha256,
        "data-contract": lambda: logged.fields.get("contract") == contract.sha256,
        "data-exchange": lambda: (
            logged.fields.get("contract") == contract.sha256
            and logged.fields.get("origin", origin.digest()) == origin.digest()
        ),
    }
    is_named = logged.fields.get("key", "").replace(":", "-") == name.removesuffix(".tlog-proof")
    if not is_named or not expected.get(logged.kind, lambda: False)():
        raise NotVerified(f"{name} is the receipt of something else")


def verify_evidence(path: Path) -> Verdict:
    """Judge an evidence file; whose contract and key it is of, compare with the contract."""
    return judge(Evidence.read(_read(path)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror}") from error


def _sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
