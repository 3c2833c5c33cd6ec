"""A contract for data and its revocation have receipts, for their two sides alone."""

from datetime import UTC, datetime

from config.log.keys import read_policy
from ledger.domain.receipts import verify
from ledger.services.attestation import attest_checkpoint
from marketplace.services.data.contract_ends import draft_revocation, revoke_contract
from tests.data.test_contracts_api import signed_in
from tests.data.trading import book, build_trade
from tests.receipts.test_own_receipts import Place, unpublished
from tests.web.conftest import city

__all__ = ["city", "unpublished"]


def test_contracts_have_receipts(unpublished: Place) -> None:
    _town, publisher = unpublished
    now = datetime.now(UTC)
    trade = build_trade(now=now)
    contract = trade.agree(trade.product(), now=now)
    side = {"contract_id": contract.pk, "participant_id": trade.alice}
    revoke_contract(**side, revocation=draft_revocation(**side, now=now), signature=None, now=now)
    book(now=now)
    checkpoint = publisher.publish_new(now=now)
    assert checkpoint is not None
    assert attest_checkpoint(size=checkpoint.size, policy=read_policy(), now=now)

    alice, charlie = signed_in("alice-data", trade.alice), signed_in("charlie-data", trade.charlie)
    own = f"/member/{trade.alice}/receipts/"
    listed = alice.get(own).content.decode()
    assert "Contract for data of" in listed
    assert "Revocation of a contract for data of" in listed
    agreed = f"documents/data-contract:{contract.pk}/"
    receipt = alice.get(f"{own}{agreed}file").content.decode()
    opened = dict(verify(receipt, read_policy()).opened)
    assert opened.keys() == {"buyer_signature", "contract", "key", "seller_signature"}
    assert opened["contract"] == contract.sha256
    ended = alice.get(f"{own}documents/data-contract-end:{contract.pk}/file").content.decode()
    assert dict(verify(ended, read_policy()).opened).keys() == {"key", "revocation", "signature"}
    link = f"{own}{agreed}"
    assert link in alice.get(f"/market/contracts/{contract.pk}").content.decode()
    assert alice.get(link).status_code == 200
    assert charlie.get(link).status_code == 404
    assert charlie.get(f"/member/{trade.charlie}/receipts/{agreed}").status_code == 404
