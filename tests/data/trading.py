"""People who trade data, and what they trade: listed products without any bytes behind them.

Alice provides, Bob buys; Charlie provides and buys and has no part in what is between them.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.services import SettlementWorker
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.policy import Policy
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.terms_document import own_key_body
from marketplace.models import DataContract, DataProduct, DataVersion
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.people import add_participant
from marketplace.services.signed_terms import use_own_key
from marketplace.services.wallets import open_wallet, post_deposit

NOW = datetime(2026, 11, 20, 9, 30, 15, 250_000, tzinfo=UTC)
ONE_OFF = {"form": "one_off", "price_micro": 5_000_000}
SUBSCRIPTION = {"form": "subscription", "price_micro": 9_000_000, "trial_days": 0}
THREE_MONTHS = Choice(months=3)
PROMISE = ServiceLevel(
    availability_ppm=990_000,
    freshness_ppm=950_000,
    max_age_s=120,
    credit_ppm_per_percent=100_000,
)


@dataclass(frozen=True)
class Trade:
    """Who trades here; ids of participants, all with wallets in euro."""

    alice: int
    bob: int
    charlie: int

    def product(self, **terms: Any) -> DataProduct:
        """List a product of Alice's with one version."""
        is_feed = terms.pop("is_feed", False)
        product = DataProduct.objects.create(
            **{
                "provider_id": self.alice,
                "kind": DataProduct.Kind.FEED if is_feed else DataProduct.Kind.FILE,
                "format": "gbfs" if is_feed else "counts",
                "state": DataProduct.State.LISTED,
                "title": "Bikes at stations" if is_feed else "Cars on the ring road",
                "theme": "traffic-counts",
                "frequency": "DAILY",
                "licence": "contract",
                "currency": "EUR",
                "price": SUBSCRIPTION if is_feed else ONE_OFF,
                "policy": Policy.of(purposes=["research", "transport-planning"]).to_json(),
                "service_level": PROMISE.to_json() if is_feed else {},
                "source_url": "https://feed.example/gbfs.json" if is_feed else "",
                "created_at": NOW,
                "listed_at": NOW,
                **terms,
            }
        )
        version(product)
        return product

    def draft(
        self,
        product: DataProduct,
        choice: Choice = THREE_MONTHS,
        *,
        buyer: int | None = None,
        now: datetime = NOW,
    ) -> ContractText:
        """Draft a contract of Bob's."""
        return draft_contract(
            product_id=product.pk, buyer_id=buyer or self.bob, choice=choice, now=now
        )

    def propose(self, product: DataProduct, *, now: datetime = NOW) -> DataContract:
        """Let Bob propose a contract, signed in custody."""
        return propose_contract(
            text=self.draft(product, now=now), participant_id=self.bob, signature=None, now=now
        )

    def agree(self, product: DataProduct, *, now: datetime = NOW) -> DataContract:
        """Let Bob propose a contract and Alice sign it."""
        return accept_contract(
            contract_id=self.propose(product, now=now).pk,
            participant_id=self.alice,
            signature=None,
            now=now,
        )


def build_trade(*, funds_micro: int = 50_000_000, now: datetime = NOW) -> Trade:
    """Create the three, with wallets; Bob's and Charlie's are filled."""
    trade = Trade(
        add_participant(role="data_provider", name="Alice Bikes"),
        add_participant(role="enterprise", name="Bob Logistics"),
        add_participant(role="enterprise", name="Charlie Maps"),
    )
    for each in (trade.alice, trade.bob, trade.charlie):
        open_wallet(participant_id=each, currency="EUR")
        if each != trade.alice and funds_micro:
            post_deposit(
                participant_id=each, amount_micro=funds_micro, reference=f"d{each}", now=now
            )
    return trade


def version(product: DataProduct, *, number: int = 1, **columns: Any) -> DataVersion:
    """Publish a version of a product: its manifest is a few bytes that nothing else knows."""
    manifest = f"{product.pk}/{number}".encode()
    return DataVersion.objects.create(
        product=product,
        number=number,
        state=DataVersion.State.READY,
        manifest=manifest,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        created_at=NOW,
        published_at=NOW,
        **columns,
    )


def own_key(participant_id: int, *, now: datetime = NOW) -> Ed25519PrivateKey:
    """Register a key of a participant's own."""
    private = Ed25519PrivateKey.generate()
    body = own_key_body(
        participant_id=participant_id,
        public_key=private.public_key().public_bytes_raw(),
        issued_at=now,
    )
    use_own_key(participant_id=participant_id, body=body, signature=private.sign(body), now=now)
    return private


def book(*, now: datetime = NOW) -> None:
    """Let the ledger answer what was submitted."""
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()
