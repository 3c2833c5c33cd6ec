"""Hold every stored auction again, and compare it with its orders, their holds and the log."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ledger.domain.commands import TransferKind, decode
from ledger.queries import get_bodies
from ledger.queries.answers import get_answer_times
from ledger.services.verification import one_state
from marketplace.domain.forward.auction_book import (
    StoredAuction,
    auction_document,
    auction_key,
    hold_command_key,
    read_auction,
    rows_sha256,
    unpack_rows,
)
from marketplace.domain.forward.auction_check import auction_fault
from marketplace.domain.forward.orders import (
    BUY,
    OrderBounds,
    hold_amounts,
    margin_rates,
    microseconds,
)
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.transfer_codes import TransferCode
from marketplace.errors import BookDiffers
from marketplace.models import Auction, Order, TradingHalt
from marketplace.queries.forward import closes_at, rules_of_document
from marketplace.services.logged_documents import check_logged

_AT_ONCE: Final = 50
# By order: what it was filled with, and whether it was dropped.
_Fills = Mapping[int, tuple[int, bool]]


def verify_auctions() -> int:
    """Check every auction before delivery: orders, fills, prices, flows, holds, document.

    Returns
    -------
    int
        How many auctions there are, each checked.

    Raises
    ------
    BookDiffers
        The message names the first interval whose auction does not follow.
    """
    with one_state():
        return _verify()


def _verify() -> int:
    checked, halts = 0, _Halts()
    for batch in _batches():
        ids = [each.interval_id for each in batch]
        bodies = get_bodies(keys=[auction_key(id_) for id_ in ids])
        fills = _fills(ids)
        for auction in batch:
            held = _read(auction)
            _check_outcome(held, fills[auction.interval_id])
            if halts.stood(auction) != (held.stored.reason == "halted"):
                raise held.differs("it was halted and no halt was ordered, or the other way round")
            _check_document(held, bodies)
            _check_holds(held)
        checked += len(batch)
    return checked


@dataclass(frozen=True, eq=False)
class _Held:
    """An auction with its rows, as they are kept and as they read."""

    auction: Auction
    rows: Sequence[bytes]
    stored: StoredAuction

    def differs(self, what: str) -> BookDiffers:
        return _differs(self.auction, what)


class _Halts:
    """When trading stood still, as the operator ordered it; these are few."""

    def __init__(self) -> None:
        columns = ("community_id", "starts_at", "ends_at")
        self._halts = list(TradingHalt.objects.values_list(*columns))

    def stood(self, auction: Auction) -> bool:
        """Return whether a halt was in force when an auction's gate closed."""
        closed_at = auction.closed_at
        return any(
            community == auction.interval.community_id
            and starts <= closed_at
            and (ends is None or closed_at < ends)
            for community, starts, ends in self._halts
        )


def _differs(auction: Auction, what: str) -> BookDiffers:
    return BookDiffers(f"auction of interval {auction.interval_id}: {what}")


def _batches() -> Iterator[list[Auction]]:
    last = 0
    found = Auction.objects.select_related("interval", "rule_set").order_by("interval")
    while batch := list(found.filter(interval__gt=last)[:_AT_ONCE]):
        yield batch
        last = batch[-1].interval_id


def _fills(interval_ids: Sequence[int]) -> dict[int, dict[int, tuple[int, bool]]]:
    """Return by interval what its orders say that they were filled with."""
    fills: dict[int, dict[int, tuple[int, bool]]] = {id_: {} for id_ in interval_ids}
    judged = Order.objects.filter(interval__in=interval_ids, filled_wh__isnull=False)
    columns = judged.values_list("interval_id", "id", "filled_wh", "is_dropped")
    for interval_id, order_id, filled_wh, is_dropped in columns.iterator():
        assert filled_wh is not None, order_id  # the filter above
        fills[interval_id][order_id] = filled_wh, is_dropped
    return fills


def _read(auction: Auction) -> _Held:
    try:
        rows = unpack_rows(bytes(auction.book))
        held = _Held(auction, rows, read_auction(rows))
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise _differs(auction, f"its orders cannot be read ({error})") from error
    if rows_sha256(rows) != auction.book_sha256:
        raise held.differs("its orders have another hash")
    return held


