"""Contracts of the data market: each checked against its signatures whenever it is read."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from django.db.models import Q

from ledger.domain.documents import Document
from ledger.queries import get_answers
from marketplace.domain.data.contract import ContractRevocation, ContractText
from marketplace.domain.terms_document import check_signature, sha256_of
from marketplace.errors import N_, Invalid, TermsBroken
from marketplace.models import DataContract, DataDispute
from marketplace.queries.data.contract_sides import attach_sides
from marketplace.queries.identity import names_of

DocumentKind = Literal["data-contract", "data-contract-end"]
CONTRACT_KIND: Final = "data-contract"
REVOCATION_KIND: Final = "data-contract-end"
_LOG_KEY = re.compile(r"data-contract(?:-end)?:([1-9][0-9]{0,17})", re.ASCII)
State = Literal["proposed", "agreed", "declined", "revoked", "ended"]
STATES: Final[dict[int, State]] = {
    DataContract.State.PROPOSED: "proposed",
    DataContract.State.AGREED: "agreed",
    DataContract.State.DECLINED: "declined",
    DataContract.State.REVOKED: "revoked",
    DataContract.State.ENDED: "ended",
}
# What both signed, whatever became of it since.
SIGNED: Final = (DataContract.State.AGREED, DataContract.State.REVOKED, DataContract.State.ENDED)


@dataclass(frozen=True)
class ContractLine:
    """A contract as a reader sees it; text and signatures were checked.

    ``side`` is the reader's, who acts for ``reader_id``; names are empty of whom nobody can name
    any more.
    """

    id: int
    text: ContractText
    reader_id: int | None
    side: Literal["buyer", "seller", "operator"]
    state: State
    product_title: str
    seller_name: str
    buyer_name: str
    accepts_automatically: bool
    proposed_at: datetime
    agreed_at: datetime | None
    closed_at: datetime | None
    revoked_by: Literal["buyer", "seller", ""]
    sha256: str
    is_logged: bool

    @property
    def log_key(self) -> str:
        """The document of the log that holds its hash."""
        return contract_log_key(self.id)

    @property
    def waits_for_me(self) -> bool:
        """Whether the reader's signature is the one that is missing."""
        return self.state == "proposed" and self.side == "seller"

    @property
    def is_whole(self) -> bool:
        """Whether its text is what was signed."""
        return True


@dataclass(frozen=True)
class BrokenContract:
    """A contract of a list whose stored text is not what was signed: nothing is said of its terms.

    It hides no other contract, and nobody signs it any more.
    """

    id: int
    side: Literal["buyer", "seller", "operator"]
    state: State
    product_title: str
    seller_name: str
    buyer_name: str
    proposed_at: datetime
    agreed_at: datetime | None
    closed_at: datetime | None
    sha256: str
    is_whole: bool = False
    waits_for_me: bool = False

    @property
    def log_key(self) -> str:
        """The document of the log that holds its hash."""
        return contract_log_key(self.id)


def contract_log_key(contract_id: int) -> str:
    """Return the key of the logged document of a contract."""
    return f"data-contract:{contract_id}"


def revocation_log_key(contract_id: int) -> str:
    """Return the key of the logged document that revokes a contract."""
    return f"data-contract-end:{contract_id}"


def contract_document(contract: DataContract) -> Document:
    """Return the document by which the log knows a contract: its hash and both signatures."""
    fields = {
        "buyer_signature": _base64(contract.buyer_signature),
        "contract": contract.sha256,
        "seller_signature": _base64(contract.seller_signature),
    }
    return Document(kind=CONTRACT_KIND, private=fields)


def revocation_document(contract: DataContract) -> Document:
    """Return the document by which the log knows the revocation of a contract."""
    hashed = sha256_of(bytes(contract.revocation_body or b""))
    fields = {"revocation": hashed, "signature": _base64(contract.revocation_signature)}
    return Document(kind=REVOCATION_KIND, private=fields)


