"""Why a number is what it is: reading, rule, rank, price, fees, transfers of one interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.db.models import F

from ledger.queries import TransferLine, get_block_numbers, list_transfers_of_commands
from marketplace.domain.billing.positions import accounts_of, billing_positions, points_of
from marketplace.domain.book_rows import row_of_position
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.money import amount_micro
from marketplace.domain.settlement import settlement_key
from marketplace.models import Clearing, DeliveryInterval, MeteringPoint, Offer, Reading, Request
from marketplace.queries.documents import REASONS
from marketplace.queries.explanation_ahead import Ahead, explain_ahead
from marketplace.queries.identity import names_of
from marketplace.queries.pages import Place, place_of

_FIGURES = (
    *("bought_wh", "sold_wh", "agreed_bought_wh", "agreed_sold_wh"),
    *("grid_import_wh", "grid_export_wh", "fees"),
)


@dataclass(frozen=True)
class ReadingVersion:
    """What a meter said at some time. [Wh]"""

    version: int
    import_wh: int
    export_wh: int
    quality: str
    source: str
    received_at: datetime


@dataclass(frozen=True)
class OrderPlace:
    """One side's order in the pool: its limit, and its place among the others.

    ``eager_count`` orders had a better limit, ``equal_count`` the same one, itself included.
    """

    terms_version: int | None
    signed_terms_id: int | None
    limit_micro_per_kwh: int
    is_own_limit: bool
    eager_count: int
    equal_count: int
    order_count: int


@dataclass(frozen=True)
class ClearingFacts:
    """The clearing in force: the pool as a whole, and the interval's prices. [Wh], [micro/kWh]"""

    reason: str
    volume_wh: int
    price_low_micro_per_kwh: int | None
    price_high_micro_per_kwh: int | None
    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    platform_fee_micro_per_kwh: int
    missing_count: int
    left_out_count: int
    book_sha256: str
    cleared_at: datetime


@dataclass(frozen=True)
class BookedTransfer:
    """A transfer with the block that it is in."""

    line: TransferLine
    block: int


@dataclass(frozen=True)
class Subject:
    """Whose metering point is asked about, and where."""

    participant_id: int
    account_id: int | None
    name: str
    code: str
    place: Place


@dataclass(frozen=True)
class Explanation:
    """Everything that led to the figures of one metering point in one interval.

    Figures of the clearing are None before the first one, those of the position without a reading.
    """

    subject: Subject
    metering_point_id: int
    interval_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    revision: int
    readings: list[ReadingVersion]
    clearing: ClearingFacts | None
    rules_version: int
    rules_sha256: str
    row: int | None
    is_left_out: bool
    import_wh: int | None
    export_wh: int | None
    bought_wh: int
    sold_wh: int
    agreed_bought_wh: int
    agreed_sold_wh: int
    grid_import_wh: int | None
    grid_export_wh: int | None
    price_micro_per_kwh: int | None
    is_zonal: bool
    fee_micro: int
    grid_fee_micro_per_kwh: int
    sale: OrderPlace | None
    purchase: OrderPlace | None
    ahead: Ahead | None
    transfers: list[BookedTransfer]

    @property
    def net_micro(self) -> int:
        """What the transfers come to."""
        return sum(each.line.amount for each in self.transfers)

    @property
    def alone_micro(self) -> int | None:
        """What it would have come to with the grid alone."""
        if self.clearing is None or self.import_wh is None or self.export_wh is None:
            return None
        return amount_micro(self.export_wh, self.clearing.feed_in_micro_per_kwh) - amount_micro(
            self.import_wh, self.clearing.retail_micro_per_kwh
        )


def find_subject(*, metering_point_id: int) -> Subject | None:
    """Return whose metering point it is; None if there is none."""
    point = (
        MeteringPoint.objects.filter(id=metering_point_id)
        .select_related("site__participant", "community")
        .first()
    )
    if point is None:
        return None
    holder = point.site.participant
    name = names_of([holder])[holder.id]
    return Subject(holder.id, holder.energy_account_id, name, point.code, place_of(point.community))


