"""A provider's products over HTTP: made, changed, listed, withdrawn. Everything is one's own."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import acting_as, own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.data.traders import SELLERS
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import DataFormat
from marketplace.queries.data.products import ProductLine, get_product, list_products
from marketplace.services.data import products


class TermsBody(serializers.Serializer[Any]):
    """What a product says of itself; docs/data.md has the forms of the objects."""

    title = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True)
    language = serializers.CharField(required=False)
    keywords = serializers.ListField(child=serializers.CharField(), required=False)
    theme = serializers.CharField(help_text="mobilityDCAT-AP theme, its last part.")
    frequency = serializers.CharField(required=False)
    licence = serializers.CharField()
    price = serializers.DictField()
    shares = serializers.ListField(child=serializers.DictField(), required=False)
    policy = serializers.DictField(required=False)
    service_level = serializers.DictField(required=False)
    reading = serializers.DictField(required=False)
    query_budget_micro_epsilon = serializers.IntegerField(required=False)
    accepts_automatically = serializers.BooleanField(required=False)
    is_for_planning = serializers.BooleanField(required=False)


class ProductIn(serializers.Serializer[Any]):
    """A product to make."""

    participant_id = serializers.IntegerField(
        required=False, help_text="Which of your sellers; the first one if absent."
    )
    kind = serializers.ChoiceField(choices=["file", "feed"])
    format = serializers.ChoiceField(choices=DataFormat.choices)
    source_url = serializers.CharField(required=False, help_text="Of a feed.")
    terms = TermsBody()


class OwnProductOut(serializers.Serializer[Any]):
    """A product in a list."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    kind = serializers.CharField()
    format = serializers.CharField()
    state = serializers.ChoiceField(choices=["draft", "listed", "withdrawn"])
    currency = serializers.CharField()
    price = serializers.DictField()
    ready_count = serializers.IntegerField()
    contract_count = serializers.IntegerField()
    revenue_micro = serializers.IntegerField()
    working_id = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class ProductTermsOut(serializers.Serializer[Any]):
    """A product with everything its provider may change."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    format = serializers.CharField()
    state = serializers.CharField()
    currency = serializers.CharField()
    source_url = serializers.CharField()
    terms = TermsBody()
    privacy_policy = serializers.DictField()
    created_at = serializers.DateTimeField()
    listed_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class ProductList(APIView):
    """Your products."""

    @extend_schema(
        operation_id="data_products_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(OwnProductOut),
    )
    def get(self, request: Request) -> Response:
        """List your products, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_products(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            _product_body,
        )

    @extend_schema(request=ProductIn, responses={201: ProductTermsOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a product; nobody sees it before it is listed."""
        form = ProductIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        seller = acting_as(request, SELLERS, asked.get("participant_id"))
        product_id = products.create_product(
            provider_id=seller,
            is_feed=asked["kind"] == "feed",
            format_=asked["format"],
            terms=asked["terms"],
            source_url=asked.get("source_url", ""),
            now=timezone.now(),
        )
        return _one_product([seller], product_id, status.HTTP_201_CREATED)


class ProductDetail(APIView):
    """One of your products."""

    @extend_schema(responses=ProductTermsOut)
    def get(self, request: Request, product_id: int) -> Response:
        """Return a product of yours."""
        return _one_product(own_ids(request), product_id, status.HTTP_200_OK)

    @extend_schema(request=TermsBody, responses=ProductTermsOut)
    @idempotent
    def put(self, request: Request, product_id: int) -> Response:
        """Replace a product's terms; contracts that were signed keep theirs."""
        form = TermsBody(data=request.data)
        form.is_valid(raise_exception=True)
        own = own_ids(request)
        products.change_terms(
            product_id=product_id,
            participant_ids=own,
            terms=form.validated_data,
            now=timezone.now(),
        )
        return _one_product(own, product_id, status.HTTP_200_OK)


class PrivacyPolicy(APIView):
    """What the gate is told of a product about people."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses=ProductTermsOut)
    @idempotent
    def put(self, request: Request, product_id: int) -> Response:
        """Replace the policy; it is fixed once a version was published under it."""
        if not isinstance(request.data, dict):
            raise Invalid("privacy_policy", N_("An object is needed here."))
        own = own_ids(request)
        products.change_privacy_policy(
            product_id=product_id, participant_ids=own, policy=request.data
        )
        return _one_product(own, product_id, status.HTTP_200_OK)


class Listing(APIView):
    """A product's way into the catalogue."""

    @extend_schema(request=None, responses=ProductTermsOut)
    @idempotent
    def post(self, request: Request, product_id: int) -> Response:
        """List a product that has a ready version."""
        own = own_ids(request)
        products.list_product(product_id=product_id, participant_ids=own, now=timezone.now())
        return _one_product(own, product_id, status.HTTP_200_OK)


class Withdrawal(APIView):
    """A product's end."""

    @extend_schema(request=None, responses=ProductTermsOut)
    @idempotent
    def post(self, request: Request, product_id: int) -> Response:
        """Withdraw a product for good; contracts that were signed go on."""
        own = own_ids(request)
        products.withdraw_product(product_id=product_id, participant_ids=own, now=timezone.now())
        return _one_product(own, product_id, status.HTTP_200_OK)


def _product_body(line: ProductLine) -> dict[str, Any]:
    return dict(OwnProductOut(line).data)


def _one_product(own: list[int], product_id: int, code: int) -> Response:
    found = get_product(product_id=product_id, participant_ids=own)
    if found is None:
        raise NotFound(N_("There is no such product of yours."))
    return Response(dict(ProductTermsOut(found).data), status=code)
