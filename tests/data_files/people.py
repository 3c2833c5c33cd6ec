"""Alice provides data, Bob buys it, Charlie must see nothing of either."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.queries import Balance, get_balances
from ledger.services import SettlementWorker
from marketplace.models import Participant, User
from marketplace.services.data_answers import Resolved, resolve_data_matches
from marketplace.services.people import add_participant, join
from marketplace.services.wallets import open_wallet, post_deposit

NOW = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
PRICE_MICRO = 3_000_000
FUNDS_MICRO = 10_000_000
WANTED = {
    "title": "Bikes between districts",
    "kind": "bike_flows",
    "area": "Old Town",
    "period_start": "2026-06-02T00:00:00+08:00",
    "period_end": "2026-06-05T00:00:00+08:00",
    "resolution_minutes": 60,
}
OFFERED = {
    **WANTED,
    "period_start": "2026-06-01T00:00:00+08:00",
    "period_end": "2026-06-08T00:00:00+08:00",
    "licence": "CC BY 4.0",
}
CONTENT = (
    b"area,start,minutes,trips_out,trips_in\n"
    b"Old Town,2026-06-01T00:00:00+08:00,60,12,9\n"
    b"Old Town,2026-06-01T01:00:00+08:00,60,,7\n"
)


@dataclass(frozen=True)
class Person:
    """Somebody who signs in, and the participant they act for."""

    user: User
    participant: Participant

    @property
    def id(self) -> int:
        return self.participant.id

    @property
    def wallet(self) -> Balance:
        account_id = self.participant.wallet_account_id
        assert account_id is not None
        return get_balances(account_ids=[account_id])[account_id]


def person(name: str, role: str, *, funds_micro: int = 0, currency: str = "CNY") -> Person:
    user = User.objects.create_user(email=f"{name.lower()}@heliopolis.example", password="sunny-37")
    participant_id = add_participant(role=role, name=name)
    join(user_id=user.pk, participant_id=participant_id)
    open_wallet(participant_id=participant_id, currency=currency)
    participant = Participant.objects.get(id=participant_id)
    if funds_micro:
        post_deposit(
            participant_id=participant.id,
            amount_micro=funds_micro,
            reference=f"first-{participant.id}",
            now=NOW,
        )
        book()
    return Person(user, participant)


def book() -> None:
    """Let the settlement worker answer everything in the inbox."""
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    worker.settle_inbox(now=NOW)
    worker.give_back()


def book_and_resolve(now: datetime = NOW) -> Resolved:
    """Let the worker answer, and the scan read the answers."""
    book()
    return resolve_data_matches(now=now)
