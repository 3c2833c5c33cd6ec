"""The order book of a forward market: its depth, placing and cancelling, one's own orders live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.days import render_in
from config.web.order_forms import FIELD_OF_REFUSAL, OrderForm
from config.web.personas import place_or_404, use_persona
from config.web.signing import translated
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.forward.orders import most_micro
from marketplace.errors import ORDER_REFUSALS, LimitExceeded
from marketplace.queries.forward import (
    RulesInForce,
    closes_at,
    get_rules_at,
    list_rules_in_force,
)
from marketplace.queries.order_book import (
    HaltLine,
    OrderLine,
    ZoneDepth,
    find_gate,
    get_auction,
    list_depth,
    list_halts,
    list_orders,
)
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import list_meters
from marketplace.services.orders import cancel_orders, place_orders
from marketplace.services.organisations import committing

TRADERS: Final = ("enterprise",)
OWN_SHOWN: Final = 50
LEVELS_SHOWN: Final = 50
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Gate:
    """The interval that the page is about, and how to go to others."""

    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    is_closed: bool
    day: date
    first_day: date
    last_day: date
    starts: Sequence[datetime]

    @property
    def value(self) -> str:
        """The start as it stands in addresses."""
        return _value(self.starts_at)

    @property
    def choices(self) -> list[tuple[str, datetime]]:
        """The starts of the day, as addresses and for people."""
        return [(_value(each), each) for each in self.starts]


@require_http_methods(["GET", "HEAD", "POST"])
def order_book(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show the book of an interval, and place an order in it."""
    persona = use_persona(request, participant_id, *TRADERS)
    place = place_or_404(persona)
    now = timezone.now()
    gate = _gate(request, place, now)
    if gate is None:
        return render_in(request, place, "pages/no_order_book.html", {"persona": persona})
    form = OrderForm(request.POST or None)
    form.set_meters(list_meters(participant_id=participant_id))
    if request.method == "POST" and form.is_valid() and _placed(persona, gate, form, now):
        messages.success(request, _("The order was received; it counts once its margin is held."))
        return redirect(_address(participant_id, gate))
    context = {
        "persona": persona,
        "gate": gate,
        "form": form,
        "zones": _depth(place, gate, now),
        "auction": _auction(place, gate, now),
        "halt": _halt(place, now),
        "orders": _own(persona, gate),
    }
    return render_in(request, place, "pages/order_book.html", context)


