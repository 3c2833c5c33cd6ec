"""What an agreement must hold to before anybody may sign it."""

from datetime import datetime
from typing import Final

from django.db.models import Q

from marketplace.domain.agreement_text import MOST_PARTNERS, STAGES, AgreementText
from marketplace.domain.civil_day import LAST_MOMENT
from marketplace.domain.terms_document import sha256_of
from marketplace.errors import N_, AgreementClosed, Invalid, TooManyPartners, TooManyProposals
from marketplace.models import Agreement, MeteringPoint
from marketplace.queries.agreements import get_rules_now

MAXIMUM_WH: Final = 1_000_000_000
# Of one member's, waiting for the other side.
PROPOSALS_MAX: Final = 20


def check_text(
    text: AgreementText, seller: MeteringPoint, buyer: MeteringPoint, now: datetime
) -> None:
    """Refuse a text whose sides, price, limit, rank or dates do not go together."""
    if seller.community_id != buyer.community_id or text.community_id != seller.community_id:
        raise Invalid("metering_point", N_("Both metering points must be of one community."))
    if text.currency != seller.community.currency:
        raise Invalid("body", N_("This is not the text that was to be signed."))
    if seller.site.participant_id == buyer.site.participant_id:
        raise Invalid("metering_point", N_("An agreement has two sides: name another member's."))
    for point in (seller, buyer):
        if point.active_until is not None and point.active_until <= now:
            raise Invalid("metering_point", N_("This metering point has ended."))
    _check_rules(text, now)
    if text.maximum_wh is not None and not 0 < text.maximum_wh <= MAXIMUM_WH:
        raise Invalid("maximum_wh", N_("Write a whole number of Wh above 0, or leave it out."))
    ranks = range(1, MOST_PARTNERS + 1) if text.kind == "partner" else (None,)
    if text.rank not in ranks:
        raise Invalid("rank", N_("A partner has a rank, 1 to 3; nothing else has one."))
    for field, moment in (("valid_from", text.valid_from), ("valid_until", text.valid_until)):
        if moment is not None and moment > LAST_MOMENT:
            raise Invalid(field, N_("Choose a date before the year 2200."))
    if text.valid_from < now:
        raise Invalid("valid_from", N_("Choose a start that is still to come."))
    if text.valid_until is not None and text.valid_until <= text.valid_from:
        raise Invalid("valid_until", N_("Choose an end after the start, or none."))


def _check_rules(text: AgreementText, now: datetime) -> None:
    """Refuse what the community's rules have no stage for, or a price beyond their bounds."""
    rules = get_rules_now(community_id=text.community_id, now=now)
    if rules is None:
        raise Invalid("valid_from", N_("The community has no rules in force yet."))
    if STAGES[text.kind] not in rules.market.matching_order:
        raise Invalid("kind", N_("The community's rules know no such agreements."))
    price = text.price_micro_per_kwh
    if text.kind == "gift" and price != 0:
        raise Invalid("price_micro_per_kwh", N_("A gift costs nothing."))
    if text.kind == "contract" and price is None:
        raise Invalid("price_micro_per_kwh", N_("A contract names its price."))
    low, high = rules.price_min_micro_per_kwh, rules.price_max_micro_per_kwh
    if price is not None and not low <= price <= high:
        raise Invalid(
            "price_micro_per_kwh",
            N_("The community's rules allow prices from {low} to {high} micro per kWh."),
            low=low,
            high=high,
        )


def check_partners(text: AgreementText) -> None:
    """Refuse a fourth partner, or two of one rank, on either side while the text would count."""
    if text.kind != "partner":
        return
    partners = Agreement.objects.filter(
        kind=Agreement.Kind.PARTNER, agreed_at__isnull=False, ended_at__isnull=True
    ).filter(Q(valid_until__isnull=True) | Q(valid_until__gt=text.valid_from))
    if text.valid_until is not None:
        partners = partners.filter(valid_from__lt=text.valid_until)
    for own in (
        Q(seller_point=text.seller.metering_point_id),
        Q(buyer_point=text.buyer.metering_point_id),
    ):
        taken = partners.filter(own).values_list("rank", flat=True)
        if text.rank in taken:
            raise TooManyPartners(
                N_("Rank {rank} is taken on one side: at most three partners, each of its rank."),
                rank=text.rank,
            )


def check_proposals(text: AgreementText, participant_id: int) -> None:
    """Refuse a text that was proposed before, or one more than a member may let wait.

    Who could propose without end could bury what others have agreed on under it.
    """
    if Agreement.objects.filter(sha256=sha256_of(text.body())).exists():
        raise AgreementClosed(N_("This text was proposed before."))
    waiting = Agreement.objects.filter(agreed_at__isnull=True, closed_at__isnull=True).filter(
        Q(seller=participant_id, seller_signature__isnull=False)
        | Q(buyer=participant_id, buyer_signature__isnull=False)
    )
    if waiting.count() >= PROPOSALS_MAX:
        raise TooManyProposals(
            N_("{count} of your proposals wait for an answer: withdraw one first."),
            count=PROPOSALS_MAX,
        )
