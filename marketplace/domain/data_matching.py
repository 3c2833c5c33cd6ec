"""What a data offer promises, what a data request asks for, and when the one fits the other."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from marketplace.errors import N_, Invalid

TITLE_MAX: Final = 200
AREA_MAX: Final = 100
LICENCE_MAX: Final = 4000
RESOLUTION_MAX_MINUTES: Final = 31 * 24 * 60
PRICE_MAX_MICRO: Final = 10**15
YEARS: Final = range(1900, 2200)
# Text that may run over several lines.
LINE_BREAKS: Final = "\n\r\t"


class DataKind(StrEnum):
    """What is counted."""

    TRAFFIC_COUNTS = "traffic_counts"
    BIKE_FLOWS = "bike_flows"


@dataclass(frozen=True)
class DataTerms:
    """Public terms of an offer or a request of data; the period is half-open, in UTC.

    Attributes
    ----------
    resolution_minutes : int
        Length of one count; a request takes this or a finer one. [min]
    licence : str
        What the buyer may do with the data. Empty in a request.
    currency : str
        Of the price; that of the participant's wallet.
    """

    title: str
    kind: DataKind
    area: str
    period_start: datetime
    period_end: datetime
    resolution_minutes: int
    licence: str
    currency: str

    @classmethod
    def checked(cls, terms: Mapping[str, object], *, currency: str, is_offer: bool) -> Self:
        """Check terms that somebody wrote.

        Raises
        ------
        Invalid
            Naming the first field that is missing, unknown, or not of its form.
        """
        fields = set(cls.__dataclass_fields__) - {"currency"}
        for name in terms:
            if name not in fields:
                raise Invalid(str(name), N_("Unknown field; leave it out."))
        start = _moment(terms, "period_start")
        end = _moment(terms, "period_end")
        if end <= start:
            raise Invalid("period_end", N_("The period must end after it starts."))
        return cls(
            title=_text(terms, "title", TITLE_MAX),
            kind=_kind(terms),
            area=_text(terms, "area", AREA_MAX),
            period_start=start,
            period_end=end,
            resolution_minutes=_resolution(terms),
            licence=_text(terms, "licence", LICENCE_MAX, lines=True) if is_offer else "",
            currency=currency,
        )

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Self:
        """Read back what ``document`` wrote."""
        terms = {name: document[name] for name in document if name != "currency"}
        return cls.checked(
            terms, currency=str(document["currency"]), is_offer=bool(terms["licence"])
        )

    def document(self) -> dict[str, object]:
        """Return the terms as plain JSON values."""
        return {
            **asdict(self),
            "kind": self.kind.value,
            "period_start": self.period_start.isoformat(),
            "period_end": self.period_end.isoformat(),
        }

    def satisfies(self, wanted: "DataTerms") -> bool:
        """Return whether data under these terms is what a request's terms ask for."""
        return (
            self.kind == wanted.kind
            and self.currency == wanted.currency
            and _area_key(self.area) == _area_key(wanted.area)
            and self.period_start <= wanted.period_start
            and self.period_end >= wanted.period_end
            and self.resolution_minutes <= wanted.resolution_minutes
        )


@dataclass(frozen=True)
class DataListing:
    """An offer or a request as matching sees it; ``price_micro`` is the limit of either side."""

    id: int
    participant_id: int
    terms: DataTerms
    price_micro: int
    created_at: datetime


def fits(offer: DataListing, request: DataListing) -> bool:
    """Return whether an offer and a request may match; nobody sells to themselves."""
    return (
        offer.price_micro <= request.price_micro
        and offer.participant_id != request.participant_id
        and offer.terms.satisfies(request.terms)
    )


def best_offer(offers: Iterable[DataListing], request: DataListing) -> DataListing | None:
    """Return the cheapest offer that fits, the oldest of equals, or None."""
    return min(
        (offer for offer in offers if fits(offer, request)),
        key=lambda offer: (offer.price_micro, offer.created_at, offer.id),
        default=None,
    )


def check_price(price_micro: int, *, field: str) -> None:
    """Refuse a price that is negative or beyond all measure; zero is free data."""
    if not 0 <= price_micro <= PRICE_MAX_MICRO:
        raise Invalid(
            field, N_("The price must lie in 0..{maximum} micro-units."), maximum=PRICE_MAX_MICRO
        )


def _area_key(area: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", area).casefold().split())


def _text(terms: Mapping[str, object], name: str, length_max: int, *, lines: bool = False) -> str:
    value = terms.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(name, N_("Text is needed here."))
    value = value.strip()
    if len(value) > length_max:
        raise Invalid(name, N_("At most {maximum} characters, please."), maximum=length_max)
    allowed = LINE_BREAKS if lines else ""
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in allowed for sign in value):
        raise Invalid(name, N_("Control characters are not allowed."))
    return value


def _kind(terms: Mapping[str, object]) -> DataKind:
    value = terms.get("kind")
    if value not in list(DataKind):
        raise Invalid("kind", N_("The kind must be one of: {kinds}."), kinds=", ".join(DataKind))
    return DataKind(str(value))


def _moment(terms: Mapping[str, object], name: str) -> datetime:
    value = terms.get(name)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Invalid(name, N_("A time with its offset is needed, e.g. 2026-11-21T00:00:00+08:00."))
    # Far from the ends of the calendar, so that every civil time zone can show it.
    if not YEARS[0] <= value.year <= YEARS[-1]:
        raise Invalid(
            name, N_("The year must lie in {first}..{last}."), first=YEARS[0], last=YEARS[-1]
        )
    return value.astimezone(UTC)


def _resolution(terms: Mapping[str, object]) -> int:
    value = terms.get("resolution_minutes")
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid("resolution_minutes", N_("A whole number of minutes is needed."))
    if not 1 <= value <= RESOLUTION_MAX_MINUTES:
        raise Invalid(
            "resolution_minutes",
            N_("The resolution must lie in 1..{maximum} minutes."),
            maximum=RESOLUTION_MAX_MINUTES,
        )
    return value
