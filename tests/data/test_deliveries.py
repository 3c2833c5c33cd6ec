"""The fair exchange: its ordinary way, and everybody who would cheat."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import DatabaseError, transaction

from gate.exchange import Origin, Rewrap, base64_of, micros_of
from ledger.queries import get_answers
from marketplace.errors import DeliveryClosed, Invalid, NotFound, SignatureNeeded, TermsBroken
from marketplace.models import DataCharge, DataDelivery, DataRewrap, Notice, Participant
from marketplace.queries.data.delivery_checks import verify_deliveries
from marketplace.services.data.deliveries import accept, draft_origin, offer
from marketplace.services.data.delivery_key import give_key
from marketplace.services.data.delivery_rows import lock_delivery
from marketplace.services.data.delivery_scan import advance_deliveries
from marketplace.services.data.storage import package_path
from tests.data.exchanging import (
    CONTENT,
    DAY,
    FUNDS_MICRO,
    NOW,
    PRICE_MICRO,
    READ_ME,
    Exchange,
    Trader,
    escrow,
    exchange,
    go_on,
    opened,
    to_state,
    trader,
)

Role = Participant.Role
pytestmark = pytest.mark.django_db


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
        values = {"body": text.body(), "signature": signature, "wrap": b"w", "created_at": NOW}
        _differs(partial(DataRewrap.objects.create, delivery=sold.row, number=1, **values))
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
