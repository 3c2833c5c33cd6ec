"""What a member signed has a receipt like everything else that is logged."""

from datetime import UTC, datetime

from config.log.keys import read_policy
from ledger.domain.receipts import verify
from ledger.services.attestation import attest_checkpoint
from marketplace.models import MeteringPoint, SignedTerms
from marketplace.services.standing import set_standing_rule
from tests.data.trading import book
from tests.receipts.test_own_receipts import Place, unpublished
from tests.web.city import signed_in
from tests.web.conftest import city

__all__ = ["city", "unpublished"]


def test_signed_terms_and_their_key_have_receipts(unpublished: Place) -> None:
    town, publisher = unpublished
    alice, now = town.participant_ids["alice"], datetime.now(UTC)
    set_standing_rule(
        metering_point_id=MeteringPoint.objects.get(site__participant=alice).pk,
        sell_at_or_above_micro_per_kwh=300_000,
        buy_at_or_below_micro_per_kwh=None,
        is_paused=False,
        valid_until=None,
        now=now,
    )
    signed = SignedTerms.objects.get()
    book(now=now)
    checkpoint = publisher.publish_new(now=now)
    assert checkpoint is not None
    assert attest_checkpoint(size=checkpoint.size, policy=read_policy(), now=now)

    client, own = signed_in("alice"), f"/member/{alice}"
    link = f"{own}/receipts/documents/terms:{signed.id}/"
    assert link in client.get(f"{own}/terms/{signed.id}/").content.decode()
    listed = client.get(f"{own}/receipts/").content.decode()
    assert "Terms signed on" in listed and "Key that signs from" in listed
    page = client.get(link).content.decode()
    assert "Terms signed on" in page
    receipt = client.get(f"{link}file").content.decode()
    assert dict(verify(receipt, read_policy()).opened) == {
        "key": f"terms:{signed.id}",
        "terms": signed.sha256,
    }
    key = client.get(f"{own}/receipts/documents/signing-key:{signed.key_id}/file")
    assert dict(verify(key.content.decode(), read_policy()).opened)["participant"] == str(alice)
    for name in ("bob", "charlie", "olga"):
        assert signed_in(name).get(link).status_code == 404
    bob = town.participant_ids["bob"]
    other = f"/member/{bob}/receipts/documents/terms:{signed.id}/"
    assert signed_in("bob").get(other).status_code == 404
