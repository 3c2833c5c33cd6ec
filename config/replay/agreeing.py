"""Two members who agree at once: for a demo or a measurement, whose members the hall signs for."""

from datetime import datetime

from marketplace.domain.agreement_text import AgreementKind
from marketplace.services.agreements import accept_agreement, draft_agreement, propose_agreement


def agree(
    *,
    kind: AgreementKind,
    seller: tuple[int, int],
    buyer: tuple[int, int],
    price_micro_per_kwh: int | None,
    rank: int | None,
    now: datetime,
) -> None:
    """Draft, propose and accept an agreement from ``now`` until further notice.

    Parameters
    ----------
    seller, buyer : tuple of int
        Metering point and participant, as `marketplace.queries.people.list_meter_points` tells
        them; both sign by the key in the hall's custody.
    """
    (seller_point, seller_id), (buyer_point, buyer_id) = seller, buyer
    text = draft_agreement(
        kind=kind,
        seller_point_id=seller_point,
        buyer_point_id=buyer_point,
        price_micro_per_kwh=price_micro_per_kwh,
        maximum_wh=None,
        rank=rank,
        valid_from=now,
        valid_until=None,
        now=now,
    )
    proposal = propose_agreement(text=text, participant_id=seller_id, signature=None, now=now)
    accept_agreement(agreement_id=proposal.pk, participant_id=buyer_id, signature=None, now=now)
