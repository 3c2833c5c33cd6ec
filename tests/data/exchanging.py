"""A street of the data market: Ada sells a packed file, Ben buys it, Cleo is neither."""

import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gate.exchange import Acceptance, Origin, Reception, Text, base64_of, micros_of, unwrap_key
from gate.keys import key_commitment, new_key, new_package_id
from gate.manifest import CHUNK_BYTES, Manifest
from gate.package import Packer, check_ciphertext, open_chunk
from ledger.queries import get_balances
from ledger.services import SettlementWorker, open_accounts, submit
from marketplace.domain.data.charges import escrow_path
from marketplace.domain.data.policy import Policy
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.terms_document import own_key_body
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDelivery,
    DataProduct,
    DataVersion,
    Participant,
    User,
)
from marketplace.services.data.charge_scans import advance_charges
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.deliveries import offer, receive
from marketplace.services.data.delivery_scan import advance_deliveries, sign_waiting
from marketplace.services.data.deposit_key import seal_for_hall
from marketplace.services.data.storage import new_package
from marketplace.services.data.version_work import version_document, version_document_key
from marketplace.services.people import add_participant, join
from marketplace.services.places import money_unit
from marketplace.services.signed_terms import use_own_key
from marketplace.services.wallets import open_wallet, post_deposit

