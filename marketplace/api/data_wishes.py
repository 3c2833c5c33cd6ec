"""Requests for data and open demand over HTTP; a buyer's requests are the buyer's own."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import acting_as, own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.data.traders import BUYERS, SELLERS
from marketplace.domain.data.wishes import Area, DemandGroup, Wish
from marketplace.errors import N_, NotFound
from marketplace.models import DataFormat, DataProduct
from marketplace.queries.data.demand import DemandLine, list_open_demand
from marketplace.queries.data.wishes import (
    WishLine,
    get_wish,
    list_answers,
    list_matches,
    list_wishes,
)
from marketplace.services.data import wishes

KINDS = {kind.label: kind for kind in DataProduct.Kind}


class AreaBody(serializers.Serializer[Any]):
    """A box of longitude and latitude. [microdegrees]"""

    west = serializers.IntegerField()
    south = serializers.IntegerField()
    east = serializers.IntegerField()
    north = serializers.IntegerField()


class WishIn(serializers.Serializer[Any]):
    """What is wished for."""

    participant_id = serializers.IntegerField(
        required=False, help_text="Which of your buyers; the first one if absent."
    )
    title = serializers.CharField(max_length=200)
    format = serializers.ChoiceField(choices=DataFormat.choices)
    kind = serializers.ChoiceField(choices=list(KINDS))
    area = AreaBody()
    first_day = serializers.DateField()
    last_day = serializers.DateField(help_text="Included.")
    resolution_s = serializers.IntegerField(help_text="One value at least every so many seconds.")
    age_s = serializers.IntegerField(allow_null=True, default=None)
    minimum_group = serializers.IntegerField(default=0)
    limit_price_micro = serializers.IntegerField(help_text="Of a feed: a month.")
    deadline_at = serializers.DateTimeField()


class WishOut(WishIn):
    """A wish as its buyer sees it."""

    participant_id = None  # type: ignore[assignment]  # DRF's way to leave an inherited field out
    id = serializers.IntegerField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=["open", "fulfilled", "ended"])
    posted_at = serializers.DateTimeField()
    whole_count = serializers.IntegerField()
    part_count = serializers.IntegerField()
    answer_count = serializers.IntegerField()


class ProductOut(serializers.Serializer[Any]):
    """A product by name."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    provider_name = serializers.CharField()


class WishMatchOut(serializers.Serializer[Any]):
    """What covers a wish, and what stays uncovered."""

    products = ProductOut(many=True)
    price_micro = serializers.IntegerField()
    uncovered_ppm = serializers.IntegerField()
    uncovered = serializers.ListField(child=serializers.DictField())


class WishAnswerOut(serializers.Serializer[Any]):
    """A seller's answer."""

    id = serializers.IntegerField()
    product = ProductOut()
    price_micro = serializers.IntegerField()
    note = serializers.CharField()
    state = serializers.CharField()
    answered_at = serializers.DateTimeField()


class WishDetailOut(WishOut):
    """A wish with everything that was found for it."""

    matches = WishMatchOut(many=True)
    answers = WishAnswerOut(many=True)


class GroupBody(serializers.Serializer[Any]):
    """Which wishes are seen as one."""

    format = serializers.ChoiceField(choices=DataFormat.choices)
    kind = serializers.ChoiceField(choices=list(KINDS))
    currency = serializers.CharField(max_length=3)
    cell_longitude = serializers.IntegerField()
    cell_latitude = serializers.IntegerField()
    month = serializers.DateField()


class DemandOut(serializers.Serializer[Any]):
    """A group of open demand; figures are null where buyers are few."""

    group = GroupBody()
    area = AreaBody()
    buyer_count = serializers.IntegerField(allow_null=True)
    median_limit_micro = serializers.IntegerField(allow_null=True)
    finest_s = serializers.IntegerField(allow_null=True)


class AnswerIn(serializers.Serializer[Any]):
    """A product for everybody behind a group."""

    participant_id = serializers.IntegerField(required=False)
    product_id = serializers.IntegerField()
    group = GroupBody()
    price_micro = serializers.IntegerField()
    note = serializers.CharField(allow_blank=True, default="", max_length=1_000)


class WishList(APIView):
    """What you wish for."""

    @extend_schema(
        operation_id="data_wishes_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(WishOut),
    )
    def get(self, request: Request) -> Response:
        """List your own requests, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_wishes(buyer_ids=own, before_id=before_id, limit=limit),
            lambda line: dict(WishOut(_body(line)).data),
        )

    @extend_schema(request=WishIn, responses={201: WishDetailOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Post a request; what covers it today is found at once."""
        form = WishIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = dict(form.validated_data)
        buyer_id = acting_as(request, BUYERS, asked.pop("participant_id", None))
        format_, area = asked.pop("format"), asked.pop("area")
        kind = KINDS[asked.pop("kind")]
        wish_id = wishes.post_wish(
            buyer_id=buyer_id,
            format_=format_,
            kind=kind,
            wish=Wish(area=Area(**area), **asked),
            now=timezone.now(),
        )
        return Response(_detail(wish_id, [buyer_id]), status=status.HTTP_201_CREATED)


class WishDetail(APIView):
    """One of your wishes."""

    @extend_schema(responses=WishDetailOut)
    def get(self, request: Request, wish_id: int) -> Response:
        """Return one of your requests with what covers it and who answered."""
        return Response(_detail(wish_id, own_ids(request)))


class WishEnd(APIView):
    """The end of a wish."""

    @extend_schema(request=None, responses={204: None})
    @idempotent
    def post(self, request: Request, wish_id: int) -> Response:
        """End one of your open requests."""
        wishes.end_wish(wish_id=wish_id, buyer_ids=own_ids(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class DemandList(APIView):
    """What is asked for, in groups."""

    @extend_schema(responses=DemandOut(many=True))
    def get(self, request: Request) -> Response:
        """List open demand; for those who sell."""
        acting_as(request, SELLERS, None)
        return Response([_demand(line) for line in list_open_demand()])

    @extend_schema(request=AnswerIn, responses={204: None})
    @idempotent
    def post(self, request: Request) -> Response:
        """Offer a product of yours to everybody behind a group."""
        form = AnswerIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        wishes.answer_demand(
            seller_id=acting_as(request, SELLERS, asked.get("participant_id")),
            product_id=asked["product_id"],
            group=DemandGroup(**{**asked["group"], "kind": KINDS[asked["group"]["kind"]]}),
            price_micro=asked["price_micro"],
            note=asked["note"],
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _detail(wish_id: int, own: list[int]) -> dict[str, Any]:
    line = get_wish(wish_id=wish_id, buyer_ids=own)
    if line is None:
        raise NotFound(N_("There is no such request of yours."))
    found: dict[str, Any] = {
        **_body(line),
        "matches": list_matches(wish_id=wish_id),
        "answers": list_answers(wish_id=wish_id),
    }
    return dict(WishDetailOut(found).data)


def _body(line: WishLine) -> dict[str, Any]:
    return {**vars(line), "kind": DataProduct.Kind(line.kind).label}


def _demand(line: DemandLine) -> dict[str, Any]:
    group = {**vars(line.group), "kind": DataProduct.Kind(line.group.kind).label}
    return dict(DemandOut({**vars(line), "group": group, "area": line.group.area}).data)
