"""Every delivery compared with what was signed, wrapped and logged."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from gate.exchange import (
    Acceptance,
    Complaint,
    Origin,
    Reception,
    Rewrap,
    base64_of,
    check_signed,
)
from gate.manifest import Manifest, PackageBroken
from ledger.domain.documents import Document
from ledger.queries import get_answers, get_bodies
from marketplace.errors import N_, TermsBroken
from marketplace.models import DataCharge, DataDelivery, DataRewrap

DOCUMENT_KIND: Final = "data-exchange"
_BATCH: Final = 500
_LAPSED: Final = (
    DataDelivery.State.LAPSED_SELLER,
    DataDelivery.State.LAPSED_BUYER,
    DataDelivery.State.LAPSED_HALL,
    DataDelivery.State.CANCELLED,
)


def step_key(delivery_id: int, step: str) -> str:
    """Return the key of the logged document of a step."""
    return f"data-{step}:{delivery_id}"


def step_document(contract_sha256: str, step: str, hashes: Mapping[str, str]) -> Document:
    """Return the document by which the log knows a step: by hashes alone."""
    return Document(
        DOCUMENT_KIND,
        public={"step": step.partition("-")[0]},
        private={"contract": contract_sha256, **hashes},
    )


def verify_deliveries() -> int:
    """Check every delivery: texts and signatures, that they fit each other, and the log.

    Returns
    -------
    int
        How many there are, each checked.

    Raises
    ------
    TermsBroken
        The message names the first that does not hold.
    """
    checked, last = 0, 0
    rows = DataDelivery.objects.select_related(
        "charge", "contract__version", "contract__seller_key", "contract__buyer_key"
    ).order_by("pk")
    while some := list(rows.filter(pk__gt=last)[:_BATCH]):
        rewraps = defaultdict(list)
        for each in DataRewrap.objects.filter(delivery__in=some).order_by("number"):
            rewraps[each.delivery_id].append(each)
        documents: dict[int, dict[str, Document]] = {}
        for row in some:
            try:
                documents[row.pk] = _checked(row, rewraps[row.pk])
            except (PackageBroken, ValueError) as error:
                raise _broken(row) from error
        _compare(some, documents)
        checked, last = checked + len(some), some[-1].pk
    return checked


def _compare(rows: list[DataDelivery], documents: Mapping[int, Mapping[str, Document]]) -> None:
    keys = [key for each in documents.values() for key in each]
    answers, bodies = get_answers(keys=keys), get_bodies(keys=keys)
    for row in rows:
        for key, document in documents[row.pk].items():
            if key not in answers or answers[key].state == "refused":
                raise _broken(row)
            # Of a pruned period the bodies are gone.
            if bodies.get(key) and bodies[key] != document.body():
                raise _broken(row)


def _checked(row: DataDelivery, rewraps: list[DataRewrap]) -> dict[str, Document]:
    """Return what the log should have of a delivery whose texts hold; `ValueError` if not."""
    contract = row.contract
    hashes: dict[str, dict[str, str]] = {}
    if row.origin_body is not None:
        seller_key = bytes(contract.seller_key.public_key)
        origin = Origin.read(_signed(row.origin_body, row.origin_signature, seller_key))
        manifest = Manifest.from_bytes(bytes(contract.version.manifest or b""))
        promised = (contract.sha256, manifest.sha256, manifest.package.root)
        _require((origin.contract, origin.version, origin.root) == promised)
        hashes["origin"] = {"origin": origin.digest()}
        hashes |= _of_buyer(row, origin, rewraps)
    if row.state in _LAPSED:
        hashes["end"] = {"end": DataDelivery.State(row.state).name.lower()}
    elif row.state == DataDelivery.State.ENDED:
        hashes["end"] = {"end": DataCharge.State(row.charge.state).name.lower()}
    return {
        step_key(row.pk, step): step_document(contract.sha256, step, said)
        for step, said in hashes.items()
    }


def _of_buyer(
    row: DataDelivery, origin: Origin, rewraps: list[DataRewrap]
) -> dict[str, dict[str, str]]:
    if row.receipt_body is None:
        return {}
    key = bytes(row.contract.buyer_key.public_key)
    reception = Reception.read(_signed(row.receipt_body, row.receipt_signature, key))
    _require((reception.origin, reception.root) == (origin.digest(), origin.root))
    _require(reception.buyer_key == base64_of(key))
    hashes = {"reception": {"reception": reception.digest()}}
    if row.wrap is not None:
        hashes["key"] = {"reception": reception.digest(), "wrap": _sha256(row.wrap)}
    if row.outcome_body is not None:
        hashes["outcome"] = _outcome(_signed(row.outcome_body, row.outcome_signature, key))
    for each in rewraps:
        text = Rewrap.read(_signed(each.body, each.signature, key))
        _require((text.reception, text.number) == (reception.digest(), str(each.number)))
        hashes[f"rewrap-{each.number}"] = {"request": text.digest(), "wrap": _sha256(each.wrap)}
    return hashes


def _outcome(body: bytes) -> dict[str, str]:
    if Acceptance.TYPE.encode() in body:
        return {"acceptance": Acceptance.read(body).digest()}
    complaint = Complaint.read(body)
    return {"complaint": complaint.digest(), "evidence": complaint.evidence}


def _signed(
    body: bytes | memoryview, signature: bytes | memoryview | None, public_key: bytes
) -> bytes:
    check_signed(body=bytes(body), signature=bytes(signature or b""), public_key=public_key)
    return bytes(body)


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("texts do not fit each other")


def _sha256(content: bytes | memoryview) -> str:
    return hashlib.sha256(bytes(content)).hexdigest()


def _broken(row: DataDelivery) -> TermsBroken:
    return TermsBroken(
        N_("delivery {id} is not what was signed and logged: restore it, and verify the ledger"),
        id=row.pk,
    )
