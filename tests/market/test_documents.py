"""What is logged of a market: rule sets and books, before the money that follows from them."""

import json
from base64 import b64decode
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from ledger.models import InboxCommand
from marketplace.models import Clearing, Participant
from marketplace.queries.documents import (
    get_document,
    get_own_rows,
    list_document_rows,
    list_documents,
)
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.settlement import settle_clearings
from tests.market import by_the_page
from tests.market.interval_example import salted, tree_head
from tests.market.street import CORRECTIONS, DEADLINE, Street, at

pytestmark = pytest.mark.django_db

FLOWS = {"alice": (0, 1000), "bob": (0, 500), "charlie": (1000, 0), "dora": (500, 0)}
WITHOUT_BOB = {meter: flows for meter, flows in FLOWS.items() if meter != "bob"}


def body_of(key: str) -> str:
    return bytes(InboxCommand.objects.get(key=key).body).decode()


def rows_of(key: str) -> list[bytes]:
    [(_, rows)] = list_document_rows(keys=[key])
    return rows


def three_revisions() -> tuple[Street, int]:
    """Return a street whose first hour was cleared late, corrected, and amended."""
    street = Street()
    street.send(WITHOUT_BOB)
    street.run(at(1) + DEADLINE)
    street.send({"bob": FLOWS["bob"]}, now=at(30))
    street.run(at(1) + CORRECTIONS)
    street.send({"charlie": (100, 0)}, now=at(1) + CORRECTIONS)
    street.run(at(1) + CORRECTIONS + timedelta(seconds=1))
    return street, street.interval().id


def test_the_book_is_logged_before_its_money_which_names_it_and_its_rules() -> None:
    street = Street()
    street.send(FLOWS)
    street.run(at(1))

    interval_id, rules = street.interval().id, street.community.rule_sets.get().sha256
    keys = list(InboxCommand.objects.order_by("id").values_list("key", flat=True))
    assert keys == [f"rules:{rules}", f"book:{interval_id}:1", f"settle:{interval_id}:1"]
    money = json.loads(body_of(f"settle:{interval_id}:1"))
    assert (money["document"], money["rules"]) == (f"book:{interval_id}:1", rules)


def test_the_document_commits_to_its_rows_with_a_seed_of_its_own() -> None:
    _, interval_id = three_revisions()

    seeds = set()
    for revision in (1, 2, 3):
        key = f"book:{interval_id}:{revision}"
        document = json.loads(body_of(key))["document"]
        seed = b64decode(document["private"]["seed"])
        seeds.add(seed)
        assert len(seed) == 32
        root = tree_head(salted(rows_of(key), seed))
        assert (document["kind"], b64decode(document["public"]["rows"])) == ("interval", root)
    assert len(seeds) == 3


def test_a_stranger_recomputes_all_revisions_from_what_was_logged() -> None:
    street, interval_id = three_revisions()

    rules, before, reasons = street.community.rule_sets.get().sha256, None, []
    for revision in (1, 2, 3):
        key = f"book:{interval_id}:{revision}"
        rows = rows_of(key)
        header, _, positions = by_the_page.parsed(rows)
        reasons.append(header["reason"])
        if header["reason"] != "after_deadline":
            assert by_the_page.auction(positions)[0] == header["price"]
        body = by_the_page.command_body(rows, before, key, rules)
        assert body == body_of(f"settle:{interval_id}:{revision}")
        before = rows
    assert reasons == ["deadline", "correction", "after_deadline"]


def test_a_book_is_logged_once_and_not_at_all_when_its_clearing_is_undone() -> None:
    street = Street()
    street.send(FLOWS)
    meter_intervals(community_id=street.community.id, now=at(1))
    before = InboxCommand.objects.count()
    with transaction.atomic():
        clear_due_intervals(community_id=street.community.id, now=at(1))
        transaction.set_rollback(True)
    assert InboxCommand.objects.count() == before
    assert clear_due_intervals(community_id=street.community.id, now=at(1)) == 1
    assert InboxCommand.objects.count() == before + 1
    assert clear_due_intervals(community_id=street.community.id, now=at(1)) == 0
    assert settle_clearings(community_id=street.community.id, now=at(1)) == 1
    assert InboxCommand.objects.count() == before + 2


def test_a_rule_set_stands_in_the_log_once_for_all_who_use_it() -> None:
    streets = [Street("North"), Street("South"), Street("East", platform_fee_micro_per_kwh=0)]

    hashes = [street.community.rule_sets.get().sha256 for street in streets]
    assert hashes[0] == hashes[1] != hashes[2]
    keys = [f"rules:{each}" for each in hashes]
    assert set(InboxCommand.objects.values_list("key", flat=True)) == set(keys)
    for key, expected in zip(keys, hashes, strict=True):
        text = get_document(key=key)
        assert text is not None
        assert sha256(text).hexdigest() == expected
        assert json.loads(body_of(key))["document"]["public"] == {"sha256": expected}


def test_documents_are_found_by_key_many_at_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    street, interval_id = three_revisions()
    for hour in (1, 2):
        street.send(FLOWS, hour=hour)
    street.run(at(3) + CORRECTIONS)
    rules = street.community.rule_sets.get().sha256
    books = [
        f"book:{clearing.interval_id}:{clearing.revision}" for clearing in Clearing.objects.all()
    ]
    assert len(books) == 5

    strange = ["book:0:1", "book:1:99", "book:x", "rules:00", "terms:1", "settle:1:1"]
    with django_assert_num_queries(3):
        found = dict(list_documents(keys=[*books, f"rules:{rules}", *strange]))

    assert found.keys() == {*books, f"rules:{rules}"}
    first = f"book:{interval_id}:1"
    assert found[first] == b"\n".join(rows_of(first)) + b"\n"
    assert all(get_document(key=key) is None for key in strange)
    assert not list(list_document_rows(keys=["book:1:99"]))


def test_a_member_finds_their_own_row_and_nobody_elses() -> None:
    _, interval_id = three_revisions()
    bob = Participant.objects.get(sites__metering_points__code="bob")

    for revision, has_row in ((1, False), (2, True)):
        own = get_own_rows(key=f"book:{interval_id}:{revision}", participant_id=bob.id)
        assert (own is not None) == has_row
        if own:
            [place] = own.positions
            assert json.loads(own.row(place))["account"] == str(bob.energy_account_id)
    stranger = Street("Elsewhere", meters=["zoe"]).point("zoe").site.participant_id
    assert get_own_rows(key=f"book:{interval_id}:2", participant_id=stranger) is None
    assert get_own_rows(key="book:1:99", participant_id=bob.id) is None