NOW = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
PRICE_MICRO = 3_000_000
FUNDS_MICRO = 10_000_000
CONTENT = b"station,day,trips\n" + b"central,2026-03-01,12\n" * (2 * CHUNK_BYTES // 22 + 5)
READ_ME = b"counts a day and station\n"


@dataclass(frozen=True)
class Trader:
    """Somebody who signs in, and whom they act for; with a key of their own or in custody."""

    user: User
    participant_id: int
    own_key: Ed25519PrivateKey | None = None

    @property
    def balance(self) -> int:
        account = Participant.objects.get(id=self.participant_id).wallet_account_id
        assert account is not None
        return get_balances(account_ids=[account])[account].posted

    def sign(self, text: Text) -> bytes | None:
        return None if self.own_key is None else self.own_key.sign(text.body())


def trader(name: str, role: str, *, funds_micro: int = 0, has_own_key: bool = False) -> Trader:
    user = User.objects.create_user(f"{name.lower()}@data.example")
    participant_id = add_participant(role=role, name=name)
    join(user_id=user.pk, participant_id=participant_id)
    open_wallet(participant_id=participant_id, currency="CNY")
    if funds_micro:
        post_deposit(
            participant_id=participant_id,
            amount_micro=funds_micro,
            reference=f"first-{participant_id}",
            now=NOW,
        )
    if not has_own_key:
        return Trader(user, participant_id)
    key = Ed25519PrivateKey.generate()
    body = own_key_body(
        participant_id=participant_id,
        public_key=key.public_key().public_bytes_raw(),
        issued_at=NOW,
    )
    use_own_key(participant_id=participant_id, body=body, signature=key.sign(body), now=NOW)
    return Trader(user, participant_id, key)


def publish_file(
    seller: Trader,
    *,
    price_micro: int = PRICE_MICRO,
    automatic: bool = True,
    content: bytes = CONTENT,
) -> DataVersion:
    """List a file of counts in two parts, packed as the hall packs it."""
    rule = PriceRule(PriceForm.ONE_OFF, price_micro) if price_micro else PriceRule(PriceForm.FREE)
    product = DataProduct.objects.create(
        provider_id=seller.participant_id,
        kind=DataProduct.Kind.FILE,
        format="counts",
        state=DataProduct.State.LISTED,
        title="Trips by day",
        theme="general-information",
        frequency="IRREG",
        licence="CC-BY-4.0",
        currency="CNY",
        price=rule.document(),
        policy=Policy().to_json(),
        service_level=ServiceLevel().to_json(),
        accepts_automatically=automatic,
        created_at=NOW,
        listed_at=NOW,
    )
    package_id, key = new_package_id(), new_key()
    with new_package(package_id.hex()) as sink:
        packer = Packer(sink, package_id, key)
        packer.add("counts.csv", "text/csv", content)
        packer.add("read-me.txt", "text/plain", READ_ME)
        package = packer.finish()
    manifest = Manifest(
        "counts", CONTENT.count(b"\n") - 1, package, key_commitment(package_id, key)
    )
    version = DataVersion.objects.create(
        product=product,
        number=1,
        state=DataVersion.State.READY,
        manifest=manifest.to_bytes(),
        manifest_sha256=manifest.sha256,
        package=package_id.hex(),
        sealed_key=seal_for_hall(package_id=package_id, key=key),
        key_commitment=manifest.key_commitment,
        byte_count=package.byte_count,
        created_at=NOW,
        published_at=NOW,
    )
    command = version_document(version).command(version_document_key(version.pk))
    submit(commands=[command], submitted_at=NOW)
    return version


def book(now: datetime = NOW) -> None:
    """Let the settlement worker answer everything in the inbox."""
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()


def go_on(now: datetime = NOW, *, rounds: int = 3) -> None:
    """Let ledger and scans do whatever is due."""
    for _ in range(rounds):
        book(now)
        advance_charges(now=now)
        advance_deliveries(now=now)
        sign_waiting(now=now)


def agree(version: DataVersion, seller: Trader, buyer: Trader, now: datetime = NOW) -> DataDelivery:
    """Let both sign a contract; its money is on its way."""
    text = draft_contract(
        product_id=version.product_id, buyer_id=buyer.participant_id, choice=Choice(), now=now
    )
    contract = propose_contract(
        text=text,
        participant_id=buyer.participant_id,
        signature=None if buyer.own_key is None else buyer.own_key.sign(text.body()),
        now=now,
    )
    accept_contract(
        contract_id=contract.pk,
        participant_id=seller.participant_id,
        signature=None if seller.own_key is None else seller.own_key.sign(text.body()),
        now=now,
    )
    return DataDelivery.objects.get(contract=contract)


@dataclass
class Exchange:
    """A delivery between two, and what the buyer's side keeps."""

    seller: Trader
    buyer: Trader
    id: int
    private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def row(self) -> DataDelivery:
        return DataDelivery.objects.select_related("charge", "contract__version").get(pk=self.id)

    @property
    def state(self) -> str:
        return DataDelivery.State(self.row.state).name

    @property
    def money(self) -> str:
        return DataCharge.State(self.row.charge.state).name

    @property
    def manifest(self) -> Manifest:
        return Manifest.from_bytes(bytes(self.row.contract.version.manifest or b""))

    @property
    def contract(self) -> DataContract:
        return self.row.contract

    def reception(self, now: datetime = NOW, **changes: str) -> Reception:
        """Return what the buyer signs after fetching."""
        origin = Origin.read(bytes(self.row.origin_body or b""))
        values = {
            "origin": origin.digest(),
            "root": self.manifest.package.root,
            "to": self.private.public_key().public_bytes_raw().hex(),
            "buyer_key": base64_of(bytes(self.contract.buyer_key.public_key)),
            "issued": micros_of(now),
        }
        return Reception(**(values | changes))

    def offer(self, now: datetime = NOW) -> None:
        offer(delivery_id=self.id, participant_ids=[self.seller.participant_id], now=now)

    def receive(self, text: Reception | None = None, now: datetime = NOW) -> None:
        text = text or self.reception(now)
        receive(
            delivery_id=self.id,
            participant_ids=[self.buyer.participant_id],
            body=text.body(),
            signature=self.buyer.sign(text),
            now=now,
        )

    def key(self) -> bytes:
        """Return the package's key as the buyer unwraps it."""
        row = self.row
        request = Reception.read(bytes(row.receipt_body or b""))
        return unwrap_key(wrap=bytes(row.wrap or b""), request=request, private_key=self.private)

    def acceptance(self, now: datetime = NOW) -> Acceptance:
        row = self.row
        return Acceptance(
            Reception.read(bytes(row.receipt_body or b"")).digest(),
            hashlib.sha256(bytes(row.wrap or b"")).hexdigest(),
            base64_of(bytes(self.contract.buyer_key.public_key)),
            micros_of(now),
        )


def exchange(
    seller: Trader, buyer: Trader, *, price_micro: int = PRICE_MICRO, automatic: bool = True
) -> Exchange:
    """Publish a file and agree on it; nothing was booked of it yet."""
    version = publish_file(seller, price_micro=price_micro, automatic=automatic)
    return Exchange(seller, buyer, agree(version, seller, buyer).pk)


def to_state(each: Exchange, state: str) -> None:
    """Bring a fresh exchange to a state by everybody's ordinary steps."""
    if state == "WAITING":
        return
    go_on()
    if state in {"HELD", "OFFERED"}:
        return
    each.receive()
    if state != "ACKNOWLEDGED":
        go_on()


def escrow() -> int:
    """Return what stands in escrow. [micro]"""
    path = escrow_path("CNY")
    account = open_accounts(paths=[path], unit=money_unit("CNY"), overdraft_limit=0)[path]
    return get_balances(account_ids=[account])[account].posted


def opened(each: Exchange, cipher: bytes, key: bytes) -> bytes:
    """Return the clear bytes of all chunks, verified."""
    manifest = each.manifest
    assert check_ciphertext(io.BytesIO(cipher), manifest.package) is None
    content = b""
    for index, offset in enumerate(manifest.package.offsets()):
        size = manifest.package.chunks[index].byte_count + 16
        sealed = cipher[offset : offset + size]
        content += bytes(open_chunk(sealed, package=manifest.package, index=index, key=key))
    return content


DAY = timedelta(days=1)
