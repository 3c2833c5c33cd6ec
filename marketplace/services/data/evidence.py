"""What a buyer's evidence about a delivered chunk shows; `gate.evidence` judges, for anybody."""

import hashlib
from dataclasses import dataclass

from gate.evidence import Evidence, Verdict, judge
from gate.exchange import Origin
from gate.manifest import PackageBroken
from marketplace.errors import N_, Invalid
from marketplace.models import DataDelivery


@dataclass(frozen=True)
class Judged:
    """A verdict, and the hash of the evidence it was spoken on."""

    verdict: Verdict
    sha256: str

    @property
    def is_sellers_fault(self) -> bool:
        """Whether the seller signed for something that the chunk is not."""
        return self.verdict.is_sellers_fault


def judge_evidence(*, contract_id: int, body: bytes) -> Judged:
    """Judge an evidence file in the matter of one contract; nothing is stored.

    Parameters
    ----------
    body : bytes
        The file as `heliopolis-client` writes it. It holds the package's key: do not keep it where
        others than the parties and the operator may read.

    Raises
    ------
    Invalid
        If it is no evidence file.
    """
    try:
        evidence = Evidence.read(body)
    except PackageBroken as error:
        raise Invalid("evidence", N_("This is no evidence file.")) from error
    sha256 = hashlib.sha256(body).hexdigest()
    if not _is_of(contract_id, evidence):
        return Judged(Verdict.NOT_SIGNED, sha256)
    return Judged(judge(evidence), sha256)


def _is_of(contract_id: int, evidence: Evidence) -> bool:
    """Tell whether the proof of origin is the one that this contract's seller signed here."""
    delivery = (
        DataDelivery.objects.select_related("contract__seller_key")
        .filter(contract=contract_id)
        .first()
    )
    if delivery is None or delivery.origin_body is None:
        return False
    body = bytes(delivery.origin_body)
    return (
        evidence.origin_body == body
        and evidence.seller_key == bytes(delivery.contract.seller_key.public_key)
        and Origin.read(body).contract == delivery.contract.sha256
    )