def read_contract(contract: DataContract) -> ContractText:
    """Return what a contract says.

    Raises
    ------
    TermsBroken
        If its text, a signature, its revocation or one of its columns is not what was signed.
    """
    body = bytes(contract.body)
    try:
        text = ContractText.read(body)
        for signature, key in (
            (contract.buyer_signature, contract.buyer_key),
            (contract.seller_signature, contract.seller_key),
        ):
            if signature is not None:
                check_signature(
                    body=body, signature=bytes(signature), public_key=bytes(key.public_key)
                )
        is_whole = sha256_of(body) == contract.sha256 and _columns_are_those_of(contract, text)
        is_whole = is_whole and _revocation_is_whole(contract)
    except (TermsBroken, Invalid) as error:
        raise contract_broken(contract) from error
    if not is_whole:
        raise contract_broken(contract)
    return text


def find_contract(
    *, contract_id: int, participant_ids: Sequence[int], is_operator: bool = False
) -> ContractLine | None:
    """Return a contract for one of its sides, or for the operator while it is disputed.

    Parameters
    ----------
    participant_ids : sequence of int
        Whom the reader acts for; of two that are sides, the first one reads.

    Returns
    -------
    ContractLine or None
        None if there is none that the reader may see.
    """
    may_read = _own(participant_ids)
    if is_operator:
        may_read |= _disputed()
    contracts = DataContract.objects.filter(may_read, id=contract_id)
    found = contracts.select_related("version", "product").first()
    if found is None:
        return None
    names, booked = _around([found])
    return _line(found, _reader(found, participant_ids), names, booked)


def list_contracts(
    *, participant_ids: Sequence[int], before_id: int | None = None, limit: int = 100
) -> list[ContractLine | BrokenContract]:
    """Return participants' contracts as buyer and as seller, the latest first."""
    own = DataContract.objects.filter(_own(participant_ids))
    if before_id is not None:
        own = own.filter(id__lt=before_id)
    found = list(own.select_related("version", "product").order_by("-id")[:limit])
    names, booked = _around(found)
    return [_line_or_broken(each, _reader(each, participant_ids), names, booked) for each in found]


def is_whole(contract: DataContract) -> bool:
    """Tell whether a contract is what was signed, for a row of a list that must be shown anyway."""
    try:
        read_contract(contract)
    except TermsBroken:
        return False
    return True


def contract_lines(contract: DataContract) -> bytes:
    """Return what a logged contract stands for: the text, then both signatures."""
    signatures = (contract.buyer_signature, contract.seller_signature)
    lines = [bytes(contract.body), *(_base64(each).encode() for each in signatures)]
    return b"".join(line + b"\n" for line in lines)


def revocation_lines(contract: DataContract) -> bytes:
    """Return what a logged revocation stands for: the text and its signature."""
    lines = (
        bytes(contract.revocation_body or b""),
        _base64(contract.revocation_signature).encode(),
    )
    return b"".join(line + b"\n" for line in lines)


def list_own_contract_documents(
    *, participant_id: int
) -> list[tuple[str, DocumentKind, datetime, tuple[str, ...]]]:
    """Return what was logged of a participant's contracts: key, kind, since when, field names."""
    signed = DataContract.objects.filter(_own([participant_id]), agreed_at__isnull=False)
    found: list[tuple[str, DocumentKind, datetime, tuple[str, ...]]] = []
    for number, state, agreed_at, closed_at in signed.order_by("-id").values_list(
        "id", "state", "agreed_at", "closed_at"
    ):
        if state == DataContract.State.REVOKED and closed_at is not None:
            names: tuple[str, ...] = ("key", "revocation", "signature")
            found.append((revocation_log_key(number), REVOCATION_KIND, closed_at, names))
        if agreed_at is not None:
            names = ("buyer_signature", "contract", "key", "seller_signature")
            found.append((contract_log_key(number), CONTRACT_KIND, agreed_at, names))
    return found


