"""Agreements: nobody is bound without a signature, and nothing that was signed can be touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction

from ledger.models import InboxCommand
from marketplace.domain.agreement_text import AgreementKind, AgreementText
from marketplace.domain.rules import preset
from marketplace.errors import (
    AgreementClosed,
    AgreementsInForce,
    Invalid,
    NotFound,
    SignatureNeeded,
    TermsBroken,
    TooManyPartners,
    TooManyProposals,
)
from marketplace.models import Agreement
from marketplace.queries.agreements import AgreementsInForce as InForce
from marketplace.queries.agreements import (
    find_agreement,
    list_agreement_texts,
    list_agreements,
    verify_agreements,
)
from marketplace.services.agreement_checks import PROPOSALS_MAX
from marketplace.services.agreements import (
    accept_agreement,
    close_proposal,
    draft_agreement,
    draft_end,
    end_agreement,
    propose_agreement,
)
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from tests.conftest import CommittedDatabase
from tests.market.street import START, Street
from tests.market.test_signed_terms import own_key

TOMORROW = START + timedelta(days=1)


# The street's tariff under rules that know agreements.
FORM_2 = {
    key: preset("demo-agreements")[key]
    for key in (
        "form",
        "matching_order",
        "zones",
        "links",
        "grid_fees",
        "sharing_price_micro_per_kwh",
        "estimation",
    )
}


@pytest.fixture
def street(db: None) -> Street:
    return Street(**FORM_2)


def member(street: Street, meter: str) -> int:
    return street.point(meter).site.participant_id


def draft(
    street: Street,
    kind: AgreementKind = "contract",
    *,
    seller: str = "alice",
    buyer: str = "charlie",
    now: datetime = START,
    **changes: Any,
) -> AgreementText:
    terms: dict[str, Any] = {
        "price_micro_per_kwh": 250_000 if kind == "contract" else None,
        "maximum_wh": None,
        "rank": 1 if kind == "partner" else None,
        "valid_from": TOMORROW,
        "valid_until": None,
    }
    return draft_agreement(
        kind=kind,
        seller_point_id=street.point(seller).id,
        buyer_point_id=street.point(buyer).id,
        now=now,
        **{**terms, **changes},
    )


def propose(street: Street, text: AgreementText, meter: str = "alice") -> Agreement:
    return propose_agreement(
        text=text, participant_id=member(street, meter), signature=None, now=START
    )


def agree(street: Street, text: AgreementText, *, first: str, second: str) -> Agreement:
    proposal = propose(street, text, first)
    return accept_agreement(
        agreement_id=proposal.pk,
        participant_id=member(street, second),
        signature=None,
        now=START + timedelta(hours=1),
    )


def test_it_counts_from_its_start_when_both_have_signed_and_the_log_knows(street: Street) -> None:
    proposal = propose(street, draft(street, maximum_wh=700))
    waiting = find_agreement(participant_id=member(street, "charlie"), agreement_id=proposal.pk)
    assert waiting is not None
    assert (waiting.state, waiting.is_mine_to_sign) == ("proposed", True)
    assert len(InForce(community_id=street.community.id).at(TOMORROW).ids) == 0

    accept_agreement(
        agreement_id=proposal.pk,
        participant_id=member(street, "charlie"),
        signature=None,
        now=START + timedelta(hours=1),
    )
    street.run(START + timedelta(hours=1))

    in_force = InForce(community_id=street.community.id)
    assert in_force.at(TOMORROW).maximum_wh.tolist() == [700]
    assert len(in_force.at(TOMORROW - timedelta(hours=1)).ids) == 0
    [line] = list_agreements(participant_id=member(street, "alice"))
    assert (line.state, line.is_logged, line.other_meter) == ("agreed", True, "charlie")
    assert verify_agreements() == 1
    [(_, text)] = list_agreement_texts(keys=[line.log_key, f"agreement-end:{proposal.pk}"])
    body, *signatures, end = text.split(b"\n")
    assert (AgreementText.read(body).maximum_wh, len(signatures), end) == (700, 2, b"")


def test_an_end_counts_from_when_it_was_written(street: Street) -> None:
    agreement = agree(street, draft(street), first="charlie", second="alice")
    later = TOMORROW + timedelta(days=3)
    end = draft_end(agreement_id=agreement.pk, participant_id=member(street, "charlie"), now=later)
    charlie = member(street, "charlie")
    end_agreement(
        agreement_id=agreement.pk, participant_id=charlie, end=end, signature=None, now=later
    )
    in_force = InForce(community_id=street.community.id)
    assert len(in_force.at(later - timedelta(minutes=15)).ids) == 1
    assert len(in_force.at(later).ids) == 0
    assert verify_agreements() == 1
    with pytest.raises(AgreementClosed):
        draft_end(agreement_id=agreement.pk, participant_id=member(street, "alice"), now=later)


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("contract", {"price_micro_per_kwh": None}, "price_micro_per_kwh"),
        ("contract", {"price_micro_per_kwh": 2_000_001}, "price_micro_per_kwh"),
        ("contract", {"rank": 1}, "rank"),
        ("partner", {"rank": None}, "rank"),
        ("partner", {"rank": 4}, "rank"),
        ("gift", {"maximum_wh": 0}, "maximum_wh"),
        ("gift", {"valid_from": START - timedelta(seconds=1)}, "valid_from"),
        ("gift", {"valid_until": TOMORROW}, "valid_until"),
        ("gift", {"buyer": "alice"}, "metering_point"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    street: Street, kind: AgreementKind, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        draft(street, kind, **changes)
    assert refused.value.field == field


def test_rules_without_the_stage_take_no_agreement(street: Street) -> None:
    contracts_only = Street("Contracts", **{**FORM_2, "matching_order": ["contracts", "pool"]})
    unknown: list[tuple[Street, AgreementKind]] = [
        (Street("Form 1"), "gift"),
        (contracts_only, "partner"),
    ]
    for town, kind in unknown:
        with pytest.raises(Invalid, match="know no such agreements"):
            draft(town, kind)
    draft(contracts_only, "gift")


def test_one_side_alone_binds_nobody(street: Street) -> None:
    proposal = propose(street, draft(street))
    for who, error in (("alice", NotFound), ("bob", NotFound)):
        with pytest.raises(error):
            accept_agreement(
                agreement_id=proposal.pk,
                participant_id=member(street, who),
                signature=None,
                now=START,
            )
    with pytest.raises(AgreementClosed, match="start has passed"):
        accept_agreement(
            agreement_id=proposal.pk,
            participant_id=member(street, "charlie"),
            signature=None,
            now=TOMORROW + timedelta(seconds=1),
        )
    close_proposal(agreement_id=proposal.pk, participant_id=member(street, "charlie"), now=START)
    with pytest.raises(AgreementClosed):
        accept_agreement(
            agreement_id=proposal.pk,
            participant_id=member(street, "charlie"),
            signature=None,
            now=START,
        )
    assert find_agreement(participant_id=member(street, "bob"), agreement_id=proposal.pk) is None
    assert not InboxCommand.objects.filter(key__startswith="agreement").exists()


def test_a_rank_is_taken_once_on_each_side(street: Street) -> None:
    agree(street, draft(street, "partner"), first="alice", second="charlie")
    with pytest.raises(TooManyPartners):
        propose(street, draft(street, "partner", buyer="dora"))
    with pytest.raises(TooManyPartners):
        propose(street, draft(street, "partner", seller="bob"), "bob")
    agree(street, draft(street, "partner", buyer="dora", rank=2), first="alice", second="dora")


def test_who_holds_a_key_of_their_own_signs_it_alone(street: Street) -> None:
    private = own_key(street, "charlie")
    proposal = propose(street, draft(street))

    def accept(signature: bytes | None) -> None:
        accept_agreement(
            agreement_id=proposal.pk,
            participant_id=member(street, "charlie"),
            signature=signature,
            now=START,
        )

    with pytest.raises(SignatureNeeded):
        accept(None)
    with pytest.raises(Invalid, match="signature"):
        accept(Ed25519PrivateKey.generate().sign(bytes(proposal.body)))
    accept(private.sign(bytes(proposal.body)))
    plan = plan_erasure_of_participant(participant_id=member(street, "charlie"))
    with pytest.raises(AgreementsInForce):
        erase_subject(plan=plan, now=START)


def test_erasing_a_member_signs_the_end_before_their_key_goes(street: Street) -> None:
    agreement = agree(street, draft(street), first="alice", second="charlie")
    later = TOMORROW + timedelta(days=1)
    erase_subject(
        plan=plan_erasure_of_participant(participant_id=member(street, "alice")), now=later
    )
    agreement.refresh_from_db()
    assert agreement.ended_at == later
    assert InboxCommand.objects.filter(key=f"agreement-end:{agreement.pk}").exists()
    assert verify_agreements() == 1


def test_the_database_takes_nothing_that_one_side_signed_as_agreed(street: Street) -> None:
    proposal = propose(street, draft(street))
    with pytest.raises(IntegrityError, match="agreement_signed_by_both"), transaction.atomic():
        Agreement.objects.filter(pk=proposal.pk).update(agreed_at=START)


def test_an_edited_agreement_is_named_and_nothing_is_cleared_on_it(
    committed_db: CommittedDatabase,
) -> None:
    street = Street(**FORM_2)
    agreement = agree(street, draft(street), first="alice", second="charlie")
    with psycopg.connect(committed_db.owner_url, autocommit=True) as owner:
        owner.execute("UPDATE marketplace_agreement SET price_micro_per_kwh = 1")
    for read in (verify_agreements, lambda: InForce(community_id=street.community.id)):
        with pytest.raises(TermsBroken, match=f"agreement:{agreement.pk}"):
            read()


def test_a_hostile_side_gets_nothing_signed_that_the_other_did_not_want(street: Street) -> None:
    agreement = agree(street, draft(street), first="alice", second="charlie")
    alice, charlie = member(street, "alice"), member(street, "charlie")
    later = TOMORROW + timedelta(days=3)
    # Alice sends an end in Charlie's name, and the hall, which has his key, must not sign it.
    for forged in (
        draft_end(agreement_id=agreement.pk, participant_id=charlie, now=later),
        replace(
            draft_end(agreement_id=agreement.pk, participant_id=alice, now=later),
            ends_sha256="0" * 64,
        ),
    ):
        with pytest.raises(Invalid, match="not the text"):
            end_agreement(
                agreement_id=agreement.pk,
                participant_id=alice,
                end=forged,
                signature=None,
                now=later,
            )
    agreement.refresh_from_db()
    assert agreement.ended_at is None

    text = draft(street, maximum_wh=1)
    own = street.point("alice")
    own.pk, own.code = None, "alice's second"
    own.save()
    far = datetime(9999, 12, 31, tzinfo=UTC)
    for changed, field in (
        (replace(text, currency="XAU"), "body"),
        (replace(text, valid_until=far), "valid_until"),
        (replace(text, valid_from=far), "valid_from"),
        (replace(text, buyer=replace(text.seller, metering_point_id=own.pk)), "metering_point"),
        (replace(text, buyer=replace(text.buyer, participant_id=alice)), "body"),
    ):
        with pytest.raises(Invalid) as refused:
            propose(street, changed)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        propose(street, text, "bob")


def test_proposals_bury_nothing(street: Street) -> None:
    agreement = agree(street, draft(street), first="alice", second="charlie")
    first = propose(street, draft(street, maximum_wh=1))
    with pytest.raises(AgreementClosed, match="proposed before"):
        propose(street, draft(street, maximum_wh=1))
    for most in range(2, PROPOSALS_MAX + 1):
        last = propose(street, draft(street, maximum_wh=most))
    with pytest.raises(TooManyProposals):
        propose(street, draft(street, maximum_wh=PROPOSALS_MAX + 1))
    alice, charlie = member(street, "alice"), member(street, "charlie")
    close_proposal(agreement_id=last.pk, participant_id=alice, now=START)
    propose(street, draft(street, maximum_wh=PROPOSALS_MAX + 1))
    # Charlie's own answer is not held up, and what was closed stands last.
    propose(street, draft(street, maximum_wh=1000), "charlie")
    shown = [line.id for line in list_agreements(participant_id=charlie)]
    assert (shown[-1], shown[-2], shown[-3]) == (last.pk, agreement.pk, first.pk)
