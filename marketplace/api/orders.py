"""Orders of the forward market: place thousands at once, cancel them, follow them."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args
from uuid import uuid4

import msgspec
import numpy as np
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import (
    MomentField,
    asked_for,
    id_field,
    is_possible,
    member_of,
    own_member,
    reach_of,
)
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.forward.orders import (
    BUY,
    KEY_LENGTH_MAX,
    REFUSALS,
    SELL,
    OrderColumns,
    microseconds,
    most_micro,
)
from marketplace.errors import N_, Invalid, NotFound, OrderRefused
from marketplace.queries.order_book import (
    OrderLine,
    OrderState,
    find_gate,
    get_auction,
    list_depth,
    list_orders,
)
from marketplace.services.orders import cancel_orders, place_orders
from marketplace.services.organisations import committing

ORDERS_MAX: Final = 10_000
STATES: Final = get_args(OrderState)
# Far beyond every bound of prices and energies: those are refused order by order, with a code.
_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
# Printable ASCII without a backslash: it is written into the database as it is.
# "\Z": before a line feed at the end "$" would be content too.
_Key = Annotated[str, msgspec.Meta(pattern=r"^[ -\[\]-~]*\Z", max_length=KEY_LENGTH_MAX)]


class OrderIn(serializers.Serializer[Any]):
    """A limit order."""

    metering_point = id_field("Whose energy; one of your own.", required=True)
    start = MomentField(help_text="Start of the delivery interval.")
    side = serializers.ChoiceField(choices=["buy", "sell"])
    limit_price_micro_per_kwh = serializers.IntegerField(help_text="May be negative.")
    quantity_wh = serializers.IntegerField(min_value=1, max_value=10**9)
    minimum_wh = serializers.IntegerField(
        required=False, default=0, help_text="Less than this is not wanted at all."
    )
    zone = serializers.CharField(
        required=False, default="", help_text="Refused where the metering point is elsewhere."
    )
    expires_at = MomentField(
        required=False, allow_null=True, help_text="From then on it does not stand."
    )
    key = serializers.CharField(
        required=False,
        default="",
        max_length=KEY_LENGTH_MAX,
        help_text="Your own name for it. The same key with the same order is the first one again.",
    )


class OrdersIn(serializers.Serializer[Any]):
    """Many orders, in the order in which they arrive."""

    participant = id_field("For whom; needed where you act for several.")
    orders = OrderIn(many=True, help_text=f"At most {ORDERS_MAX}.")


class PlacedOut(serializers.Serializer[Any]):
    """What became of one order of the request."""

    id = serializers.IntegerField(allow_null=True)
    refusal = serializers.CharField(help_text=f"Empty: received, else {', '.join(REFUSALS[1:])}.")


class OrdersPlacedOut(serializers.Serializer[Any]):
    """What became of each order, in the order of the request."""

    received = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = PlacedOut(many=True)


class OrderOut(serializers.Serializer[Any]):
    """An order of yours. [Wh], [micro/kWh]"""

    id = serializers.IntegerField()
    participant_id = serializers.IntegerField()
    key = serializers.CharField(allow_blank=True)
    metering_point_id = serializers.IntegerField()
    zone = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    side = serializers.ChoiceField(choices=["buy", "sell"])
    limit_price_micro_per_kwh = serializers.IntegerField()
    quantity_wh = serializers.IntegerField()
    minimum_wh = serializers.IntegerField()
    filled_wh = serializers.IntegerField(allow_null=True, help_text="null: not auctioned yet.")
    state = serializers.ChoiceField(choices=STATES)
    refusal = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()


class OrdersAsked(serializers.Serializer[Any]):
    """Which orders."""

    participant = id_field("Whose; needed where you act for several.")
    start = MomentField(required=False, help_text="Only of the interval that starts then.")


class CancelIn(serializers.Serializer[Any]):
    """Orders to cancel."""

    participant = id_field("Whose; needed where you act for several.")
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), max_length=ORDERS_MAX
    )


class CancelledOut(serializers.Serializer[Any]):
    """What became of one cancellation."""

    id = serializers.IntegerField()
    refusal = serializers.CharField(allow_blank=True, help_text="Empty: it was cancelled.")


class OrdersCancelledOut(serializers.Serializer[Any]):
    """What became of each cancellation, in the order of the request."""

    results = CancelledOut(many=True)


class LevelOut(serializers.Serializer[Any]):
    """The energy of all orders at one price."""

    price_micro_per_kwh = serializers.IntegerField()
    quantity_wh = serializers.IntegerField()


class ZoneDepthOut(serializers.Serializer[Any]):
    """A zone's book by price."""

    zone = serializers.CharField()
    bids = LevelOut(many=True, help_text="Highest price first; at most 1,000.")
    offers = LevelOut(many=True, help_text="Lowest price first; at most 1,000.")
    indicative_price = serializers.IntegerField(
        allow_null=True, help_text="Where an auction now would clear, minimums left aside."
    )


