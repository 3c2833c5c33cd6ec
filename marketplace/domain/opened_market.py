"""What a log that was opened tells of form 2: agreements, and books held against them."""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from ledger.domain.documents import Document
from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.agreement_text import AgreementEnd, AgreementText
from marketplace.domain.book_check import Fault
from marketplace.domain.book_rows import FIRST_POSITION, BookHeader, book_rows
from marketplace.domain.interval_book import Int64Array, IntervalBook, LateReadings
from marketplace.domain.market import clear_positions
from marketplace.domain.market_check import Given
from marketplace.domain.market_part import LatePlaces
from marketplace.domain.market_positions import MarketPositions
from marketplace.domain.settlement import CommunityAccounts
from marketplace.domain.terms_document import check_signature, sha256_of

AGREEMENT_KIND: Final = "agreement"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class OpenedAgreements:
    """Follows the agreements of a log and their ends."""

    def __init__(self) -> None:
        self._texts: dict[int, AgreementText] = {}
        self._hashes: dict[int, str] = {}
        self._ended_at: dict[int, datetime] = {}

    def take(self, key: str, document: Document, text: bytes | None) -> Fault | None:
        """Take an agreement or an end over; both signatures, or the one of a side, must hold."""
        kind, _, number = key.partition(":")
        body, *signatures = (b64decode(line) for line in (text or b"").splitlines())
        if sha256_of(body) != document.private["agreement"]:
            return Fault(f"{key} stands for a text of another hash")
        if kind == "agreement":
            told = AgreementText.read(body)
            keys = (told.seller.public_key, told.buyer.public_key)
            for signature, public_key in zip(signatures, keys, strict=True):
                check_signature(body=body, signature=signature, public_key=public_key)
            self._texts[int(number)] = told
            self._hashes[int(number)] = sha256_of(body)
            return None
        end = AgreementEnd.read(body)
        check_signature(body=body, signature=signatures[0], public_key=end.public_key)
        if end.ends_sha256 != self._hashes.get(int(number)):
            return Fault(f"{key} ends an agreement that was not logged before it")
        self._ended_at[int(number)] = end.issued_at
        return None

    def at(self, starts_at: datetime) -> Agreements:
        """Return those in force for the interval that starts then, of all that are known."""
        live = [
            (number, text)
            for number, text in self._texts.items()
            if text.valid_from <= starts_at
            and (text.valid_until is None or starts_at < text.valid_until)
            and (number not in self._ended_at or starts_at < self._ended_at[number])
        ]

        def column(value: Callable[[AgreementText], int | None]) -> Int64Array:
            return np.array([value(text) or 0 for _, text in live], dtype=np.int64)

        def flags(value: Callable[[AgreementText], bool]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
            return np.array([value(text) for _, text in live], dtype=np.bool_)

        return Agreements(
            ids=np.array([number for number, _ in live], dtype=np.int64),
            is_partner=flags(lambda text: text.kind == "partner"),
            ranks=column(lambda text: text.rank),
            seller_ids=column(lambda text: text.seller.metering_point_id),
            buyer_ids=column(lambda text: text.buyer.metering_point_id),
            prices=column(lambda text: text.price_micro_per_kwh),
            has_price=flags(lambda text: text.price_micro_per_kwh is not None),
            maximum_wh=column(lambda text: text.maximum_wh),
            has_maximum=flags(lambda text: text.maximum_wh is not None),
        )


def check_market_rows(
    rows: Sequence[bytes], given: Given, *, timezone: str, before: IntervalBook | None
) -> tuple[IntervalBook, Fault | None]:
    """Compute a book again from its rows' readings and orders, and compare it row by row.

    Parameters
    ----------
    rows : sequence of bytes
        The document.
    given : Given
        Rules, agreements and auction.
    timezone : str
        The rule set's.
    before : IntervalBook or None
        The revision before, for one that was amended after the correction deadline.

    Returns
    -------
    IntervalBook, Fault or None
        The book as it should be, and the first row in which the document is another.
    """
    header, exceptions = json.loads(rows[0]), json.loads(rows[1])
    count = int(header["positions"])
    positions = _positions(
        [json.loads(row) for row in rows[FIRST_POSITION : FIRST_POSITION + count]],
        given,
        _numbers(exceptions["left_out"]),
    )
    if before is None:
        book = clear_positions(
            rules=given.rules,
            positions=positions,
            agreements=given.agreements,
            auction=given.auction,
            missing_ids=_numbers(exceptions["missing"]),
        ).book
    else:
        book = before.amended(_late(positions, given))
    expected = book_rows(_header(header, timezone), book)
    for index, row in enumerate(expected):
        if index >= len(rows) or rows[index] != row:
            return book, Fault(f"its row {index} is not what its rules and readings give")
    return book, None if len(rows) == len(expected) else Fault("it has more rows than it says")


def _positions(
    rows: Sequence[dict[str, Any]], given: Given, left_out: Int64Array
) -> MarketPositions:
    def column(name: str) -> Int64Array:
        return np.array([int(each[name] or 0) for each in rows], dtype=np.int64)

    levels = sorted({each["level"] for each in rows})
    zones = given.rules.zones
    ids = column("meter")
    return MarketPositions(
        ids=ids,
        accounts=column("account"),
        import_wh=column("import_wh"),
        export_wh=column("export_wh"),
        estimated=column("estimated"),
        zone_of=np.array([zones.index(each["zone"]) for each in rows], dtype=np.int64),
        levels=tuple(levels),
        level_of=np.array([levels.index(each["level"]) for each in rows], dtype=np.int64),
        weights=column("weight"),
        admitted=~np.isin(ids, left_out),
        offer_ids=column("offer"),
        request_ids=column("request"),
        sell_limits=column("sell_limit"),
        buy_limits=column("buy_limit"),
    )


def _late(positions: MarketPositions, given: Given) -> LateReadings:
    bought, sold = np.zeros_like(positions.ids), np.zeros_like(positions.ids)
    if given.auction is not None:
        bought, sold = given.auction.filled_by_point(positions.ids)
    return LateReadings(
        metering_point_ids=positions.ids,
        account_ids=positions.accounts,
        import_wh=positions.import_wh,
        export_wh=positions.export_wh,
        bought_wh=bought,
        sold_wh=sold,
        places=LatePlaces(
            zones=tuple(given.rules.zones[each] for each in positions.zone_of.tolist()),
            levels=tuple(positions.levels[each] for each in positions.level_of.tolist()),
            weights=positions.weights,
            estimated=positions.estimated,
            local_fees=given.rules.local_fees(
                positions.zone_of, positions.levels, positions.level_of
            ),
        ),
    )


def _header(header: dict[str, Any], timezone: str) -> BookHeader:
    return BookHeader(
        community_id=int(header["community"]),
        interval_id=int(header["interval"]),
        revision=int(header["revision"]),
        reason=header["reason"],
        starts_at=moment_of(header["starts"]),
        ends_at=moment_of(header["ends"]),
        timezone=timezone,
        accounts=CommunityAccounts(
            **{name: int(account) for name, account in header["parties"].items()}
        ),
    )


def moment_of(written: str) -> datetime:
    """Read a time in microseconds."""
    return _EPOCH + timedelta(microseconds=int(written))


def _numbers(written: Sequence[str]) -> Int64Array:
    return np.array(list(map(int, written)), dtype=np.int64)
