"""A contract of the data market as one text that buyer and seller sign; docs/data.md describes it.

Canonical JSON as in `marketplace.domain.terms_document`: integers are decimal strings, times
microseconds. It pins the version by its manifest's hash and holds policy, price, service level and
consequences themselves, so that nothing that is changed later changes what was signed.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Self, cast

from ledger.domain.canonical import canonical_json
from marketplace.domain.data.policy import Bound, Policy, agreement, read_agreement
from marketplace.domain.data.prices import PriceRule
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.data.shares import Share, checked_shares
from marketplace.domain.terms_document import (
    base64_of,
    bytes_of,
    micros_of,
    moment_of,
    read_object,
    unreadable,
)
from marketplace.errors import N_, Invalid

CONTRACT_TYPE: Final = "heliopolis/data-contract/1"
REVOCATION_TYPE: Final = "heliopolis/data-contract-revocation/1"
Kind = Literal["file", "feed"]
MONTHS_MAX: Final = 120
# What either side brings about by revoking: of a file before and after its key is out, of a feed.
CONSEQUENCES: Final[Mapping[Kind, Mapping[str, tuple[str, ...]]]] = {
    "file": {
        "before_key": ("delivery_cancelled", "hold_released"),
        "after_key": ("no_further_delivery", "paid_stays", "copies_follow_policy"),
    },
    "feed": {
        "any_time": (
            "access_ends_at_once",
            "month_charged_for_use",
            "no_further_month",
            "copies_follow_policy",
        ),
    },
}


@dataclass(frozen=True)
class Party:
    """One side: who, signing with which key."""

    participant_id: int
    public_key: bytes


@dataclass(frozen=True)
class DeliveryTimes:
    """By when each step is due, counted from the second signature; the window, from the key. [s]

    Of a feed, which has no exchange, the first three are 0; its window begins when a month ends.
    """

    offer_s: int = 0
    receive_s: int = 0
    key_s: int = 0
    window_s: int = 0

    def __post_init__(self) -> None:
        """Refuse steps that are due before the ones that they follow on; raises `Invalid`."""
        steps = (self.offer_s, self.receive_s, self.key_s)
        in_order = 0 < self.offer_s < self.receive_s < self.key_s
        if (any(steps) and not in_order) or self.window_s < 1:
            raise Invalid("delivery", N_("Each step of a delivery is due after the one before."))


_DAY_S: Final = 86_400
TIMES: Final[Mapping[Kind, DeliveryTimes]] = {
    "file": DeliveryTimes(2 * _DAY_S, 9 * _DAY_S, 10 * _DAY_S, 7 * _DAY_S),
    "feed": DeliveryTimes(window_s=7 * _DAY_S),
}


@dataclass(frozen=True)
class ContractText:
    """What buyer and seller agree on.

    Attributes
    ----------
    manifest_sha256 : str
        Pins the version: its parts, their rows, its privacy report.
    privacy_budget_micro_epsilon : int
        What the buyer may spend on queries with noise; 0: none are answered. [micro-epsilon]
    months : int
        From ``valid_from``, a whole second, until ``valid_until``. [civil months in UTC]
    answer_id : int or None
        The seller's answer to the buyer's request that the price is from; None: the product's.
    """

    seller: Party
    buyer: Party
    product_id: int
    kind: Kind
    format: str
    version_number: int
    manifest_sha256: str
    licence: str
    currency: str
    price: PriceRule
    shares: tuple[Share, ...]
    service: ServiceLevel
    privacy_budget_micro_epsilon: int
    times: DeliveryTimes
    policy: Policy
    months: int
    valid_from: datetime
    issued_at: datetime
    answer_id: int | None = None

    @property
    def valid_until(self) -> datetime:
        """When the contract ends."""
        return after_months(self.valid_from, self.months)

    @property
    def most_micro(self) -> int:
        """What the file, or a whole month of the feed, costs at most. [micro]"""
        return 0 if self.price.is_free else self.price.monthly_micro

    @property
    def whole_micro(self) -> int:
        """What the file, or all months of the feed together, cost at most. [micro]"""
        return self.most_micro * (self.months if self.kind == "feed" else 1)

    @property
    def bound(self) -> Bound:
        """What binds the policy to this contract."""
        parts = (self.product_id, self.seller.participant_id, self.buyer.participant_id)
        return Bound(
            contract="-".join((*map(str, parts), micros_of(self.issued_at))),
            product_id=self.product_id,
            version_number=self.version_number,
            seller_id=self.seller.participant_id,
            buyer_id=self.buyer.participant_id,
            currency=self.currency,
            most_micro=None if self.price.is_free else self.most_micro,
            issued_at=self.issued_at,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )

    def body(self) -> bytes:
        """Return the bytes that both sign."""
        return canonical_json(
            {
                "answer": None if self.answer_id is None else str(self.answer_id),
                "buyer": _party(self.buyer),
                "currency": self.currency,
                "delivery": {
                    "key_s": str(self.times.key_s),
                    "offer_s": str(self.times.offer_s),
                    "receive_s": str(self.times.receive_s),
                    "window_s": str(self.times.window_s),
                },
                "format": self.format,
                "issued": micros_of(self.issued_at),
                "kind": self.kind,
                "licence": self.licence,
                "months": str(self.months),
                "policy": self.odrl(),
                "price": self.price.text(),
                "privacy_budget_micro_epsilon": str(self.privacy_budget_micro_epsilon),
                "product": str(self.product_id),
                "revocation": self.consequences(),
                "seller": _party(self.seller),
                "service_level": self.service.to_json(),
                "shares": [
                    {"participant": str(each.participant_id), "ppm": str(each.ppm)}
                    for each in self.shares
                ],
                "type": CONTRACT_TYPE,
                "valid_from": micros_of(self.valid_from),
                "valid_until": micros_of(self.valid_until),
                "version": {
                    "manifest_sha256": self.manifest_sha256,
                    "number": str(self.version_number),
                },
            }
        )

    def odrl(self) -> dict[str, Any]:
        """Return the policy as the ODRL agreement that stands in the text."""
        return agreement(self.policy, self.bound)

    def consequences(self) -> dict[str, dict[str, list[str]]]:
        """Return by side, then by stage, what a revocation brings about, in codes."""
        stages = {stage: list(codes) for stage, codes in CONSEQUENCES[self.kind].items()}
        return {"buyer": stages, "seller": stages}

    @classmethod
    def read(cls, body: bytes) -> "ContractText":
        """Read a contract from exactly its canonical bytes.

        Raises
        ------
        Invalid
            If the bytes are not the canonical form of a contract: one unknown name or term of the
            policy, or one consequence that differs, is enough.
        """
        written = read_object(body, CONTRACT_TYPE)
        try:
            text = _read(written)
            is_canonical = text.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return text


@dataclass(frozen=True)
class ContractRevocation:
    """The end of a contract by one side, from ``issued_at`` on."""

    revokes_sha256: str
    participant_id: int
    issued_at: datetime
    public_key: bytes

    def body(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(
            {
                "issued": micros_of(self.issued_at),
                "key": base64_of(self.public_key),
                "participant": str(self.participant_id),
                "revokes": self.revokes_sha256,
                "type": REVOCATION_TYPE,
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a revocation from exactly its canonical bytes; see `ContractText.read`."""
        written = read_object(body, REVOCATION_TYPE)
        try:
            revocation = cls(
                revokes_sha256=written["revokes"],
                participant_id=int(written["participant"]),
                issued_at=moment_of(written["issued"]),
                public_key=bytes_of(written["key"]),
            )
            is_canonical = revocation.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return revocation