def list_contract_texts(*, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield by logged key what contracts and their revocations stand for."""
    numbers = {key: int(named[1]) for key in keys if (named := _LOG_KEY.fullmatch(key))}
    found = DataContract.objects.in_bulk(set(numbers.values())) if numbers else {}
    for key, number in numbers.items():
        contract = found.get(number)
        if contract is None or contract.agreed_at is None:
            continue
        if key == contract_log_key(number):
            yield key, contract_lines(contract)
        elif contract.state == DataContract.State.REVOKED:
            yield key, revocation_lines(contract)


def _columns_are_those_of(contract: DataContract, text: ContractText) -> bool:
    return (
        text.seller.participant_id == contract.seller_id == contract.seller_key.participant_id
        and text.buyer.participant_id == contract.buyer_id == contract.buyer_key.participant_id
        and text.seller.public_key == bytes(contract.seller_key.public_key)
        and text.buyer.public_key == bytes(contract.buyer_key.public_key)
        and text.product_id == contract.product_id == contract.version.product_id
        and text.version_number == contract.version.number
        and text.manifest_sha256 == contract.version.manifest_sha256
        and text.currency == contract.currency
        and text.valid_from == contract.valid_from
        and text.valid_until == contract.valid_until
    )


def _revocation_is_whole(contract: DataContract) -> bool:
    if contract.state != DataContract.State.REVOKED:
        return True
    key = contract.revocation_key
    if contract.revocation_body is None or contract.revocation_signature is None or key is None:
        return False
    body, public_key = bytes(contract.revocation_body), bytes(key.public_key)
    check_signature(
        body=body, signature=bytes(contract.revocation_signature), public_key=public_key
    )
    revocation = ContractRevocation.read(body)
    return (
        revocation.revokes_sha256 == contract.sha256
        and revocation.public_key == public_key
        and revocation.participant_id in (contract.seller_id, contract.buyer_id)
        and revocation.participant_id == key.participant_id
    )


def _own(participant_ids: Sequence[int]) -> Q:
    return Q(seller_id__in=participant_ids) | Q(buyer_id__in=participant_ids)


def _disputed() -> Q:
    open_ = DataDispute.objects.filter(state=DataDispute.State.OPEN)
    return Q(id__in=open_.values("charge__contract_id"))


def _around(contracts: Sequence[DataContract]) -> tuple[dict[int, str], set[str]]:
    """Return the names of contracts' sides, and the keys of those that the log has.

    The contracts get their sides' rows on the way.
    """
    attach_sides(contracts)
    names = names_of(side for each in contracts for side in (each.seller, each.buyer))
    answers = get_answers(keys=[contract_log_key(each.pk) for each in contracts])
    return names, {key for key, answer in answers.items() if answer.state == "booked"}


def _line_or_broken(
    contract: DataContract, reader_id: int | None, names: Mapping[int, str], booked: set[str]
) -> ContractLine | BrokenContract:
    try:
        return _line(contract, reader_id, names, booked)
    except TermsBroken:
        return BrokenContract(
            id=contract.pk,
            side="operator" if reader_id is None else _side(contract, reader_id),
            state=STATES[contract.state],
            product_title=contract.product.title,
            seller_name=names[contract.seller_id],
            buyer_name=names[contract.buyer_id],
            proposed_at=contract.proposed_at,
            agreed_at=contract.agreed_at,
            closed_at=contract.closed_at,
            sha256=contract.sha256,
        )


def _line(
    contract: DataContract, reader_id: int | None, names: Mapping[int, str], booked: set[str]
) -> ContractLine:
    product, revoked_with = contract.product, contract.revocation_key
    return ContractLine(
        id=contract.pk,
        text=read_contract(contract),
        reader_id=reader_id,
        side="operator" if reader_id is None else _side(contract, reader_id),
        state=STATES[contract.state],
        product_title=product.title,
        seller_name=names[contract.seller_id],
        buyer_name=names[contract.buyer_id],
        accepts_automatically=product.accepts_automatically and not contract.seller_key.is_own,
        proposed_at=contract.proposed_at,
        agreed_at=contract.agreed_at,
        closed_at=contract.closed_at,
        revoked_by=_side(contract, revoked_with.participant_id) if revoked_with else "",
        sha256=contract.sha256,
        is_logged=contract_log_key(contract.pk) in booked,
    )


def _reader(contract: DataContract, participant_ids: Sequence[int]) -> int | None:
    """Return whom of those a reader acts for the contract is with; None: they are the operator."""
    sides = (contract.buyer_id, contract.seller_id)
    return next((each for each in participant_ids if each in sides), None)


def _side(contract: DataContract, participant_id: int) -> Literal["buyer", "seller"]:
    return "buyer" if contract.buyer_id == participant_id else "seller"


def _base64(signature: bytes | memoryview | None) -> str:
    return base64.b64encode(bytes(signature or b"")).decode()


def contract_broken(contract: DataContract) -> TermsBroken:
    """Return the error about a contract that is not what was signed."""
    return TermsBroken(
        N_("{key} is not what was signed: restore it from a backup and verify the ledger"),
        key=contract_log_key(contract.pk),
    )
