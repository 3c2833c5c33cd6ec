"""The fair exchange when somebody is late, or loses a key: nobody has key or money too much."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings
from django.db import transaction

from gate.exchange import Rewrap, base64_of, micros_of, unwrap_key
from gate.keys import deposit_info, new_key, seal
from marketplace.errors import Invalid, NotFound
from marketplace.models import DataRewrap, Notice, Participant
from marketplace.services.data.delivery_key import deposit_again, rewrap
from marketplace.services.data.delivery_rows import lock_delivery
from marketplace.services.data.deposit_key import get_deposit_key, open_version_key
from marketplace.services.data.storage import package_path
from tests.data.exchanging import (
    DAY,
    FUNDS_MICRO,
    NOW,
    PRICE_MICRO,
    Exchange,
    Trader,
    book,
    escrow,
    exchange,
    go_on,
    to_state,
    trader,
)

Role = Participant.Role
pytestmark = pytest.mark.django_db


def _seller_vanishes(each: Exchange) -> None:
    go_on()
    assert each.state == "HELD"
    go_on(each.row.offer_by)


def _buyer_never_acknowledges(each: Exchange) -> None:
    to_state(each, "OFFERED")
    go_on(each.row.receive_by)


def _hold_runs_out_before_it_is_booked(each: Exchange) -> None:
    """The proof of reception came in time, the ledger's clock says it is too late."""
    to_state(each, "OFFERED")
    trader("Late", Role.ENTERPRISE, funds_micro=1)
    book(each.row.charge.expires_at + DAY)
    each.receive()
    assert each.money == "DELIVERING"
    go_on(each.row.charge.expires_at + DAY)


def _hall_loses_its_key(each: Exchange) -> None:
    to_state(each, "OFFERED")
    _lose_deposit_key()
    each.receive()
    go_on()
    assert (each.state, each.row.problem, each.money) == ("ACKNOWLEDGED", "key_lost", "HELD")
    go_on(each.row.key_by)


def _hall_loses_its_key_after_the_money(each: Exchange) -> None:
    to_state(each, "ACKNOWLEDGED")
    _lose_deposit_key()
    go_on()
    assert (each.state, each.money) == ("ACKNOWLEDGED", "IN_WINDOW")
    go_on(each.row.key_by)


def _package_is_gone(each: Exchange) -> None:
    package_path(each.contract.version.package).unlink()
    go_on()
    assert (each.state, each.row.problem) == ("HELD", "package_missing")
    go_on(each.row.offer_by)


def _lose_deposit_key() -> None:
    get_deposit_key()
    settings.DATA_KEY_FILE.unlink()


@pytest.mark.parametrize(
    ("befalls", "automatic", "state", "money"),
    [
        (_seller_vanishes, False, "LAPSED_SELLER", "RELEASED"),
        (_package_is_gone, True, "LAPSED_SELLER", "RELEASED"),
        (_buyer_never_acknowledges, True, "LAPSED_BUYER", "RELEASED"),
        (_hold_runs_out_before_it_is_booked, True, "LAPSED_HALL", "RELEASED"),
        (_hall_loses_its_key, True, "LAPSED_HALL", "RELEASED"),
        (_hall_loses_its_key_after_the_money, True, "LAPSED_HALL", "REFUNDED"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_whoever_is_late_nobody_has_key_or_money(
    *,
    ada: Trader,
    ben: Trader,
    befalls: Callable[[Exchange], None],
    automatic: bool,
    state: str,
    money: str,
) -> None:
    each = exchange(ada, ben, automatic=automatic)
    befalls(each)

    assert (each.state, each.money, each.row.wrap) == (state, money, None)
    assert (ben.balance, ada.balance, escrow()) == (FUNDS_MICRO, 0, 0)
    told = Notice.objects.filter(kind="delivery_lapsed").values_list("participant_id", flat=True)
    assert set(told) == {ada.participant_id, ben.participant_id}
    # What lapsed stays so, whoever comes late.
    go_on(NOW + 20 * DAY)
    assert each.state == state


def test_a_buyer_without_money_has_no_delivery(ada: Trader) -> None:
    poor = trader("Poor", Role.ENTERPRISE, funds_micro=PRICE_MICRO - 1)
    each = exchange(ada, poor)
    go_on()

    assert (each.state, each.money, poor.balance) == ("CANCELLED", "REFUSED", PRICE_MICRO - 1)


def test_a_buyer_who_lost_the_key_gets_another_wrap_and_pays_once(
    sold: Exchange, ben: Trader, ada: Trader
) -> None:
    to_state(sold, "KEY_OUT")
    first, key = sold.row.wrap, sold.key()
    private = X25519PrivateKey.generate()

    def asked(number: int = 1) -> Rewrap:
        return Rewrap(
            sold.reception().digest(),
            str(number),
            private.public_key().public_bytes_raw().hex(),
            base64_of(bytes(sold.contract.buyer_key.public_key)),
            micros_of(NOW),
        )

    def ask(text: Rewrap, whom: Trader = ben) -> bytes:
        return rewrap(
            delivery_id=sold.id,
            participant_ids=[whom.participant_id],
            body=text.body(),
            signature=ben.sign(text),
            now=NOW,
        )

    wrap = ask(asked())
    assert ask(asked()) == wrap
    assert unwrap_key(wrap=wrap, request=asked(), private_key=private) == key
    for wrong in (asked(3), replace(asked(2), reception="0" * 64), replace(asked(2), to="00" * 32)):
        with pytest.raises(Invalid):
            ask(wrong)
    with pytest.raises(NotFound):
        ask(asked(2), ada)
    go_on()
    assert (sold.row.wrap, ben.balance) == (first, FUNDS_MICRO - PRICE_MICRO)
    assert DataRewrap.objects.count() == 1


def test_a_lost_key_is_deposited_again(sold: Exchange, ada: Trader) -> None:
    version = sold.contract.version
    package_id = bytes.fromhex(version.package)
    key = open_version_key(version)
    to_state(sold, "OFFERED")
    # The hall's key is there, but what was sealed to it opens no more.
    with transaction.atomic():
        delivery = lock_delivery(sold.id)
        delivery.sealed_key = b"\0" * 80
        delivery.save(update_fields=["sealed_key"])
    sold.receive()
    go_on()
    assert (sold.state, sold.row.problem) == ("ACKNOWLEDGED", "key_lost")
    hall = get_deposit_key().public_key()
    for sealed in (
        seal(new_key(), hall, info=deposit_info(package_id)),
        seal(key, hall, info=deposit_info(b"\1" * 32)),
    ):
        with pytest.raises(Invalid):
            deposit_again(
                delivery_id=sold.id,
                participant_ids=[ada.participant_id],
                sealed_key=sealed,
                now=NOW,
            )
    deposit_again(
        delivery_id=sold.id,
        participant_ids=[ada.participant_id],
        sealed_key=seal(key, hall, info=deposit_info(package_id)),
        now=NOW,
    )
    go_on()
    assert (sold.state, sold.row.problem, sold.key()) == ("KEY_OUT", "", key)
