"""The key of a delivery: given once the money is in escrow; wrapped anew for who lost theirs.

HPKE makes another wrap every time: what was stored and logged first is what the buyer always gets.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gate.exchange import Reception, Rewrap, wrap_key
from gate.keys import check_key
from gate.manifest import PackageBroken
from marketplace.domain.data.contract import ContractText
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, DeliveryClosed, DepositKeyMissing, Invalid
from marketplace.models import DataCharge, DataDelivery, DataRewrap
from marketplace.services.data import charges
from marketplace.services.data.delivery_rows import locked_own, log_step, note_problem, tell
from marketplace.services.data.delivery_texts import (
    check_buyer,
    check_fresh,
    check_to,
    read_text,
    sha256_of,
    signed,
)
from marketplace.services.data.deposit_key import open_for_hall, open_version_key

State = DataDelivery.State
KEY_LOST: Final = "key_lost"
REWRAPS_MAX: Final = 100


def take_money(*, delivery: DataDelivery, now: datetime) -> None:
    """Have the ledger move the money into escrow, if the key can be given then.

    The delivery is locked and acknowledged; joins the caller's transaction. The money comes first:
    the other way round its hold could run out between the key and the booking.
    """
    charge = delivery.charge
    if charge.state != DataCharge.State.HELD or (charge.held_micro and now >= charge.expires_at):
        return
    problem = "" if find_key(delivery) is not None else KEY_LOST
    note_problem(delivery, problem, now)
    if problem:
        return
    times = ContractText.read(bytes(delivery.contract.body)).times
    charges.deliver_charge(
        charge_id=delivery.charge_id,
        due_micro=charge.held_micro,
        credit_micro=0,
        window=timedelta(seconds=times.window_s),
        now=now,
    )


def give_key(*, delivery: DataDelivery, now: datetime) -> bool:
    """Wrap the key for the buyer, once, and log the wrap; the money is in escrow.

    The delivery is locked and acknowledged; joins the caller's transaction. False: the hall has
    lost the key meanwhile.
    """
    key = find_key(delivery)
    if key is None:
        note_problem(delivery, KEY_LOST, now)
        return False
    request = Reception.read(bytes(delivery.receipt_body or b""))
    wrap = wrap_key(key=key, request=request)
    # HPKE makes another wrap every time: what is logged and stored first stays.
    waiting = DataDelivery.objects.filter(
        pk=delivery.pk, state=State.ACKNOWLEDGED, wrap__isnull=True
    )
    if not waiting.update(wrap=wrap, state=State.KEY_OUT, key_out_at=now, problem=""):
        return False
    charges.begin_window(charge_id=delivery.charge_id, now=now)
    log_step(delivery, "key", {"reception": request.digest(), "wrap": sha256_of(wrap)}, now)
    tell(delivery, delivery.contract.buyer_id, NoticeKind.DELIVERY_KEY_OUT, now)
    return True


@transaction.atomic
def rewrap(
    *,
    delivery_id: int,
    participant_ids: Collection[int],
    body: bytes,
    signature: bytes | None,
    now: datetime,
) -> bytes:
    """Wrap the key once more, for another key that the same buyer signs for; nobody pays again.

    Raises
    ------
    DeliveryClosed
        If the key is not out, or the hall has it no more.
    Invalid
        If it is not the next request of this delivery's buyer.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=False)
    text = read_text(Rewrap, body)
    before = DataRewrap.objects.filter(delivery=delivery, number=int(text.number)).first()
    if before is not None and bytes(before.body) == body:
        return bytes(before.wrap)
    key = find_key(delivery)
    if delivery.wrap is None or key is None:
        raise DeliveryClosed(N_("The key of this delivery was not given yet."))
    count = DataRewrap.objects.filter(delivery=delivery).count()
    if int(text.number) != count + 1 or count >= REWRAPS_MAX:
        raise Invalid("body", N_("This is not the text that was to be signed."))
    if text.reception != Reception.read(bytes(delivery.receipt_body or b"")).digest():
        raise Invalid("body", N_("This is not the text that was to be signed."))
    check_fresh(text.issued, since=delivery.key_out_at, now=now)
    check_buyer(delivery, text)
    check_to(text.to)
    wrap = wrap_key(key=key, request=text)
    made = DataRewrap.objects.create(
        delivery=delivery,
        number=count + 1,
        body=body,
        signature=signed(delivery.contract.buyer_key, body, signature),
        wrap=wrap,
        created_at=now,
    )
    log_step(
        delivery, f"rewrap-{made.number}", {"request": text.digest(), "wrap": sha256_of(wrap)}, now
    )
    return wrap


@transaction.atomic
def deposit_again(
    *, delivery_id: int, participant_ids: Collection[int], sealed_key: bytes, now: datetime
) -> None:
    """Take in the key once more from a seller who still has it, after the hall lost it.

    Raises
    ------
    Invalid
        If it does not open for the hall, or is not the key that the seller committed to.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=True)
    version = delivery.contract.version
    package_id = bytes.fromhex(version.package)
    try:
        key = open_for_hall(package_id=package_id, sealed_key=sealed_key)
        check_key(package_id, key, version.key_commitment)
    except PackageBroken as error:
        raise Invalid("sealed_key", N_("This is not the key of the package.")) from error
    delivery.sealed_key = sealed_key
    delivery.save(update_fields=["sealed_key"])
    if delivery.state == State.ACKNOWLEDGED:
        take_money(delivery=delivery, now=now)


def find_key(delivery: DataDelivery) -> bytes | None:
    """Return the key of a delivery's package, the one committed to; None if the hall lost it."""
    version = delivery.contract.version
    package_id = bytes.fromhex(version.package)
    try:
        if delivery.sealed_key is not None:
            sealed = bytes(delivery.sealed_key)
            key = open_for_hall(package_id=package_id, sealed_key=sealed)
        else:
            key = open_version_key(version)
        check_key(package_id, key, version.key_commitment)
    except (PackageBroken, DepositKeyMissing):
        return None
    return key
