"""A street whose roofs are registered: what its export is certified for, and who holds it."""

from datetime import date, datetime

from django.db.models import F, Sum

from ledger.queries import get_balances
from ledger.services import SettlementWorker
from marketplace.models import (
    CertificateAccount,
    CertificateBundle,
    CertificateCancellation,
    Participant,
)
from marketplace.services.certificate_use import Choice, cancel_certificates
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.production_devices import NewDevice, register_devices
from tests.market.street import DEADLINE, START, Street, at

State = CertificateBundle.State
# Alice delivers 900 Wh, Bob 600; Charlie takes 700, Dora 500: 300 Wh meet no neighbour.
FLOWS = {"alice": (0, 900), "bob": (0, 600), "charlie": (700, 0), "dora": (500, 0)}
NEXT_DAY = START + DEADLINE


def certified_street(name: str = "Street") -> Street:
    """Return a street with solar roofs at Alice's and Bob's."""
    street = Street(name)
    register_devices(
        community_id=street.community.id,
        devices=[NewDevice(meter, "solar", 5_000, date(2024, 5, 1)) for meter in ("alice", "bob")],
        active_from=START,
        now=START,
    )
    return street


def issue(street: Street, now: datetime = NEXT_DAY) -> int:
    """Issue all that is due, and let the ledger book it."""
    issued = 0
    while done := issue_due_certificates(community_id=street.community.id, now=now):
        issued += done
    worker = SettlementWorker(holder="certificates")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()
    return issued


def member(street: Street, meter: str) -> Participant:
    """Return who stands behind a meter."""
    return street.point(meter).site.participant


def held(street: Street, *, hour: int = 0, state: State = State.ACTIVE) -> dict[str, int]:
    """Return what members hold of an hour. [Wh]"""
    rows = (
        CertificateBundle.objects.filter(interval=street.interval(hour), state=state)
        .values_list("holder__sites__metering_points__code")
        .annotate(wh=Sum(F("last_wh") - F("first_wh")))
    )
    return dict(rows.order_by())


def ledger(street: Street) -> dict[str, int]:
    """Return the balances of all certificate accounts, by meter or party."""
    accounts = {
        account: code or party
        for account, code, party in CertificateAccount.objects.values_list(
            "account_id", "participant__sites__metering_points__code", "party"
        )
    }
    balances = get_balances(account_ids=accounts)
    return {name: balances[account].posted for account, name in accounts.items()}


def cancel(
    street: Street, meter: str, wh: int | None = None, *, hours: int = 24, by_hour: bool = False
) -> CertificateCancellation:
    """Cancel some of a member's certificates."""
    return cancel_certificates(
        participant_id=member(street, meter).id,
        choice=Choice(START, at(hours), wh=wh, by_hour=by_hour),
        purpose="Power of June",
        beneficiary="Charlie's bakery",
        now=NEXT_DAY,
    )
