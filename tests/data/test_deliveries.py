"""The fair exchange: its ordinary way, and everybody who would cheat or be late."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings
from django.db import DatabaseError, transaction
from django.test import override_settings

from gate.exchange import Origin, Rewrap, base64_of, micros_of, unwrap_key
from gate.keys import deposit_info, new_key, seal
from ledger.queries import get_answers, get_balances
from ledger.services import open_accounts
from marketplace.domain.data.charges import escrow_path
from marketplace.errors import DeliveryClosed, Invalid, NotFound, SignatureNeeded, TermsBroken
from marketplace.models import DataCharge, DataDelivery, DataRewrap, Notice, Participant
from marketplace.queries.data.delivery_checks import verify_deliveries
from marketplace.services.data.deliveries import accept, draft_origin, offer
from marketplace.services.data.delivery_key import deposit_again, give_key, rewrap
from marketplace.services.data.delivery_rows import lock_delivery
from marketplace.services.data.delivery_scan import advance_deliveries
from marketplace.services.data.deposit_key import get_deposit_key, open_version_key
from marketplace.services.data.storage import package_path
from marketplace.services.places import money_unit
from tests.data.exchanging import (
    CONTENT,
    DAY,
    FUNDS_MICRO,
    NOW,
    PRICE_MICRO,
    READ_ME,
    Exchange,
    Trader,
    book,
    exchange,
    go_on,
    opened,
    to_state,
    trader,
)

Role = Participant.Role
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hall(tmp_path: Path) -> Iterator[None]:
    with override_settings(DATA_FOLDER=tmp_path / "data", DATA_KEY_FILE=tmp_path / "data.key"):
        yield


@pytest.fixture
def ada() -> Trader:
    return trader("Ada", Role.DATA_PROVIDER)


@pytest.fixture
def ben() -> Trader:
    return trader("Ben", Role.ENTERPRISE, funds_micro=FUNDS_MICRO, has_own_key=True)


@pytest.fixture
def sold(ada: Trader, ben: Trader) -> Exchange:
    return exchange(ada, ben)


def escrow() -> int:
    path = escrow_path("CNY")
    account = open_accounts(paths=[path], unit=money_unit("CNY"), overdraft_limit=0)[path]
    return get_balances(account_ids=[account])[account].posted


def window_is_over(each: Exchange) -> datetime:
    ends = each.row.charge.window_ends_at
    assert ends is not None
    return ends


def test_a_file_goes_to_its_buyer_and_the_money_to_its_seller(
    sold: Exchange, ada: Trader, ben: Trader
) -> None:
    assert sold.state == "WAITING"
    go_on()
    assert (sold.state, sold.row.wrap) == ("OFFERED", None)
    cipher = package_path(sold.contract.version.package).read_bytes()
    sold.receive()
    # Acknowledged and not booked: there is no key yet.
    assert (sold.state, sold.row.wrap, sold.money) == ("ACKNOWLEDGED", None, "DELIVERING")
    go_on()
    assert (sold.state, sold.money) == ("KEY_OUT", "IN_WINDOW")
    assert opened(sold, cipher, sold.key()) == CONTENT + READ_ME
    assert (ben.balance, ada.balance, escrow()) == (FUNDS_MICRO - PRICE_MICRO, 0, PRICE_MICRO)

    text = sold.acceptance()
    accept(
        delivery_id=sold.id,
        participant_ids=[ben.participant_id],
        body=text.body(),
        signature=ben.sign(text),
        now=NOW,
    )
    assert sold.state == "ACCEPTED"
    go_on(window_is_over(sold))
    assert (sold.state, sold.money) == ("ENDED", "PAID")
    assert (ben.balance, ada.balance, escrow()) == (FUNDS_MICRO - PRICE_MICRO, PRICE_MICRO, 0)
    steps = ("origin", "reception", "key", "outcome", "end")
    answers = get_answers(keys=[f"data-{step}:{sold.id}" for step in steps])
    assert {key: each.state for key, each in answers.items()} == {
        f"data-{step}:{sold.id}": "booked" for step in steps
    }
    told = set(Notice.objects.values_list("participant_id", "kind"))
    assert {(ben.participant_id, "delivery_offered"), (ben.participant_id, "delivery_key_out")} <= (
        told
    )


def test_every_step_taken_twice_is_taken_once(sold: Exchange, ben: Trader) -> None:
    go_on()
    text = sold.reception()
    sold.receive(text)
    sold.receive(text)
    go_on()
    wrap = sold.row.wrap
    sold.receive(text)
    go_on()
    with transaction.atomic():
        assert not give_key(delivery=lock_delivery(sold.id), now=NOW)

    assert sold.row.wrap == wrap
    assert ben.balance == FUNDS_MICRO - PRICE_MICRO
    with pytest.raises(DeliveryClosed):
        sold.receive(replace(text, issued=micros_of(NOW + timedelta(seconds=1))))


def test_free_data_takes_the_same_way_without_money(ada: Trader, ben: Trader) -> None:
    free = exchange(ada, ben, price_micro=0)
    to_state(free, "KEY_OUT")

    cipher = package_path(free.contract.version.package).read_bytes()
    assert opened(free, cipher, free.key()) == CONTENT + READ_ME
    go_on(window_is_over(free))
    assert (free.state, free.money, ben.balance) == ("ENDED", "PAID", FUNDS_MICRO)


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


def test_a_seller_with_a_key_of_their_own_signs_the_origin(ben: Trader) -> None:
    ada = trader("Ada", Role.DATA_PROVIDER, has_own_key=True)
    each = exchange(ada, ben)
    go_on()
    assert each.state == "HELD"
    with pytest.raises(SignatureNeeded):
        each.offer()
    own = [ada.participant_id]
    text = draft_origin(delivery_id=each.id, participant_ids=own, now=NOW)
    # Another version, another package, another root, another key: none of it is this contract's.
    for name in ("contract", "version", "package", "root", "key_commitment"):
        _refused_origin(each, replace(text, **{name: "0" * 64}))
    _refused_origin(each, replace(text, chunks="1"))
    _refused_origin(each, replace(text, issued=micros_of(NOW - DAY)))
    with pytest.raises(Invalid):
        offer(
            delivery_id=each.id,
            participant_ids=own,
            body=text.body(),
            signature=ben.sign(text),
            now=NOW,
        )
    with pytest.raises(NotFound):
        draft_origin(delivery_id=each.id, participant_ids=[ben.participant_id], now=NOW)
    for _ in range(2):
        offer(
            delivery_id=each.id,
            participant_ids=own,
            body=text.body(),
            signature=ada.sign(text),
            now=NOW,
        )
    assert each.state == "OFFERED"
    assert Origin.read(bytes(each.row.origin_body or b"")) == text


def _refused_origin(each: Exchange, text: Origin) -> None:
    with pytest.raises(Invalid):
        offer(
            delivery_id=each.id,
            participant_ids=[each.seller.participant_id],
            body=text.body(),
            signature=each.seller.sign(text),
            now=NOW,
        )


def test_only_a_true_reception_counts(sold: Exchange, ada: Trader) -> None:
    go_on()
    good = sold.reception()
    strange = base64_of(b"s" * 32)
    for text in (
        replace(good, root="0" * 64),
        replace(good, origin="0" * 64),
        replace(good, to="00" * 32),
        replace(good, buyer_key=strange),
        replace(good, issued=micros_of(NOW - DAY)),
    ):
        with pytest.raises(Invalid):
            sold.receive(text)
    with pytest.raises(NotFound):
        Exchange(ada, ada, sold.id).receive(good)
    assert (sold.state, sold.row.receipt_body) == ("OFFERED", None)


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


def test_the_database_gives_no_key_before_the_money_and_no_second_wrap(sold: Exchange) -> None:
    to_state(sold, "ACKNOWLEDGED")
    rows = DataDelivery.objects.filter(pk=sold.id)
    _forbidden(lambda: rows.update(wrap=b"w"))
    _forbidden(lambda: rows.update(receipt_body=b"{}"))
    go_on()
    _forbidden(lambda: rows.update(wrap=b"w"))
    _forbidden(lambda: rows.update(origin_signature=b"s"))
    _forbidden(rows.delete)
    assert sold.state == "KEY_OUT"


def _forbidden(act: Callable[[], object]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        act()


def test_the_verification_sees_what_was_never_signed_or_logged(
    sold: Exchange, ada: Trader, ben: Trader
) -> None:
    to_state(sold, "KEY_OUT")
    lapsed = exchange(ada, ben, automatic=False)
    go_on()
    go_on(lapsed.row.offer_by)
    assert verify_deliveries() == 2
    text = Rewrap(
        sold.reception().digest(),
        "1",
        "11" * 32,
        base64_of(bytes(sold.contract.buyer_key.public_key)),
        micros_of(NOW),
    )
    _differs(lambda: DataDelivery.objects.filter(pk=sold.id).update(state=9))
    _differs(lambda: DataDelivery.objects.filter(pk=lapsed.id).update(state=11))
    # A wrap that nobody asked for, and one that was asked for but never logged.
    for signature in (b"s" * 64, ben.sign(text)):
        _differs(
            lambda signature=signature: DataRewrap.objects.create(
                delivery=sold.row,
                number=1,
                body=text.body(),
                signature=signature,
                wrap=b"w",
                created_at=NOW,
            )
        )
    assert verify_deliveries() == 2


def _differs(lie: Callable[[], object]) -> None:
    with transaction.atomic():
        lie()
        with pytest.raises(TermsBroken, match="delivery"):
            verify_deliveries()
        transaction.set_rollback(True)


def test_a_dispute_freezes_and_ends_with_its_money(sold: Exchange) -> None:
    to_state(sold, "KEY_OUT")
    charge = DataCharge.objects.filter(pk=sold.row.charge_id)
    charge.update(state=DataCharge.State.DISPUTED)
    advance_deliveries(now=NOW)
    assert sold.state == "DISPUTED"
    charge.update(state=DataCharge.State.IN_WINDOW)
    advance_deliveries(now=NOW)
    assert sold.state == "KEY_OUT"