def explain(*, subject: Subject, interval_id: int, metering_point_id: int) -> Explanation | None:
    """Explain one interval of a metering point; None if it is no interval of its community."""
    interval = (
        DeliveryInterval.objects.filter(id=interval_id, community=subject.place.community_id)
        .select_related("rule_set")
        .first()
    )
    if interval is None:
        return None
    clearing = Clearing.objects.filter(
        interval=interval_id, revision=F("interval__revision")
    ).first()
    book = IntervalBook.unpacked(bytes(clearing.book)) if clearing else None
    row = row_of_position(book, metering_point_id) if book else None
    at = _place(book, metering_point_id)
    figures = _figures(book, metering_point_id)
    is_metered = book is not None and at is not None
    return Explanation(
        subject=subject,
        metering_point_id=metering_point_id,
        interval_id=interval_id,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        state=DeliveryInterval.State(interval.state).label,
        revision=interval.revision,
        readings=_readings(interval_id, metering_point_id),
        clearing=_facts(clearing) if clearing else None,
        rules_version=interval.rule_set.version,
        rules_sha256=interval.rule_set.sha256,
        row=row,
        is_left_out=book is not None and bool(np.isin(metering_point_id, book.left_out_ids)),
        import_wh=int(book.import_wh[at]) if book and at is not None else None,
        export_wh=int(book.export_wh[at]) if book and at is not None else None,
        bought_wh=figures.get("bought_wh", 0),
        sold_wh=figures.get("sold_wh", 0),
        agreed_bought_wh=figures.get("agreed_bought_wh", 0),
        agreed_sold_wh=figures.get("agreed_sold_wh", 0),
        grid_import_wh=figures["grid_import_wh"] if is_metered else None,
        grid_export_wh=figures["grid_export_wh"] if is_metered else None,
        price_micro_per_kwh=_price(book, at),
        is_zonal=book is not None and book.market is not None and len(book.market.zones) > 1,
        fee_micro=figures.get("fees", 0),
        grid_fee_micro_per_kwh=_local_fee(book, at),
        sale=_order(book, at, is_sale=True),
        purchase=_order(book, at, is_sale=False),
        ahead=explain_ahead(
            participant_id=subject.participant_id,
            interval=interval,
            metering_point_id=metering_point_id,
            book=book,
        ),
        transfers=_transfers(subject, interval),
    )


def _facts(clearing: Clearing) -> ClearingFacts:
    return ClearingFacts(
        reason=REASONS[clearing.reason],
        volume_wh=clearing.volume_wh,
        price_low_micro_per_kwh=clearing.price_low_micro_per_kwh,
        price_high_micro_per_kwh=clearing.price_high_micro_per_kwh,
        retail_micro_per_kwh=clearing.retail_micro_per_kwh,
        feed_in_micro_per_kwh=clearing.feed_in_micro_per_kwh,
        platform_fee_micro_per_kwh=clearing.platform_fee_micro_per_kwh,
        missing_count=clearing.missing_count,
        left_out_count=clearing.left_out_count,
        book_sha256=clearing.book_sha256,
        cleared_at=clearing.cleared_at,
    )


def _place(book: IntervalBook | None, metering_point_id: int) -> int | None:
    if book is None:
        return None
    found = np.flatnonzero(book.metering_point_ids == metering_point_id)
    return int(found[0]) if len(found) else None


def _readings(interval_id: int, metering_point_id: int) -> list[ReadingVersion]:
    rows = Reading.objects.filter(interval=interval_id, metering_point=metering_point_id)
    return [
        ReadingVersion(
            each.version,
            each.import_wh,
            each.export_wh,
            Reading.Quality(each.quality).label,
            each.batch.source,
            each.batch.received_at,
        )
        for each in rows.select_related("batch").order_by("-version")
    ]


def _figures(book: IntervalBook | None, point: int) -> dict[str, int]:
    """Return a metering point's energies and fee as bills are made of them. [Wh], [micro]"""
    if book is None:
        return {}
    positions = billing_positions(book, interval=0, weight=1, accounts=accounts_of(book))
    own = points_of(book) == point
    return {name: int(getattr(positions, name)[own].sum()) for name in _FIGURES}


def _local_fee(book: IntervalBook | None, at: int | None) -> int:
    if book is None or book.market is None or at is None:
        return 0
    return int(book.market.local_fees[at])


def _price(book: IntervalBook | None, at: int | None) -> int | None:
    if book is None or book.market is None or at is None:
        return book.price if book else None
    return book.market.prices[int(book.market.zone_of[at])]


def _order(book: IntervalBook | None, at: int | None, *, is_sale: bool) -> OrderPlace | None:
    """Return a position's order; None where it made none, or orders were made ahead."""
    if book is None or at is None:
        return None
    ids = book.offer_ids if is_sale else book.request_ids
    if not ids[at]:
        return None
    limits = book.sell_limits if is_sale else book.buy_limits
    eagerness: Int64Array = (limits if is_sale else -limits)[_same_zone(book, at) & (ids > 0)]
    own = int(limits[at] if is_sale else -limits[at])
    listing = (Offer if is_sale else Request).objects.filter(id=int(ids[at])).first()
    return OrderPlace(
        terms_version=listing.version if listing else None,
        signed_terms_id=listing.signed_terms_id if listing else None,
        limit_micro_per_kwh=int(limits[at]),
        is_own_limit=listing is not None and listing.limit_price_micro is not None,
        eager_count=int((eagerness < own).sum()),
        equal_count=int((eagerness == own).sum()),
        order_count=len(eagerness),
    )


def _same_zone(book: IntervalBook, at: int) -> npt.NDArray[np.bool_]:
    zones = book.market.zone_of if book.market else np.zeros_like(book.metering_point_ids)
    same: npt.NDArray[np.bool_] = zones == zones[at]
    return same


def _transfers(subject: Subject, interval: DeliveryInterval) -> list[BookedTransfer]:
    if subject.account_id is None:
        return []
    keys: Sequence[str] = [
        settlement_key(interval.id, each) for each in range(1, interval.revision + 1)
    ]
    lines = list_transfers_of_commands(keys=keys, account_ids=[subject.account_id])
    blocks = get_block_numbers(keys=keys)
    return [BookedTransfer(line, blocks[line.command_key]) for line in lines]