def after_months(start: datetime, months: int) -> datetime:
    """Return the same time of day so many months later; of a shorter month, its last day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def _read(written: Mapping[str, Any]) -> ContractText:
    """Return a contract whose policy is read last: it is bound to everything else."""
    valid_from, months = moment_of(written["valid_from"]), int(written["months"])
    if written["kind"] not in CONSEQUENCES or not 1 <= months <= MONTHS_MAX:
        raise unreadable()
    seller = _read_party(written["seller"])
    draft = {
        "seller": seller,
        "buyer": _read_party(written["buyer"]),
        "product_id": int(written["product"]),
        "kind": cast(Kind, written["kind"]),
        "format": written["format"],
        "version_number": int(written["version"]["number"]),
        "manifest_sha256": written["version"]["manifest_sha256"],
        "licence": written["licence"],
        "currency": written["currency"],
        "price": PriceRule.of(written["price"]),
        "shares": checked_shares(written["shares"], seller_id=seller.participant_id),
        "service": ServiceLevel.of_json(written["service_level"]),
        "privacy_budget_micro_epsilon": int(written["privacy_budget_micro_epsilon"]),
        "times": DeliveryTimes(**{name: int(text) for name, text in written["delivery"].items()}),
        "months": months,
        "valid_from": valid_from,
        "issued_at": moment_of(written["issued"]),
        "answer_id": None if written["answer"] is None else int(written["answer"]),
    }
    bound = ContractText(**draft, policy=Policy()).bound
    return ContractText(**draft, policy=read_agreement(written["policy"], bound))


def _party(party: Party) -> dict[str, str]:
    return {"key": base64_of(party.public_key), "participant": str(party.participant_id)}


def _read_party(written: Mapping[str, str]) -> Party:
    return Party(int(written["participant"]), bytes_of(written["key"]))
