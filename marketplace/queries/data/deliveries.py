"""Deliveries as their two sides see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from django.db.models import Q, QuerySet

from gate.manifest import Manifest
from marketplace.models import DataCharge, DataContract, DataDelivery, DataRewrap
from marketplace.queries.data.contract_sides import attach_sides
from marketplace.queries.data.contracts import is_whole
from marketplace.queries.identity import names_of

Side = Literal["buyer", "seller"]
State = DataDelivery.State
# The ciphertext may be fetched from the offer on, as long as nobody has revoked.
FETCHABLE: Final = (
    State.OFFERED,
    State.ACKNOWLEDGED,
    State.KEY_OUT,
    State.ACCEPTED,
    State.DISPUTED,
    State.ENDED,
)


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery in a list.

    ``other_name`` is empty of somebody who was erased; ``is_whole`` tells whether the contract is
    what was signed.
    """

    id: int
    contract_id: int
    product_id: int
    version_number: int
    title: str
    side: Side
    other_name: str
    state: str
    problem: str
    price_micro: int
    currency: str
    waits_until: datetime | None
    agreed_at: datetime | None
    is_whole: bool


@dataclass(frozen=True)
class Package:
    """What of a delivery is fetched: the ciphertext of a version's package."""

    delivery_id: int
    folder: str
    root: str
    byte_count: int


@dataclass(frozen=True)
class DeliveryDetail:
    """A delivery with its texts and times; what is not there yet is None."""

    line: DeliveryLine
    version_id: int
    contract_sha256: str
    contract_state: str
    manifest: Manifest
    money: str
    charge_id: int
    offer_by: datetime
    receive_by: datetime
    key_by: datetime
    offered_at: datetime | None
    received_at: datetime | None
    key_out_at: datetime | None
    window_ends_at: datetime | None
    ended_at: datetime | None
    served_bytes: int
    origin_body: bytes | None
    origin_signature: bytes | None
    receipt_body: bytes | None
    wrap: bytes | None
    rewraps: tuple[tuple[bytes, bytes], ...]
    outcome_body: bytes | None
    buyer_signs_in_custody: bool
    seller_signs_in_custody: bool
    buyer_key: bytes
    seller_key: bytes

    @property
    def documents(self) -> dict[str, tuple[str, ...]]:
        """What the log should have of it by now: keys, and the fields that both sides may see."""
        line = self.line
        keys: dict[str, tuple[str, ...]] = {
            f"data-version:{self.version_id}": ("key",),
            f"data-contract:{line.contract_id}": ("contract", "key"),
        }
        steps = {
            "origin": (self.origin_body, ("contract", "key", "origin")),
            "reception": (self.receipt_body, ("contract", "key", "reception")),
            "key": (self.wrap, ("contract", "key", "reception", "wrap")),
            "outcome": (self.outcome_body, ("contract", "key")),
            "end": (self.ended_at, ("contract", "end", "key")),
        }
        return keys | {
            f"data-{step}:{line.id}": names
            for step, (there, names) in steps.items()
            if there is not None
        }

    @property
    def can_fetch(self) -> bool:
        """Whether the ciphertext is served."""
        is_agreed = self.contract_state != "revoked"
        return is_agreed and self.line.state in {each.name.lower() for each in FETCHABLE}


def list_deliveries(
    *, participant_ids: Collection[int], before_id: int | None = None, limit: int = 100
) -> list[DeliveryLine]:
    """Return the deliveries of some participants, as buyers and as sellers, newest first."""
    found = _own(participant_ids)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return _lines(list(found.order_by("-pk")[:limit]), participant_ids)


