"""A real hall whose members set, change, pause, end and revoke terms: no validator objects."""

from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django.plugin import DjangoDbBlocker

from ledger.models import InboxCommand
from ledger.queries import get_attested_block
from marketplace.queries.signed_terms import verify_terms
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from marketplace.services.settlement import note_booked_settlements
from marketplace.services.signed_terms import use_hall_key
from marketplace.services.standing import draft_revocation, revoke_standing_rule
from tests.log.lying_operator import FLOWS, Operator, honest_city, operator_of_a_copy
from tests.market.street import Street, at
from tests.market.test_signed_terms import accept, draft, own_key

HOURS = range(1, 9)
MINUTE = timedelta(minutes=1)


def sign_as_members_do(street: Street) -> None:
    """Sign everything that there is to sign, also at the very moments at which hours begin."""
    street.set_rule("alice", sell=300_000, now=at(1))
    street.set_rule("alice", sell=310_000, now=at(2) + MINUTE)
    street.set_rule("alice", sell=350_000, now=at(3) - MINUTE)
    street.set_rule("alice", now=at(4))
    street.set_rule("alice", sell=-5, buy=10**6, now=at(5))
    bob = street.point("bob").id
    street.set_rule("bob", sell=250_000, is_paused=True, now=at(2))
    street.set_rule("bob", sell=250_000, now=at(3))
    street.set_rule("bob", sell=260_000, valid_until=at(6), now=at(4) + MINUTE)
    street.set_rule("bob", sell=240_000, now=at(7) - MINUTE)
    revoke_standing_rule(metering_point_id=bob, now=at(8))
    street.set_rule("emil", buy=520_000, valid_until=at(5) + 30 * MINUTE, now=at(1))
    street.set_rule("dora", buy=500_000, now=at(1) - MINUTE)
    street.set_rule("hanna", buy=480_000, now=at(2))


def sign_with_own_keys(street: Street) -> None:
    """Let Charlie sign himself; while his texts wait an hour begins, and terms are revoked."""
    private = own_key(street, "charlie", now=at(1))
    waits = draft(street, "charlie", now=at(2) - 5 * MINUTE).body()
    accept(street, "charlie", waits, private.sign(waits), now=at(2) + MINUTE)
    charlie = street.point("charlie")
    written = draft(street, "charlie", now=at(3)).body()
    text = draft_revocation(metering_point_id=charlie.id, now=at(3) + MINUTE).body()
    revoke_standing_rule(
        metering_point_id=charlie.id,
        now=at(3) + 2 * MINUTE,
        body=text,
        signature=private.sign(text),
    )
    accept(street, "charlie", written, private.sign(written), now=at(3) + 10 * MINUTE)
    again: Ed25519PrivateKey = own_key(street, "charlie", now=at(4))
    other = draft(street, "charlie", now=at(4)).body()
    accept(street, "charlie", other, again.sign(other), now=at(4))
    use_hall_key(participant_id=charlie.site.participant_id, now=at(5))
    street.set_rule("charlie", sell=250_000, now=at(5))


def clear(hall: Operator, hour: int, **changes: tuple[int, int]) -> None:
    hall.clear(hour=hour, flows={**FLOWS, **changes}, now=at(10 + hour))
    hall.settle()
    hall.seal()
    note_booked_settlements()


def test_a_real_hall_s_orders_are_what_its_members_signed(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    with (
        django_db_blocker.unblock(),
        honest_city(tmp_path / "city") as city,
        operator_of_a_copy(city, tmp_path / "copy") as hall,
    ):
        sign_as_members_do(hall.street)
        sign_with_own_keys(hall.street)
        for hour in HOURS:
            clear(hall, hour)
        # What came late is cleared on the terms of its hour, whatever was signed since.
        clear(hall, 2, alice=(30, 900))
        dora = hall.street.point("dora").site.participant_id
        erase_subject(plan=plan_erasure_of_participant(participant_id=dora), now=at(20))
        flows = {meter: flow for meter, flow in FLOWS.items() if meter != "dora"}
        hall.clear(hour=21, flows=flows, now=at(22))
        hall.settle()
        hall.seal()
        hall.publish()

        assert hall.objections() == []
        assert get_attested_block() > len(HOURS)
        assert verify_terms() >= 17
        assert InboxCommand.objects.filter(key__startswith="redaction:").exists()
