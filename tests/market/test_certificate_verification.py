"""Whatever is changed in certificates, verification says which, and what is wrong with them."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from django.db import connection, transaction

from ledger.domain.commands import Command, Transfers
from ledger.services import SettlementWorker, submit
from marketplace.domain.certificates.bundles import ISSUER, Move, Moves
from marketplace.errors import CertificatesDiffer
from marketplace.models import (
    CertificateAccount,
    CertificateBundle,
    CertificateDebt,
    CertificateEvent,
    CertificateIssuance,
    Reading,
)
from marketplace.services.certificate_store import NewEvent, record_event
from marketplace.services.certificate_use import Choice, hand_over_certificates
from marketplace.services.certificate_verification import VerifiedCertificates, verify_certificates
from tests.conftest import CommittedDatabase
from tests.log.lying_operator import as_owner, take_guards_away
from tests.market.certified_street import (
    FLOWS,
    NEXT_DAY,
    State,
    cancel,
    certified_street,
    issue,
    member,
)
from tests.market.street import START, Street, at

Kind = CertificateEvent.Kind


@pytest.fixture
def street(committed_db: CommittedDatabase) -> Iterator[Street]:
    """Return a street, to its owner, with three hours of which everything befell certificates."""
    street = certified_street()
    for hour in range(3):
        street.send(FLOWS, hour=hour)
    street.run(at(3))
    issue(street)
    hand_over_certificates(
        participant_id=member(street, "dora").id,
        receiver_id=member(street, "bob").id,
        choice=Choice(START, at(1), wh=120),
        now=NEXT_DAY,
    )
    cancel(street, "charlie", 900)
    cancel(street, "dora", hours=1)
    # What was used cannot be withdrawn: Alice's roof owes some, and pays of it in the fourth hour.
    street.send({"alice": (0, 0), "bob": (0, 0)}, now=NEXT_DAY)
    street.run(NEXT_DAY)
    issue(street)
    street.send(FLOWS, hour=3, now=NEXT_DAY)
    street.run(NEXT_DAY)
    issue(street)
    connection.close()
    with as_owner():
        yield street
        connection.close()


def book() -> None:
    worker = SettlementWorker(holder="forger")
    assert worker.take_head()
    worker.settle_inbox(now=NEXT_DAY)
    worker.give_back()


def do(*statements: str) -> Callable[[Street], None]:
    def change(street: Street) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                assert cursor.rowcount, statement

    return change


def two_hands(street: Street) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE marketplace_certificatebundle DROP CONSTRAINT certificate_in_one_bundle"
        )
    one = CertificateBundle.objects.filter(state=State.ACTIVE).latest("id")
    other = member(street, "bob" if one.holder_id != member(street, "bob").id else "dora")
    CertificateBundle.objects.create(
        interval_id=one.interval_id,
        device_id=one.device_id,
        holder=other,
        first_wh=one.first_wh,
        last_wh=one.last_wh,
        state=State.ACTIVE,
    )


def forge(street: Street, kind: CertificateEvent.Kind, move: list[int]) -> CertificateEvent:
    """Record an event, and let the ledger book it: nothing in the log is missing."""
    moves = Moves.of_rows([move])
    event = record_event(
        NewEvent(kind, street.community.id, moves, quantity_wh=int(moves.wh.sum())), now=NEXT_DAY
    )
    book()
    return event


def hand_on_what_was_used(street: Street) -> None:
    """Give away once more what Charlie used up; others of his make up for it in the ledger."""
    charlie, bob = member(street, "charlie"), member(street, "bob")
    used = CertificateBundle.objects.filter(state=State.CANCELLED, holder=charlie).latest("id")
    forge(
        street,
        Kind.TRANSFER,
        [
            Move.HANDED_OVER,
            used.interval_id,
            used.device_id,
            charlie.id,
            bob.id,
            used.first_wh,
            used.last_wh,
        ],
    )
    CertificateBundle.objects.filter(id=used.id).update(
        holder=bob, state=State.ACTIVE, cancellation=None
    )


def issue_more_than_was_exported(street: Street) -> None:
    """Issue 50 Wh more, with event, document, command, bundle and even a reading that fits."""
    issued = CertificateIssuance.objects.get(interval=street.interval(2))
    device = member(street, "alice").sites.get().metering_points.get().devices.get()
    alice, end = member(street, "alice").id, issued.end_wh
    move = [Move.ISSUED, issued.interval_id, device.id, ISSUER, alice, end, end + 50]
    event = forge(street, Kind.ISSUE, [int(each) for each in move])
    # As if a correction had brought it.
    CertificateIssuance.objects.filter(id=issued.id).update(revision=0)
    CertificateIssuance.objects.create(
        interval_id=issued.interval_id, revision=1, event=event, end_wh=end + 50
    )
    CertificateBundle.objects.create(
        interval_id=issued.interval_id,
        device=device,
        holder_id=alice,
        first_wh=end,
        last_wh=end + 50,
        state=State.ACTIVE,
    )
    read = Reading.objects.filter(interval=issued.interval_id, export_wh=900)
    assert read.update(export_wh=950) == 1


def move_beside(street: Street) -> None:
    """Move certificates in the ledger by a command that no event knows."""
    accounts = {
        each.participant_id: each.account_id
        for each in CertificateAccount.objects.filter(participant__isnull=False)
    }
    legs = (accounts[member(street, "charlie").id], accounts[member(street, "bob").id], 1, 32)
    debit, credit, amount, code = (np.array([each], dtype=np.int64) for each in legs)
    submit(
        commands=[Command.of("beside", Transfers(debit, credit, amount, code))],
        submitted_at=NEXT_DAY,
    )
    book()


BREAKS: list[tuple[str, Callable[[Street], None]]] = [
    (
        "event 1: its command was never handed",
        do("UPDATE ledger_inboxcommand SET key = 'x' WHERE key = 'certificates-moved:1'"),
    ),
    (
        "event 2: its document was never handed",
        do("UPDATE ledger_inboxcommand SET key = 'x' WHERE key = 'certificates:2'"),
    ),
    (
        "the ledger moved other certificates",
        do(
            "UPDATE ledger_inboxcommand c SET body = o.body FROM ledger_inboxcommand o"
            " WHERE c.key = 'certificates-moved:3' AND o.key = 'certificates-moved:4'"
        ),
    ),
    (
        "its rows are not those in the log",
        do("UPDATE marketplace_certificateevent SET recorded_at = recorded_at + interval '1 s'"),
    ),
    (
        "its rows are not those in the log",
        do("UPDATE marketplace_certificatecancellation SET statement_sha256 = repeat('a', 64)"),
    ),
    ("its rows are not those in the log", do("UPDATE marketplace_certificatedebt SET wh = wh + 1")),
    ("its quantity", do("UPDATE marketplace_certificateevent SET quantity_wh = quantity_wh + 1")),
    (
        "that it was not made for",
        do("DELETE FROM marketplace_certificateissuance WHERE event_id = 1"),
    ),
    ("are in two bundles", two_hands),
    (
        "are in a bundle and were never issued",
        do(
            "INSERT INTO marketplace_certificatebundle (interval_id, device_id, holder_id,"
            " first_wh, last_wh, state) SELECT interval_id, device_id, holder_id, 10000, 10050, 1"
            " FROM marketplace_certificatebundle WHERE state = 1 LIMIT 1"
        ),
    ),
    (
        "are in no bundle",
        do("DELETE FROM marketplace_certificatebundle WHERE state = 1"),
    ),
    (
        "have the holder",
        do(
            "UPDATE marketplace_certificatebundle SET holder_id = (SELECT min(holder_id)"
            " FROM marketplace_certificatebundle) WHERE state = 1"
        ),
    ),
    (
        "have the state 1, their events give 2",
        do(
            "UPDATE marketplace_certificatebundle SET state = 1, cancellation_id = NULL"
            " WHERE state = 2"
        ),
    ),
    (
        "have the cancellation",
        do(
            "UPDATE marketplace_certificatebundle SET cancellation_id ="
            " (SELECT min(id) FROM marketplace_certificatecancellation) WHERE state = 2"
        ),
    ),
    ("were moved on after they were cancelled", hand_on_what_was_used),
    ("950 Wh of device .* 900 Wh are in the book", issue_more_than_was_exported),
    (
        "Wh of its metered export",
        do("UPDATE marketplace_reading SET export_wh = export_wh - 1 WHERE export_wh = 600"),
    ),
    (
        "did not go with its export and its trades",
        do(
            "UPDATE marketplace_match SET quantity = quantity - 1 WHERE id ="
            " (SELECT max(m.id) FROM marketplace_match m JOIN marketplace_deliveryinterval i"
            "  ON i.id = m.interval_id WHERE i.revision = 1 AND m.revision = 1"
            "  AND i.starts_at < now() AND m.interval_id <> (SELECT max(id)"
            "  FROM marketplace_deliveryinterval))"
        ),
    ),
    ("in the ledger and", move_beside),
]


def test_whatever_is_changed_is_named(street: Street) -> None:
    assert CertificateDebt.objects.filter(wh__lt=0).exists()
    honest = verify_certificates()
    assert honest == VerifiedCertificates(6, honest.wh)

    for named, change in BREAKS:
        with transaction.atomic():
            # What moves the ledger's counters is a guard too.
            if change is not move_beside:
                with connection.cursor() as cursor:
                    take_guards_away(cursor)
            change(street)
            with pytest.raises(CertificatesDiffer, match=named):
                verify_certificates()
            transaction.set_rollback(True)

    assert verify_certificates() == honest