def find_delivery(*, delivery_id: int, participant_ids: Collection[int]) -> DeliveryDetail | None:
    """Return a delivery for one of its sides; None if it is neither's."""
    row = _own(participant_ids).filter(pk=delivery_id).first()
    if row is None:
        return None
    contract, version = row.contract, row.contract.version
    rewraps = DataRewrap.objects.filter(delivery=row).order_by("number")
    return DeliveryDetail(
        line=_lines([row], participant_ids)[0],
        version_id=version.pk,
        contract_sha256=contract.sha256,
        contract_state=DataContract.State(contract.state).name.lower(),
        manifest=Manifest.from_bytes(bytes(version.manifest or b"")),
        money=DataCharge.State(row.charge.state).name.lower(),
        charge_id=row.charge_id,
        offer_by=row.offer_by,
        receive_by=row.receive_by,
        key_by=row.key_by,
        offered_at=row.offered_at,
        received_at=row.received_at,
        key_out_at=row.key_out_at,
        window_ends_at=row.charge.window_ends_at,
        ended_at=row.ended_at,
        served_bytes=row.served_bytes,
        origin_body=_bytes(row.origin_body),
        origin_signature=_bytes(row.origin_signature),
        receipt_body=_bytes(row.receipt_body),
        wrap=_bytes(row.wrap),
        rewraps=tuple((bytes(each.body), bytes(each.wrap)) for each in rewraps),
        outcome_body=_bytes(row.outcome_body),
        buyer_signs_in_custody=contract.buyer_key.sealed_private is not None,
        seller_signs_in_custody=contract.seller_key.sealed_private is not None,
        buyer_key=bytes(contract.buyer_key.public_key),
        seller_key=bytes(contract.seller_key.public_key),
    )


def find_delivery_id(*, contract_id: int, participant_ids: Collection[int]) -> int | None:
    """Return the delivery of a contract of theirs; None where there is none."""
    own = _own(participant_ids).filter(contract=contract_id)
    return own.values_list("pk", flat=True).first()


def find_package(*, delivery_id: int, participant_ids: Collection[int]) -> Package | None:
    """Return what the buyer may fetch just now; None for everybody else, and after the end."""
    row = (
        _own(participant_ids)
        .filter(pk=delivery_id, contract__buyer__in=list(participant_ids), **_fetchable())
        .first()
    )
    if row is None:
        return None
    version = row.contract.version
    manifest = Manifest.from_bytes(bytes(version.manifest or b""))
    return Package(
        row.pk, version.package, manifest.package.root, manifest.package.cipher_byte_count
    )


def may_fetch(*, delivery_id: int) -> bool:
    """Tell whether a delivery's ciphertext is still served: asked again while it goes out."""
    return DataDelivery.objects.filter(pk=delivery_id, **_fetchable()).exists()


def _fetchable() -> dict[str, object]:
    agreed = (DataContract.State.AGREED, DataContract.State.ENDED)
    return {"state__in": FETCHABLE, "contract__state__in": agreed}


def _own(participant_ids: Collection[int]) -> QuerySet[DataDelivery]:
    own = list(participant_ids)
    return DataDelivery.objects.filter(
        Q(contract__buyer__in=own) | Q(contract__seller__in=own)
    ).select_related("charge", "contract__version__product")


def _lines(rows: list[DataDelivery], participant_ids: Collection[int]) -> list[DeliveryLine]:
    attach_sides([row.contract for row in rows])
    others = [
        row.contract.seller if row.contract.buyer_id in participant_ids else row.contract.buyer
        for row in rows
    ]
    names = names_of(others)
    return [
        DeliveryLine(
            id=row.pk,
            contract_id=row.contract_id,
            product_id=row.contract.product_id,
            version_number=row.contract.version.number,
            title=row.contract.version.product.title,
            side="buyer" if row.contract.buyer_id in participant_ids else "seller",
            other_name=names[other.pk],
            state=State(row.state).name.lower(),
            problem=row.problem,
            price_micro=row.charge.held_micro,
            currency=row.contract.currency,
            waits_until=_waits_until(row),
            agreed_at=row.contract.agreed_at,
            is_whole=is_whole(row.contract),
        )
        for row, other in zip(rows, others, strict=True)
    ]


def _waits_until(row: DataDelivery) -> datetime | None:
    """Return the deadline of the step that is due."""
    by: dict[int, datetime | None] = {
        State.WAITING: row.offer_by,
        State.HELD: row.offer_by,
        State.OFFERED: row.receive_by,
        State.ACKNOWLEDGED: row.key_by,
        State.KEY_OUT: row.charge.window_ends_at,
    }
    return by.get(row.state)


def _bytes(stored: bytes | memoryview | None) -> bytes | None:
    return None if stored is None else bytes(stored)
