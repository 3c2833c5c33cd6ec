"""Contracts of the data market held against the log."""

from typing import Final

from ledger.domain.documents import Document
from ledger.queries import get_answers, get_bodies
from marketplace.models import DataContract
from marketplace.queries.data.contracts import (
    SIGNED,
    contract_broken,
    contract_document,
    contract_log_key,
    read_contract,
    revocation_document,
    revocation_log_key,
)

_BATCH: Final = 1000


def verify_contracts() -> int:
    """Check every contract that both signed: text, signatures, revocation, and what was logged.

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
    signed = DataContract.objects.filter(state__in=SIGNED).select_related(
        "seller_key", "buyer_key", "revocation_key", "version"
    )
    while some := list(signed.filter(id__gt=last).order_by("id")[:_BATCH]):
        documents = {key: each for one in some for key, each in _logged_documents(one).items()}
        answers, bodies = get_answers(keys=list(documents)), get_bodies(keys=list(documents))
        for one in some:
            read_contract(one)
            for key, document in _logged_documents(one).items():
                # Of a pruned period the bodies are gone.
                if key not in answers or answers[key].state == "refused":
                    raise contract_broken(one)
                if bodies.get(key) and bodies[key] != document.body():
                    raise contract_broken(one)
        checked, last = checked + len(some), some[-1].pk
    return checked


def _logged_documents(contract: DataContract) -> dict[str, Document]:
    documents = {contract_log_key(contract.pk): contract_document(contract)}
    if contract.state == DataContract.State.REVOKED:
        documents[revocation_log_key(contract.pk)] = revocation_document(contract)
    return documents
