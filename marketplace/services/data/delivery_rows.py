"""Deliveries' rows: found for their side, locked, their steps logged and told."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from gate.manifest import Manifest
from ledger.services import submit
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, NotFound
from marketplace.models import DataDelivery
from marketplace.queries.data.delivery_checks import step_document, step_key
from marketplace.services.data.storage import package_path
from marketplace.services.notices import notify

PACKAGE_MISSING: Final = "package_missing"
RELATED: Final = (
    "charge",
    "contract__version__product",
    "contract__seller_key",
    "contract__buyer_key",
)


def lock_delivery(delivery_id: int) -> DataDelivery:
    """Return a delivery whose row is locked until the transaction ends."""
    return (
        DataDelivery.objects.select_for_update(no_key=True, of=("self",))
        .select_related(*RELATED)
        .get(pk=delivery_id)
    )


def locked_own(delivery_id: int, participant_ids: Collection[int], *, sells: bool) -> DataDelivery:
    find_own(delivery_id, participant_ids, sells=sells)
    return lock_delivery(delivery_id)


def find_own(delivery_id: int, participant_ids: Collection[int], *, sells: bool) -> DataDelivery:
    side = "contract__seller__in" if sells else "contract__buyer__in"
    found = (
        DataDelivery.objects.select_related(*RELATED)
        .filter(pk=delivery_id, **{side: list(participant_ids)})
        .first()
    )
    if found is None:
        raise NotFound(N_("There is no such delivery of yours."))
    return found


def is_package_there(delivery: DataDelivery) -> bool:
    """Tell whether the ciphertext stands in the hall, whole as far as its length tells."""
    manifest = Manifest.from_bytes(bytes(delivery.contract.version.manifest or b""))
    try:
        size = package_path(delivery.contract.version.package).stat().st_size
    except OSError:
        return False
    return size == manifest.package.cipher_byte_count


def log_step(delivery: DataDelivery, step: str, private: dict[str, str], now: datetime) -> None:
    """Log a step by hashes; which contract it is of is for its parties to know."""
    document = step_document(delivery.contract.sha256, step, private)
    submit(commands=[document.command(step_key(delivery.pk, step))], submitted_at=now)


def tell(delivery: DataDelivery, participant_id: int, kind: NoticeKind, now: datetime) -> None:
    notify(
        participant_id=participant_id,
        kind=kind,
        key=f"delivery:{delivery.pk}",
        subject={"delivery": delivery.pk, "title": delivery.contract.version.product.title},
        now=now,
    )


def note_problem(delivery: DataDelivery, problem: str, now: datetime) -> None:
    """Note what somebody must mend, or that it is mended; the seller is told of the first."""
    if delivery.problem == problem:
        return
    delivery.problem = problem
    delivery.save(update_fields=["problem"])
