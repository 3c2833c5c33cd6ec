"""What a buyer and a seller see of a feed: credentials, what was taken, what there is."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Q, QuerySet, Sum

from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.feed_files import MAIN_FILES
from marketplace.domain.data.periods import month_seconds, periods, seconds
from marketplace.domain.data.prices import PriceForm, PriceRule, Use, due
from marketplace.domain.data.service import (
    Measured,
    ServiceLevel,
    Shortfall,
    shortfalls,
)
from marketplace.models import (
    DataCharge,
    DataContract,
    DataProduct,
    FeedCredential,
    FeedState,
    FeedUse,
    ServiceReport,
)
from marketplace.queries.data.contract_sides import attach_sides
from marketplace.queries.data.contracts import STATES, State, is_whole


@dataclass(frozen=True)
class CredentialLine:
    """A credential without its secret, which nobody can read back."""

    id: int
    label: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class FileLine:
    """A file of a feed as it was fetched last."""

    name: str
    record_count: int
    source_time: datetime | None
    fetched_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class UseLine:
    """What a contract took in one period, and what that came to.

    Attributes
    ----------
    limit : int or None
        How many of what the price counts the period may take; None: as many as they like.
    due_micro : int
        Of a period that is not closed: what it would come to if nothing more were taken. [micro]
    """

    charge_id: int
    period_start: datetime
    period_end: datetime
    charge_state: str
    request_count: int
    record_count: int
    counts_records: bool
    limit: int | None
    held_micro: int
    due_micro: int
    credit_micro: int
    closed_at: datetime | None
    shortfalls: tuple[Shortfall, ...]
    look_count: int

    @property
    def taken(self) -> int:
        """How much of what the price counts was taken."""
        return self.record_count if self.counts_records else self.request_count

    @property
    def left(self) -> int | None:
        """How much the period may still take."""
        return None if self.limit is None else self.limit - self.taken


@dataclass(frozen=True)
class FeedLine:
    """A contract about a feed, for one of its sides."""

    contract_id: int
    product_id: int
    title: str
    side: Literal["buyer", "seller"]
    state: State
    currency: str
    price: PriceRule
    level: ServiceLevel
    format: str
    valid_until: datetime


def text_of(contract: DataContract) -> ContractText:
    """Return what both signed; whoever settles by it has its signatures checked elsewhere."""
    return ContractText.read(bytes(contract.body))


def list_feeds(*, participant_ids: Collection[int]) -> list[FeedLine]:
    """Return the agreed contracts about feeds that participants buy or sell by, newest first.

    One that is not what was signed has no price to show: the list of contracts names it.
    """
    found = list(_contracts(participant_ids).order_by("-id")[:200])
    attach_sides(found)
    return [_feed_line(each, participant_ids) for each in found if is_whole(each)]


def find_feed(*, contract_id: int, participant_ids: Collection[int]) -> FeedLine | None:
    """Return one of them; None if there is none that the asker may know of, or it is broken."""
    found = list(_contracts(participant_ids).filter(id=contract_id))
    attach_sides(found)
    return next((_feed_line(each, participant_ids) for each in found if is_whole(each)), None)


def list_credentials(*, contract_id: int) -> list[CredentialLine]:
    """Return the credentials of a contract, the newest first."""
    found = FeedCredential.objects.filter(contract=contract_id).order_by("-id")
    return [CredentialLine(one.id, one.label, one.created_at, one.revoked_at) for one in found]


def list_files(*, product_id: int) -> list[FileLine]:
    """Return the files of a feed that buyers can take."""
    found = FeedState.objects.filter(product=product_id).order_by("name")
    return [
        FileLine(one.name, one.record_count, one.source_time, one.fetched_at, one.changed_at)
        for one in found
    ]


def find_main_file(*, product_id: int) -> str:
    """Return the name of the file that a feed is found by; empty if there is no such feed."""
    found = DataProduct.objects.filter(id=product_id, kind=DataProduct.Kind.FEED)
    return MAIN_FILES.get(found.values_list("format", flat=True).first() or "", "")


def list_news(*, product_id: int, after: datetime) -> list[tuple[str, str, datetime]]:
    """Return name, hash and time of the files that changed after a moment, the oldest first."""
    changed = FeedState.objects.filter(product=product_id, changed_at__gt=after)
    return list(changed.order_by("changed_at", "name").values_list("name", "sha256", "changed_at"))


def is_open(*, credential_id: int, now: datetime) -> bool:
    """Tell whether a credential still opens its feed."""
    return FeedCredential.objects.filter(
        id=credential_id,
        revoked_at=None,
        contract__state=DataContract.State.AGREED,
        contract__valid_until__gt=now,
    ).exists()


def list_uses(*, contract_id: int) -> list[UseLine]:
    """Return what a contract took, period by period, the latest first."""
    charges = DataCharge.objects.filter(contract=contract_id).select_related(
        "contract", "use", "service_report"
    )
    return [_use_line(charge) for charge in charges.order_by("-number")]


def _contracts(participant_ids: Collection[int]) -> QuerySet[DataContract]:
    own = Q(buyer__in=participant_ids) | Q(seller__in=participant_ids)
    return DataContract.objects.filter(
        own, product__kind=DataProduct.Kind.FEED, agreed_at__isnull=False
    ).select_related("product", "version")


def _feed_line(contract: DataContract, participant_ids: Collection[int]) -> FeedLine:
    text = text_of(contract)
    return FeedLine(
        contract_id=contract.id,
        product_id=contract.product_id,
        title=contract.product.title,
        side="buyer" if contract.buyer_id in participant_ids else "seller",
        state=STATES[contract.state],
        currency=contract.currency,
        price=text.price,
        level=text.service,
        format=contract.product.format,
        valid_until=contract.valid_until,
    )


def _use_line(charge: DataCharge) -> UseLine:
    use: FeedUse | None = getattr(charge, "use", None)
    report: ServiceReport | None = getattr(charge, "service_report", None)
    price = text_of(charge.contract).price
    by_record = price.form == PriceForm.PER_RECORD
    due_micro = charge.due_micro
    if use is not None and use.closed_at is None:
        taken = use_of(
            charge,
            requests=use.request_count,
            records=use.record_count,
            until=charge.period_end,
        )
        due_micro = due(price, taken)
    return UseLine(
        charge_id=charge.id,
        period_start=charge.period_start,
        period_end=charge.period_end,
        charge_state=DataCharge.State(charge.state).name.lower(),
        request_count=use.request_count if use else 0,
        record_count=use.record_count if use else 0,
        counts_records=by_record,
        limit=(use.record_limit if by_record else use.request_limit) if use else None,
        held_micro=charge.held_micro,
        due_micro=due_micro,
        credit_micro=charge.credit_micro,
        closed_at=use.closed_at if use else None,
        shortfalls=shortfalls_of(report) if report else (),
        look_count=report.look_count if report else 0,
    )


def shortfalls_of(report: ServiceReport) -> tuple[Shortfall, ...]:
    """Return what a stored report says of each promise."""
    return shortfalls(ServiceLevel.of_json(report.level), measured_of(report))


def measured_of(report: ServiceReport) -> Measured:
    """Return the figures of a stored report."""
    return Measured(
        report.look_count,
        report.up_count,
        report.fresh_count,
        report.valid_count,
        report.completeness_count,
        report.completeness_sum_ppm,
    )


def use_of(charge: DataCharge, *, requests: int, records: int, until: datetime) -> Use:
    """Return what a period of a feed is charged by; for `prices.due`.

    Parameters
    ----------
    requests, records : int
        Taken in the period.
    until : datetime
        When the period ended: by the calendar, or earlier with its contract.
    """
    text = text_of(charge.contract)
    counted = "record_count" if text.price.form == PriceForm.PER_RECORD else "request_count"
    earlier = FeedUse.objects.filter(
        charge__contract=charge.contract_id, charge__number__lt=charge.number
    )
    first = next(periods(text.valid_from, text.valid_until, trial_days=text.price.trial_days))
    covered_s = seconds(charge.period_start, max(charge.period_start, until))
    return Use(
        requests=requests,
        records=records,
        taken_before=earlier.aggregate(taken=Sum(counted))["taken"] or 0,
        covered_s=covered_s,
        month_s=max(month_seconds(charge.period_start), covered_s),
        is_trial=first.is_trial and charge.number == first.number,
    )