def _check_outcome(held: _Held, fills: _Fills) -> None:
    auction, stored, interval = held.auction, held.stored, held.auction.interval
    rules = rules_of_document(auction.rule_set.document)
    if auction.rule_set_id != interval.rule_set_id:
        raise held.differs("it was held under other rules than the interval's")
    if what := auction_fault(stored, rules):
        raise held.differs(what)
    closes = closes_at(starts_at=interval.starts_at, rules=rules)
    header = json.loads(held.rows[0])
    says = {
        "closes": str(microseconds(closes)),
        "community": str(interval.community_id),
        "ends": str(microseconds(interval.ends_at)),
        "interval": str(interval.id),
        "orders": str(len(stored.orders)),
        "reason": Auction.Reason(auction.reason).label,
        "starts": str(microseconds(interval.starts_at)),
        "timezone": rules.timezone,
    }
    if auction.closed_at != closes or any(header[name] != text for name, text in says.items()):
        raise held.differs("its times or its place are not those of the interval")
    volume = int(stored.filled_wh[stored.orders.sides == BUY].sum())
    prices = dict(zip(stored.zones, stored.prices, strict=True))
    if (auction.volume_wh, auction.order_count, auction.prices) != (
        volume,
        len(stored.orders),
        prices,
    ):
        raise held.differs("its volume or its prices are not those of its orders")
    kept = zip(stored.filled_wh.tolist(), stored.is_dropped.tolist(), strict=True)
    if fills != dict(zip(stored.orders.order_ids.tolist(), kept, strict=True)):
        raise held.differs("its orders are filled otherwise than it says")


def _check_document(held: _Held, bodies: Mapping[str, bytes]) -> None:
    """Compare the rows with what the log commits to."""
    interval_id, sha256 = held.auction.interval_id, held.auction.rule_set.sha256

    def expected(seed: bytes) -> bytes:
        return auction_document(interval_id, held.rows, rules_sha256=sha256, seed=seed).body

    key = auction_key(interval_id)
    check_logged(key, bodies, what="it", expected=expected, differs=held.differs)


def _check_holds(held: _Held) -> None:
    """Check that each order's margin was held before the gate closed, and is large enough."""
    orders, auction = held.stored.orders, held.auction
    if not len(orders):
        return
    pairs, group = np.unique(
        np.stack([orders.batch_ids, orders.hold_changes]), axis=1, return_inverse=True
    )
    rates = margin_rates(orders.sides, orders.limits, _bounds(auction, len(orders)))
    needed = hold_amounts(orders.quantities_wh, rates, group.reshape(-1), pairs.shape[1])
    keys = [hold_command_key(batch, change) for batch, change in pairs.T.tolist()]
    times, bodies = get_answer_times(keys=keys), get_bodies(keys=keys)
    for key, amount in zip(keys, needed, strict=True):
        if key not in bodies or times[key] > auction.closed_at:
            raise held.differs(f"the hold {key} of orders was not booked before the gate closed")
        # Of a pruned period only that it was booked is known.
        if bodies[key] and _held_micro(bodies[key]) < amount:
            raise held.differs(f"the hold {key} is less than its orders need")


def _bounds(auction: Auction, count: int) -> OrderBounds:
    rules = rules_of_document(auction.rule_set.document)
    forward = rules.market.forward
    assert forward is not None, auction.rule_set_id  # its outcome was checked under these rules
    of_interval = IntervalRules.of(rules, auction.interval.starts_at)
    fees = of_interval.prices.platform_fee_micro_per_kwh + of_interval.greatest_fee
    nothing = np.zeros(count, dtype=np.int64)
    return OrderBounds(
        price_min=nothing,
        price_max=nothing,
        buyer_fees=nothing + fees,
        seller_margins=nothing + forward.margin_micro_per_kwh,
    )


def _held_micro(body: bytes) -> int:
    legs = decode(body).transfers
    is_hold = (legs.kinds == TransferKind.HOLD) & (legs.code == int(TransferCode.MARGIN))
    return int(legs.amount[is_hold].sum())