@require_safe
def order_book_live(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Return the parts of the page that news of orders change."""
    persona = use_persona(request, participant_id, *TRADERS)
    place = place_or_404(persona)
    now = timezone.now()
    gate = _gate(request, place, now)
    if gate is None:
        raise Http404
    context = {
        "persona": persona,
        "gate": gate,
        "zones": _depth(place, gate, now),
        "auction": _auction(place, gate, now),
        "orders": _own(persona, gate),
    }
    return render_in(request, place, "pages/order_book_live.html", context)


@require_POST
def order_cancel(request: HttpRequest, participant_id: int, order_id: int) -> HttpResponse:
    """Cancel one of the member's own orders, and go back to its interval."""
    persona = use_persona(request, participant_id, *TRADERS)
    place_or_404(persona)
    found = list_orders(participant_ids=[persona.participant_id], order_ids=[order_id])
    if not found:
        raise Http404
    outcome = cancel_orders(
        participant_ids=[persona.participant_id], order_ids=[order_id], now=timezone.now()
    )[order_id]
    if outcome:
        messages.error(request, _(ORDER_REFUSALS[outcome]))
    else:
        messages.success(request, _("The order was cancelled."))
    query = urlencode({"start": _value(found[0].starts_at)})
    return redirect(f"{reverse('order_book', args=[participant_id])}?{query}")


def _placed(persona: Persona, gate: Gate, form: OrderForm, now: datetime) -> bool:
    orders = form.columns(gate.starts_at)
    try:
        with committing(
            acts_as=persona.membership,
            key=f"order:{form.cleaned_data['token']}",
            amount_micro=most_micro(orders),
            now=now,
        ) as counted:
            placed = place_orders(participant_id=persona.participant_id, orders=orders, now=now)
            counted.amount_micro = most_micro(orders, refusals=placed.refusals)
    except LimitExceeded as above:
        form.add_error(None, translated(above))
        return False
    refusal = placed.refusals[0]
    if not refusal:
        return True
    form.add_error(FIELD_OF_REFUSAL.get(refusal), _(ORDER_REFUSALS[refusal]))
    return False


def _gate(request: HttpRequest, place: Place, now: datetime) -> Gate | None:
    """Return the interval that is asked for, else the next one that takes orders."""
    in_force = list_rules_in_force(community_id=place.community_id)
    current = get_rules_at(in_force=in_force, moment=now)
    if current is None or current.rules.market.forward is None:
        return None
    forward = current.rules.market.forward
    first = (
        _on_grid(now + timedelta(minutes=forward.gate_closure_minutes), current) + current.length
    )
    start = _asked(request, place, first)
    rules = get_rules_at(in_force=in_force, moment=start)
    if rules is None or rules.rules.market.forward is None:
        rules, start = current, first
    start = _on_grid(start, rules)
    day = start.astimezone(place.zone).date()
    opens, ends = day_bounds(day, place.zone)
    count = (ends - opens) // rules.length
    closes = closes_at(starts_at=start, rules=rules.rules)
    return Gate(
        starts_at=start,
        ends_at=start + rules.length,
        closes_at=closes,
        is_closed=now >= closes,
        day=day,
        first_day=(now - timedelta(days=7)).astimezone(place.zone).date(),
        last_day=(now + timedelta(days=forward.horizon_days)).astimezone(place.zone).date(),
        starts=[opens + step * rules.length for step in range(count)],
    )


def _asked(request: HttpRequest, place: Place, otherwise: datetime) -> datetime:
    """Read ``start``, or a day, from the address; a time that is none is as good as no time."""
    try:
        moment = datetime.fromisoformat(request.GET.get("start", ""))
        if moment.tzinfo is not None and 1971 <= moment.year <= 2199:
            asked = moment.astimezone(UTC)
            day = date.fromisoformat(request.GET.get("day", "")) if "day" in request.GET else None
            civil = asked.astimezone(place.zone)
            # Another day at the same time of day.
            if day is None or 1971 <= day.year <= 2199:
                return asked if day is None else asked + (day - civil.date())
    except ValueError:
        pass
    return otherwise


def _on_grid(moment: datetime, rules: RulesInForce) -> datetime:
    return moment - (moment - _EPOCH) % rules.length


def _depth(place: Place, gate: Gate, now: datetime) -> list[ZoneDepth]:
    found = find_gate(community_id=place.community_id, starts_at=gate.starts_at, now=now)
    if found is None:
        return []
    return list_depth(interval_id=found.interval_id, now=now, levels_max=LEVELS_SHOWN)


def _auction(place: Place, gate: Gate, now: datetime) -> object:
    if not gate.is_closed:
        return None
    found = find_gate(community_id=place.community_id, starts_at=gate.starts_at, now=now)
    return get_auction(interval_id=found.interval_id) if found else None


def _halt(place: Place, now: datetime) -> HaltLine | None:
    halts = list_halts(community_id=place.community_id, now=now)
    return next((halt for halt in halts if halt.is_in_force), None)


def _own(persona: Persona, gate: Gate) -> list[OrderLine]:
    return list_orders(
        participant_ids=[persona.participant_id], starts_at=gate.starts_at, limit=OWN_SHOWN
    )


def _address(participant_id: int, gate: Gate) -> str:
    return f"{reverse('order_book', args=[participant_id])}?{urlencode({'start': gate.value})}"


def _value(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
