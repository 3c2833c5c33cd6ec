"""The data market end to end: services, the ledger's worker and the scan of answers."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from ledger.errors import KeyReused
from marketplace.errors import (
    Invalid,
    ListingClosed,
    MarketplaceError,
    NotDeliverable,
    NotFound,
    RoleNotAllowed,
    WalletCurrencyDiffers,
    WalletMissing,
)
from marketplace.models import Delivery, Hold, Kind, Match, Offer, Participant, Request, Settlement
from marketplace.queries.data_files import (
    get_data_revenue_micro,
    list_matches,
    list_open_offers,
    list_own_offers,
    list_own_requests,
)
from marketplace.services import data_files
from marketplace.services.data_answers import Resolved, resolve_data_matches
from marketplace.services.people import add_participant
from marketplace.services.wallets import open_wallet, post_deposit
from tests.conftest import CommittedDatabase
from tests.data_files.people import (
    CONTENT,
    FUNDS_MICRO,
    NOW,
    OFFERED,
    PRICE_MICRO,
    WANTED,
    Person,
    book,
    book_and_resolve,
    person,
)

NOTHING = Resolved(0, 0, 0, 0)


def publish(seller: Person, price_micro: int = PRICE_MICRO, **terms: object) -> Offer:
    return data_files.publish_data_offer(
        participant_id=seller.id,
        terms={**OFFERED, **terms},
        price_micro=price_micro,
        file_name="bikes.csv",
        content=CONTENT,
        now=NOW,
    )


def ask(buyer: Person, limit_price_micro: int = PRICE_MICRO, **terms: object) -> Request:
    return data_files.post_data_request(
        participant_id=buyer.id,
        terms={**WANTED, **terms},
        limit_price_micro=limit_price_micro,
        now=NOW,
    )


def fetch(buyer: Person, match: Match, hours: float = 0) -> data_files.DeliveredFile:
    return data_files.deliver_data_file(
        match_id=match.id, participant_ids=[buyer.id], now=NOW + timedelta(hours=hours)
    )


@pytest.mark.parametrize("offer_first", [True, False])
def test_matched_held_delivered_settled(alice: Person, bob: Person, offer_first: bool) -> None:
    if offer_first:
        publish(alice)
    ask(bob, 5_000_000)
    if not offer_first:
        publish(alice)

    match = Match.objects.get()
    assert (match.state, match.price_micro) == (Match.State.MATCHED, PRICE_MICRO)
    assert match.deadline_at == NOW + timedelta(days=7)
    with pytest.raises(NotDeliverable):
        fetch(bob, match)
    assert resolve_data_matches(now=NOW) == NOTHING  # the worker has not answered

    assert book_and_resolve() == Resolved(held=1, refused=0, settled=0, released=0)
    assert (bob.wallet.pending_out, bob.wallet.available) == (PRICE_MICRO, 7_000_000)
    assert (alice.wallet.posted, alice.wallet.available) == (0, 0)

    file = fetch(bob, match)
    assert (file.content, file.name) == (CONTENT, "bikes.csv")
    assert fetch(bob, match) == file
    assert Delivery.objects.get().sha256 == file.sha256
    assert book_and_resolve() == Resolved(held=0, refused=0, settled=1, released=0)
    assert resolve_data_matches(now=NOW) == NOTHING
    match.refresh_from_db()
    assert match.state == Match.State.SETTLED
    assert Settlement.objects.get().state == Settlement.State.BOOKED
    assert (bob.wallet.posted, bob.wallet.pending_out) == (FUNDS_MICRO - PRICE_MICRO, 0)
    assert alice.wallet.available == PRICE_MICRO
    assert get_data_revenue_micro(participant_id=alice.id) == PRICE_MICRO
    [own] = list_own_offers(participant_id=alice.id, now=NOW)
    assert (own.sold_count, own.revenue_micro, own.held_micro) == (1, PRICE_MICRO, 0)
    assert fetch(bob, match, hours=24 * 30) == file


def test_best_price_then_oldest_wins_and_a_request_matches_once(alice: Person, bob: Person) -> None:
    publish(alice, 3_000_001)
    best = publish(alice, 2_000_000)
    publish(alice, 2_000_000)
    request = ask(bob)
    publish(alice, 1)

    [match] = Match.objects.all()
    assert (match.offer_id, match.request_id) == (best.id, request.id)
    match.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        match.save(force_insert=True)


def test_one_offer_serves_all_open_requests_it_satisfies(
    alice: Person, bob: Person, charlie: Person
) -> None:
    for buyer in (bob, charlie):
        ask(buyer)
    ask(bob, PRICE_MICRO - 1)
    ask(bob, area="Elsewhere")
    offer = publish(alice)

    assert Match.objects.filter(offer=offer).count() == 2


def test_refused_hold_leaves_the_request_open_with_its_reason(
    alice: Person, charlie: Person
) -> None:
    publish(alice)
    request = ask(charlie)

    assert book_and_resolve() == Resolved(held=0, refused=1, settled=0, released=0)
    [line] = list_own_requests(participant_ids=[charlie.id])
    assert (line.state, line.refusal) == ("open", "limit_exceeded")
    [seen] = list_matches(participant_ids=[charlie.id], now=NOW)
    assert (seen.state, seen.refusal, seen.can_download) == ("refused", "limit_exceeded", False)
    with pytest.raises(NotDeliverable):
        fetch(charlie, Match.objects.get())

    post_deposit(participant_id=charlie.id, amount_micro=PRICE_MICRO, reference="R1", now=NOW)
    match = data_files.rematch_data_request(
        request_id=request.id, participant_ids=[charlie.id], now=NOW
    )
    assert match is not None
    assert book_and_resolve().held == 1
    assert fetch(charlie, match).content == CONTENT
    with pytest.raises(ListingClosed):
        data_files.rematch_data_request(
            request_id=request.id, participant_ids=[charlie.id], now=NOW
        )


def test_a_later_offer_finds_a_request_that_was_refused(alice: Person, charlie: Person) -> None:
    publish(alice)
    request = ask(charlie)
    book_and_resolve()
    cheaper = publish(alice, 0)

    match = Match.objects.get(request=request, offer=cheaper)
    assert match.state == Match.State.HELD  # nothing to hold
    assert fetch(charlie, match).content == CONTENT
    match.refresh_from_db()
    assert match.state == Match.State.SETTLED
    assert Settlement.objects.get(match=match).command_key is None
    assert book_and_resolve() == NOTHING


def test_two_requests_cannot_spend_the_same_money(alice: Person, bob: Person) -> None:
    publish(alice, 6_000_000)
    for _ in range(2):
        ask(bob, 6_000_000)

    assert book_and_resolve() == Resolved(held=1, refused=1, settled=0, released=0)
    assert bob.wallet.available == 4_000_000


def test_undelivered_at_the_deadline_releases_the_hold(alice: Person, bob: Person) -> None:
    publish(alice)
    ask(bob)
    book_and_resolve()
    match = Match.objects.get()
    before, at = NOW + timedelta(days=7, microseconds=-1), NOW + timedelta(days=7)

    assert resolve_data_matches(now=before) == NOTHING
    with pytest.raises(NotDeliverable):
        fetch(bob, match, hours=7 * 24)
    assert resolve_data_matches(now=at) == Resolved(held=0, refused=0, settled=0, released=1)
    assert resolve_data_matches(now=at) == NOTHING
    assert book_and_resolve(at) == NOTHING
    match.refresh_from_db()
    assert match.state == Match.State.RELEASED
    assert Settlement.objects.get().state == Settlement.State.BOOKED
    assert (bob.wallet.available, bob.wallet.pending_out) == (FUNDS_MICRO, 0)
    assert alice.wallet.posted == 0
    with pytest.raises(NotDeliverable):
        fetch(bob, match)
    assert not Delivery.objects.exists()


def test_delivered_is_never_released(alice: Person, bob: Person) -> None:
    publish(alice)
    ask(bob)
    book_and_resolve()
    fetch(bob, Match.objects.get())

    assert resolve_data_matches(now=NOW + timedelta(days=8)).released == 0


def test_withdrawn_offer_matches_nobody_new_but_serves_who_was_matched(
    alice: Person, bob: Person, charlie: Person
) -> None:
    offer = publish(alice)
    ask(bob)
    with pytest.raises(NotFound):
        data_files.withdraw_data_offer(offer_id=offer.id, participant_ids=[bob.id], now=NOW)
    data_files.withdraw_data_offer(offer_id=offer.id, participant_ids=[alice.id], now=NOW)
    with pytest.raises(ListingClosed):
        data_files.withdraw_data_offer(offer_id=offer.id, participant_ids=[alice.id], now=NOW)
    ask(charlie)

    assert list_open_offers(now=NOW) == []
    match = Match.objects.get()
    assert match.listings[1].participant_id == bob.id
    book_and_resolve()
    assert fetch(bob, match).content == CONTENT


def test_withdrawn_request_is_not_matched(alice: Person, bob: Person, charlie: Person) -> None:
    request = ask(bob)
    with pytest.raises(NotFound):
        data_files.withdraw_data_request(
            request_id=request.id, participant_ids=[charlie.id], now=NOW
        )
    data_files.withdraw_data_request(request_id=request.id, participant_ids=[bob.id], now=NOW)
    publish(alice)

    assert not Match.objects.exists()
    matched = ask(bob)
    with pytest.raises(ListingClosed):
        data_files.withdraw_data_request(request_id=matched.id, participant_ids=[bob.id], now=NOW)


def test_only_the_buyer_gets_the_file(alice: Person, bob: Person, charlie: Person) -> None:
    publish(alice)
    ask(bob)
    book_and_resolve()
    match = Match.objects.get()

    for stranger in (charlie, alice):
        with pytest.raises(NotFound):
            fetch(stranger, match)
    assert list_matches(participant_ids=[charlie.id], now=NOW) == []
    [sold] = list_matches(participant_ids=[alice.id], now=NOW)
    assert (sold.is_buyer, sold.counterparty_name, sold.can_download) == (False, "Bob", False)


def test_roles_wallets_and_bad_files_store_nothing(alice: Person, bob: Person) -> None:
    eve = Participant.objects.get(id=add_participant(role=Participant.Role.ENTERPRISE, name="Eve"))
    refused: list[tuple[type[MarketplaceError], object]] = [
        (RoleNotAllowed, lambda: publish(bob)),
        (RoleNotAllowed, lambda: ask(alice)),
        (WalletMissing, lambda: ask(Person(bob.user, eve))),
        (Invalid, lambda: publish(alice, -1)),
        (Invalid, lambda: publish(alice, resolution_minutes=15)),  # the file says 60
        (Invalid, lambda: ask(bob, kind="people")),
    ]
    for error, act in refused:
        with pytest.raises(error):
            act()  # type: ignore[operator]  # a list of lambdas of two return types
    assert not Offer.objects.filter(kind=Kind.DATA).exists()
    assert not Request.objects.filter(kind=Kind.DATA).exists()


def test_deposits_count_once_and_wallets_keep_their_currency(bob: Person) -> None:
    for _ in range(2):
        post_deposit(participant_id=bob.id, amount_micro=5, reference="S-7", now=NOW)
    with pytest.raises(KeyReused):
        post_deposit(participant_id=bob.id, amount_micro=6, reference="S-7", now=NOW)
    book()

    assert bob.wallet.available == FUNDS_MICRO + 5
    assert open_wallet(participant_id=bob.id, currency="CNY") == bob.participant.wallet_account_id
    with pytest.raises(WalletCurrencyDiffers):
        open_wallet(participant_id=bob.id, currency="EUR")
    for reference in ("", "a/b", "日", "x" * 101):
        with pytest.raises(Invalid):
            post_deposit(participant_id=bob.id, amount_micro=5, reference=reference, now=NOW)


def test_another_currency_does_not_match(bob: Person) -> None:
    publish(person("Edith", Participant.Role.DATA_PROVIDER, currency="EUR"))
    ask(bob)

    assert not Match.objects.exists()


def test_first_downloads_and_scans_at_once_pay_once(committed_db: CommittedDatabase) -> None:
    alice = person("Alice", Participant.Role.DATA_PROVIDER)
    bob = person("Bob", Participant.Role.ENTERPRISE, funds_micro=FUNDS_MICRO)
    publish(alice)
    ask(bob)
    book()
    match = Match.objects.get()
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            start.wait()
            for _ in range(5):
                resolve_data_matches(now=NOW)
                if Match.objects.get().state != Match.State.MATCHED and number < 4:
                    assert fetch(bob, match).content == CONTENT
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Delivery.objects.count() == Settlement.objects.count() == Hold.objects.count() == 1
    book_and_resolve()
    assert (alice.wallet.posted, bob.wallet.posted) == (PRICE_MICRO, FUNDS_MICRO - PRICE_MICRO)


def test_an_offer_and_a_request_at_once_see_each_other(committed_db: CommittedDatabase) -> None:
    alice = person("Alice", Participant.Role.DATA_PROVIDER)
    bob = person("Bob", Participant.Role.ENTERPRISE, funds_micro=FUNDS_MICRO)
    rounds = 10

    for number in range(rounds):
        area = f"District {number}"
        start = threading.Barrier(2)

        def act(step: object, start: threading.Barrier = start, area: str = area) -> None:
            try:
                start.wait()
                publish(alice, area=area) if step == "publish" else ask(bob, area=area)
            finally:
                connection.close()

        threads = [threading.Thread(target=act, args=[step]) for step in ("publish", "ask")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert Match.objects.count() == rounds
