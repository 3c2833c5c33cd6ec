"""What was traded ahead is settled by readings: the services post what docs/market.md says."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from ledger.models import Account
from ledger.queries import get_bodies
from ledger.services import SettlementWorker, verify_book
from marketplace.domain.book_rows import auction_key, book_key
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.rules import preset
from marketplace.domain.settlement import settlement_key
from marketplace.models import Clearing, Match
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.documents import get_document
from marketplace.services.agreements import (
    accept_agreement,
    draft_agreement,
    draft_end,
    end_agreement,
    propose_agreement,
)
from marketplace.services.market_day import advance_community
from marketplace.services.places import add_rule_set
from marketplace.services.readings import import_readings
from marketplace.services.verification import verify_clearings
from tests.market.form_2 import agreement_rows
from tests.market.forward_street import NOW, START, ForwardStreet
from tests.market.market_by_the_page import Page, parsed
from tests.market.market_money_by_the_page import command_body
from tests.market.member_views import check_views

ENDS = START + timedelta(minutes=15)
DEADLINE = ENDS + timedelta(days=1)
TOO_LATE = ENDS + timedelta(days=31)
ALL = {"alice": (0, 900), "bob": (20, 500), "charlie": (1100, 0), "dora": (300, 10)}
# Grid fees, so that agreements and trades pay the grid too.
FEES = {
    "formula": "table",
    "lines": [
        {
            "days": "all",
            "from": "00:00",
            "to": "24:00",
            "from_zone": "*",
            "to_zone": "*",
            "level": "*",
            "months": [6],
            "price_micro_per_kwh": 10_001,
        }
    ],
}


def send(street: ForwardStreet, flows: Mapping[str, tuple[int, int]], now: datetime) -> None:
    rows = [ReadingRow(meter, START.isoformat(), *energies) for meter, energies in flows.items()]
    import_readings(
        community_id=street.community.id,
        readings=readings_of_rows(minutes=15, rows=rows),
        source="test.csv",
        sha256="0" * 64,
        now=now,
    )


def run(street: ForwardStreet, now: datetime) -> None:
    """Let everything that is due happen, and once more to see that it is done."""
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    moved = True
    while moved:
        moved = advance_community(community_id=street.community.id, now=now).any
        moved = bool(worker.settle_inbox(now=now)) or moved
    worker.give_back()
    assert not advance_community(community_id=street.community.id, now=now).any


def traded_ahead(street: ForwardStreet, *, close: bool = True) -> int:
    """Alice and Bob sell ahead, Charlie and Dora buy; Alice gives Dora up to 60 Wh besides.

    Returns the agreement's number.
    """
    text = draft_agreement(
        kind="gift",
        seller_point_id=street.points["alice"].id,
        buyer_point_id=street.points["dora"].id,
        price_micro_per_kwh=None,
        maximum_wh=60,
        rank=None,
        valid_from=START,
        valid_until=None,
        now=NOW,
    )
    proposed = propose_agreement(
        text=text, participant_id=street.participant("alice").id, signature=None, now=NOW
    )
    accept_agreement(
        agreement_id=proposed.pk,
        participant_id=street.participant("dora").id,
        signature=None,
        now=NOW + timedelta(minutes=1),
    )
    street.sell("alice", 380_000, 1_000)
    street.sell("bob", 400_003, 333)
    street.sell("alice", 370_000, 77)
    street.buy("charlie", 520_001, 1_200)
    street.buy("dora", 450_000, 500, minimum=100)
    street.book(NOW + timedelta(minutes=2))
    assert not close or street.close() == 1
    return proposed.pk


def pages(street: ForwardStreet) -> list[Page]:
    """Return the revisions of the interval as the documents tell them."""
    interval = street.interval()
    [document] = interval.rule_set.community.rule_sets.filter(id=interval.rule_set_id)
    in_force = AgreementsInForce(community_id=street.community.id).at(START)

    def rows(key: str) -> list[bytes]:
        text = get_document(key=key)
        assert text is not None
        return text.splitlines()

    found: list[Page] = []
    for clearing in Clearing.objects.filter(interval=interval).order_by("revision"):
        late = clearing.reason == Clearing.Reason.AFTER_DEADLINE
        found.append(
            Page(
                rules=document.document,
                agreements=agreement_rows(in_force),
                rows=parsed(rows(book_key(interval.id, clearing.revision))),
                auction=parsed(rows(auction_key(interval.id))),
                before=found[-1] if late else None,
            )
        )
    return found


def check_posted(street: ForwardStreet) -> None:
    """Hold the commands in the ledger against what a stranger makes of the documents."""
    interval, rules = street.interval(), street.interval().rule_set
    before = None
    for number, page in enumerate(pages(street), start=1):
        key = settlement_key(interval.id, number)
        expected = command_body(page, before, book_key(interval.id, number), rules.sha256)
        assert get_bodies(keys=[key])[key] == (expected or "").encode()
        before = page
    pool = Account.objects.get(id=street.community.pool_account_id)
    assert pool.credits_posted == pool.debits_posted


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("deviation", "delivery", "pricing"),
    [
        ("dual_price", "fifo", "uniform"),
        ("single_price", "pro_rata", "pay_as_bid"),
        ("own", "fifo", "uniform"),
    ],
)
def test_three_revisions_post_what_the_page_says(
    deviation: str, delivery: str, pricing: str
) -> None:
    street = ForwardStreet(deviation=deviation, delivery=delivery, pricing=pricing, grid_fees=FEES)
    traded_ahead(street)
    send(street, {meter: flows for meter, flows in ALL.items() if meter != "dora"}, ENDS)
    run(street, ENDS)
    assert not Clearing.objects.exists()  # Dora's reading may still come
    run(street, DEADLINE)
    absent = check_views(street)["dora"]
    assert absent.import_wh is None
    send(street, ALL, DEADLINE)
    run(street, DEADLINE)
    views = check_views(street)
    seller, buyer = views["alice"].ahead, views["charlie"].ahead
    assert seller and seller.kept and buyer and buyer.kept
    assert [each.eager_count for each in seller.orders] == [1, 0]  # the second one is cheaper
    assert [each.side_count for each in seller.orders] == [3, 3]
    assert seller.kept.short_wh == 1_077 - (900 - 60)
    assert (buyer.orders[0].line.filled_wh, buyer.kept.not_taken_wh) == (1_200, 1_200 - 1_100)
    send(street, {**ALL, "bob": (0, 520), "charlie": (1_150, 0)}, TOO_LATE)
    run(street, TOO_LATE)
    check_views(street)

    check_posted(street)
    assert verify_clearings() == 3
    assert verify_book().transfers
    matches = Match.objects.filter(interval=street.interval())
    for revision in (2, 3):  # trades stand, also after the deadline
        found = matches.filter(revision=revision)
        assert found.get(agreement__isnull=False).quantity == 60
        ahead = found.filter(sell_order__isnull=False)
        assert sum(each.quantity for each in ahead) == 1_410
        assert 0 < sum(each.delivered_wh or 0 for each in ahead) < 1_410


@pytest.mark.django_db
def test_nothing_is_cleared_before_its_auction_and_new_rules_change_nothing_that_was() -> None:
    street = ForwardStreet()
    agreement = traded_ahead(street, close=False)
    send(street, ALL, ENDS)
    run(street, DEADLINE)
    assert not Clearing.objects.exists()
    assert street.close() == 1
    run(street, DEADLINE)
    check_posted(street)
    [book] = Clearing.objects.values_list("book_sha256", flat=True)

    changed = {**preset("demo-forward"), "deviation": "own", "platform_fee_micro_per_kwh": 0}
    add_rule_set(
        community_id=street.community.id, document=changed, effective_from=DEADLINE, now=DEADLINE
    )
    seller = street.participant("alice").id
    end = draft_end(agreement_id=agreement, participant_id=seller, now=DEADLINE)
    end_agreement(
        agreement_id=agreement, participant_id=seller, end=end, signature=None, now=DEADLINE
    )
    assert verify_clearings() == 1
    send(street, {**ALL, "bob": (20, 501)}, DEADLINE)
    run(street, DEADLINE)
    send(street, ALL, DEADLINE)
    run(street, DEADLINE)

    # Corrections run under the rules and agreements of their time: the readings of before give
    # the book of before, byte for byte, and everything that was posted is taken back.
    hashes = Clearing.objects.order_by("revision").values_list("book_sha256", flat=True)
    assert hashes[0] == hashes[2] == book != hashes[1]
    check_posted(street)
    assert verify_clearings() == 3
