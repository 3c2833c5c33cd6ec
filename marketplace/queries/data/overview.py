"""Where somebody stands in the data market, in counts: what is theirs, and what waits for them."""

from dataclasses import dataclass

from django.db.models import Count, Q

from marketplace.models import (
    DataCharge,
    DataContract,
    DataDelivery,
    DataDispute,
    DataProduct,
    DataVersion,
    DataWish,
)


@dataclass(frozen=True)
class Overview:
    """Counts of one participant's; what begins with ``to_`` waits for them."""

    to_sign: int
    in_force: int
    to_receive: int
    to_offer: int
    charges_refused: int
    disputes_open: int
    to_answer: int
    products_listed: int
    versions_to_confirm: int
    wishes_open: int
    wishes_found: int

    @property
    def waits(self) -> bool:
        """Whether anything waits for them."""
        return bool(
            self.to_sign
            or self.to_receive
            or self.to_offer
            or self.charges_refused
            or self.to_answer
            or self.versions_to_confirm
        )


def get_overview(*, participant_id: int) -> Overview:
    """Count what a participant has in the data market."""
    mine = Q(buyer=participant_id) | Q(seller=participant_id)
    contracts = DataContract.objects.filter(mine).aggregate(
        to_sign=Count("id", filter=Q(seller=participant_id, state=DataContract.State.PROPOSED)),
        in_force=Count("id", filter=Q(state=DataContract.State.AGREED)),
    )
    deliveries = DataDelivery.objects.aggregate(
        to_receive=Count(
            "id", filter=Q(contract__buyer=participant_id, state=DataDelivery.State.OFFERED)
        ),
        # The hall offers for those whose key it holds.
        to_offer=Count(
            "id",
            filter=Q(
                contract__seller=participant_id,
                contract__seller_key__sealed_private__isnull=True,
                state=DataDelivery.State.HELD,
            ),
        ),
    )
    disputes = DataDispute.objects.filter(state=DataDispute.State.OPEN).aggregate(
        disputes_open=Count(
            "id",
            filter=Q(charge__contract__buyer=participant_id)
            | Q(charge__contract__seller=participant_id),
        ),
        to_answer=Count("id", filter=Q(charge__contract__seller=participant_id, answer="")),
    )
    products = DataProduct.objects.filter(provider=participant_id).aggregate(
        products_listed=Count("id", filter=Q(state=DataProduct.State.LISTED))
    )
    versions = DataVersion.objects.filter(product__provider=participant_id).aggregate(
        versions_to_confirm=Count(
            "id", filter=Q(state=DataVersion.State.WORKING, progress__step="preview")
        ),
    )
    wishes = DataWish.objects.filter(buyer=participant_id, state=DataWish.State.OPEN).aggregate(
        wishes_open=Count("id", distinct=True),
        wishes_found=Count("id", filter=Q(matches__uncovered_ppm=0), distinct=True),
    )
    refused = DataCharge.objects.filter(
        contract__buyer=participant_id,
        contract__state=DataContract.State.AGREED,
        state=DataCharge.State.REFUSED,
    ).count()
    return Overview(
        **contracts, **deliveries, **disputes, **products, **versions, **wishes,
        charges_refused=refused,
    )  # fmt: skip