class AuctionOut(serializers.Serializer[Any]):
    """What the auction came to."""

    reason = serializers.ChoiceField(choices=["closure", "halted"])
    prices = serializers.DictField(child=serializers.IntegerField(allow_null=True))
    volume_wh = serializers.IntegerField()
    document_key = serializers.CharField()


class OrderBookOut(serializers.Serializer[Any]):
    """The live book of an interval."""

    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    is_closed = serializers.BooleanField()
    zones = ZoneDepthOut(many=True)
    auction = AuctionOut(allow_null=True)


class OrderBookAsked(serializers.Serializer[Any]):
    """Which book."""

    community = id_field("The community.", required=True)
    start = MomentField(help_text="Start of the delivery interval.")


class OrderBody(msgspec.Struct, forbid_unknown_fields=True):
    """One order of a body, its types checked."""

    metering_point: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    start: _Moment
    side: Literal["buy", "sell"]
    limit_price_micro_per_kwh: _Whole
    quantity_wh: _Whole
    minimum_wh: _Whole = 0
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    expires_at: _Moment | None = None
    key: _Key = ""


class OrdersBody(msgspec.Struct, forbid_unknown_fields=True):
    """A body of orders, its types checked."""

    orders: list[OrderBody]
    participant: int | None = None


class OrderList(APIView):
    """Orders."""

    @extend_schema(
        operation_id="orders_list",
        parameters=[*PAGE_PARAMETERS, OrdersAsked],
        responses=pages(OrderOut),
    )
    def get(self, request: Request) -> Response:
        """List a member's orders, newest first."""
        asked = asked_for(request, OrdersAsked)
        member = member_of(reach_of(request), asked["participant"])
        return page_of(
            request,
            lambda before, limit: list_orders(
                participant_ids=[member.participant_id],
                starts_at=asked["start"],
                before_id=before,
                limit=limit,
            ),
            _shape,
        )

    @extend_schema(request=OrdersIn, responses={201: OrdersPlacedOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Place up to 10,000 orders of yours; each is received, or refused with a code.

        An order that was received is accepted or refused by its hold, within seconds. It is in the
        auction only if its hold was booked before gate closure.
        """
        body = decode_orders(request.data)
        member, now = own_member(request, body.participant), timezone.now()
        orders = order_columns(body.orders)
        with committing(
            acts_as=member.membership,
            key=f"orders:{uuid4()}",
            amount_micro=most_micro(orders),
            now=now,
        ) as counted:
            placed = place_orders(participant_id=member.participant_id, orders=orders, now=now)
            counted.amount_micro = most_micro(orders, refusals=placed.refusals)
        results = [
            {"id": id_ or None, "refusal": code}
            for id_, code in zip(placed.ids.tolist(), placed.refusals, strict=True)
        ]
        refused = sum(bool(code) for code in placed.refusals)
        answer = {"received": len(results) - refused, "refused": refused, "results": results}
        return Response(answer, status=status.HTTP_201_CREATED)


class OrderCancellation(APIView):
    """Cancelling many orders."""

    @extend_schema(
        operation_id="orders_cancel_many", request=CancelIn, responses=OrdersCancelledOut
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Cancel orders of yours before their gate closes; each tells why it could not be."""
        form = CancelIn(data=request.data)
        form.is_valid(raise_exception=True)
        outcomes = cancel_orders(
            participant_ids=[
                own_member(request, form.validated_data.get("participant")).participant_id
            ],
            order_ids=form.validated_data["ids"],
            now=timezone.now(),
        )
        results = [{"id": id_, "refusal": code} for id_, code in outcomes.items()]
        return Response({"results": results})


class OrderDetail(APIView):
    """One order."""

    @extend_schema(responses=OrderOut)
    def get(self, request: Request, order_id: int) -> Response:
        """Show an order and what has become of it."""
        return Response(_shape(_own_order(request, order_id)))


class OrderDetailCancellation(APIView):
    """Cancelling one order."""

    @extend_schema(request=None, responses=OrderOut)
    @idempotent
    def post(self, request: Request, order_id: int) -> Response:
        """Cancel an order before its gate closes."""
        order = _own_order(request, order_id)
        outcome = cancel_orders(
            participant_ids=[order.participant_id], order_ids=[order_id], now=timezone.now()
        )
        if outcome[order_id]:
            raise OrderRefused(outcome[order_id])
        return Response(_shape(_own_order(request, order_id)))


class OrderBook(APIView):
    """The live book."""

    @extend_schema(parameters=[OrderBookAsked], responses=OrderBookOut)
    def get(self, request: Request) -> Response:
        """Show members and operators an interval's book by price, and its auction once held."""
        asked, now = asked_for(request, OrderBookAsked), timezone.now()
        if asked["community"] not in reach_of(request).current:
            raise NotFound(N_("There is no such community of yours."))
        gate = find_gate(community_id=asked["community"], starts_at=asked["start"], now=now)
        if gate is None:
            raise NotFound(N_("Nobody has placed an order for an interval that starts then."))
        auction = get_auction(interval_id=gate.interval_id)
        values = {
            "interval_id": gate.interval_id,
            "starts_at": gate.starts_at,
            "ends_at": gate.ends_at,
            "closes_at": gate.closes_at,
            "is_closed": gate.is_closed,
            "zones": list_depth(interval_id=gate.interval_id, now=now),
            "auction": auction,
        }
        return Response(OrderBookOut(values).data)


def _own_order(request: Request, order_id: int) -> OrderLine:
    own = sorted(reach_of(request).own_ids)
    found = list_orders(participant_ids=own, order_ids=[order_id], limit=1)
    if not found:
        raise NotFound(N_("There is no such order of yours."))
    return found[0]


def decode_orders(data: object) -> OrdersBody:
    """Return the orders of a body in one step, however many."""
    try:
        body = msgspec.convert(data, OrdersBody)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise Invalid(path.strip(".`") or "body", what) from error
    if len(body.orders) > ORDERS_MAX:
        raise Invalid("orders", N_("Send at most {maximum} orders at once."), maximum=ORDERS_MAX)
    for at, each in enumerate(body.orders):
        if each.expires_at is not None and not is_possible(each.expires_at):
            raise Invalid(f"orders[{at}].expires_at", N_("The years 1970 to 2199 are possible."))
    return body


def order_columns(orders: list[OrderBody]) -> OrderColumns:
    """Return orders as the service takes them."""

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    # A request names few moments, however many orders: each is computed once.
    seconds = {start: _seconds(start) for start in {each.start for each in orders}}
    expires = {
        moment: 0 if moment is None else microseconds(moment)
        for moment in {each.expires_at for each in orders}
    }
    return OrderColumns(
        metering_point_ids=column([each.metering_point for each in orders]),
        zones=[each.zone for each in orders],
        starts_s=column([seconds[each.start] for each in orders]),
        sides=column([BUY if each.side == "buy" else SELL for each in orders]),
        limits=column([each.limit_price_micro_per_kwh for each in orders]),
        quantities_wh=column([each.quantity_wh for each in orders]),
        minimums_wh=column([each.minimum_wh for each in orders]),
        expires_us=column([expires[each.expires_at] for each in orders]),
        keys=[each.key for each in orders],
    )


def _seconds(start: datetime) -> int:
    """Return a start in seconds; one of no interval, between two or far off, is -1."""
    whole, rest = divmod(microseconds(start), 1_000_000)
    return -1 if rest or not is_possible(start) else whole


def _shape(line: OrderLine) -> dict[str, Any]:
    return dict(OrderOut(line).data)
