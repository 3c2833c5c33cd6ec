"""The enterprise's home: procurement, orders and contracts, certificates, and its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from analytics.queries import find_energy_forecast
from analytics.queries.figures import get_basis, get_member_totals
from config.web.data.charges import charge_row
from config.web.data.deliveries import Row
from config.web.data.delivery_words import STATE_LABELS, state_css
from config.web.data.hub import wallet_of, ways_of
from config.web.days import render_in
from config.web.enterprise_pages.charts_of_load import SOURCE_NAMES, ahead_card, load_card
from config.web.enterprise_pages.spans import SPANS, asked_span
from config.web.expected import HORIZON, Outlook, outlook
from config.web.member import rule_cards
from config.web.personas import use_persona
from marketplace.domain.billing.month import month_bounds
from marketplace.queries.agreements import count_agreements, count_proposals_to_sign
from marketplace.queries.certificate_hours import list_certified_hours, score_of
from marketplace.queries.data.charges import list_due_charges
from marketplace.queries.data.deliveries import list_deliveries
from marketplace.queries.data.feeds import list_feeds
from marketplace.queries.data.measured_days import get_reliabilities
from marketplace.queries.order_book import list_orders
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import MeterName
from marketplace.queries.procurement import Bought, LoadSlot, list_load, list_ordered, sum_by_source

SHOWN = 6


@dataclass(frozen=True)
class SourceRow:
    """What a source delivered, at which mean price, and how much less than the retail tariff."""

    name: str
    bought: Bought
    share: float | None
    below_retail: int | None


@require_safe
def enterprise(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show power and data; who has no community has data alone."""
    persona = use_persona(request, participant_id, "enterprise")
    now = timezone.now()
    context = _data(persona, now)
    place = persona.place
    if place is None:
        return render(request, "enterprise/home.html", context)
    with timezone.override(place.zone):
        context |= _power(request, persona, place, now)
        return render_in(request, place, "enterprise/home.html", context)


def _data(persona: Persona, now: datetime) -> dict[str, object]:
    """Return what the page shows of the data market."""
    own = [persona.participant_id]
    feeds = [feed for feed in list_feeds(participant_ids=own) if feed.side == "buyer"][:SHOWN]
    measured = get_reliabilities(product_ids=[feed.product_id for feed in feeds], today=now.date())
    return {
        "persona": persona,
        "ways": ways_of(persona),
        "wallet": wallet_of(persona),
        "deliveries": [
            Row(line, str(STATE_LABELS[line.state]), state_css(line.state))
            for line in list_deliveries(participant_ids=own, limit=SHOWN)
        ],
        "feeds": [(feed, measured.get(feed.product_id)) for feed in feeds],
        "due": [
            charge_row(charge)
            for charge in list_due_charges(buyer_id=persona.participant_id, limit=SHOWN)
        ],
    }


def _power(
    request: HttpRequest, persona: Persona, place: Place, now: datetime
) -> dict[str, object]:
    own = persona.participant_id
    span = asked_span(request, place, now)
    basis = get_basis(community_id=place.community_id, start=span.start, end=span.end)
    slots = list_load(
        participant_id=own,
        zone=place.timezone,
        start=span.start,
        end=span.end,
        bucket=span.bucket,
        now=now,
    )
    cards = rule_cards(persona, place, now)
    month = month_bounds(span.month, place.zone)
    hours = list_certified_hours(
        participant_id=own, zone=place.timezone, start=month[0], end=month[1]
    )
    return {
        "span": span,
        "spans": SPANS.items(),
        "totals": get_member_totals(participant_id=own, start=span.start, end=span.end),
        "load": load_card(slots, span, place, basis),
        "sources": _sources(slots),
        "retail": _retail(slots),
        "ahead": _ahead(own, [card.meter for card in cards], place, now),
        "orders": list_orders(participant_ids=[own], limit=SHOWN),
        "agreement_count": count_agreements(participant_id=own),
        "to_sign": count_proposals_to_sign(participant_id=own),
        "score": score_of(hours),
        "rules": cards,
    }


def _sources(slots: Sequence[LoadSlot]) -> list[SourceRow]:
    known = [slot for slot in slots if not slot.is_missing]
    load = sum(slot.import_wh for slot in known)
    retail = _retail(slots)
    found = sum_by_source(known)
    grid = sum(slot.grid_wh or 0 for slot in known)
    if grid:
        found["grid"] = Bought(grid, grid * (retail or 0))
    return [
        SourceRow(
            str(SOURCE_NAMES[source]),
            bought,
            bought.wh / load if load else None,
            None
            if retail is None or source == "grid"
            else retail - (bought.price_micro_per_kwh or 0),
        )
        for source, bought in found.items()
    ]


def _retail(slots: Sequence[LoadSlot]) -> int | None:
    """Return the mean retail tariff, weighted by the load; None without any."""
    load = sum(slot.import_wh for slot in slots)
    return sum(slot.retail_value for slot in slots) // load if load else None


def _ahead(own: int, meters: Sequence[MeterName], place: Place, now: datetime) -> object:
    outlooks: list[Outlook] = []
    for meter in meters:
        found = find_energy_forecast(metering_point_id=meter.metering_point_id)
        drawn = outlook(found[1], now) if found else None
        if drawn is not None and not drawn.stands_still:
            outlooks.append(drawn)
    if not outlooks:
        return None
    start = min(each.starts_at for each in outlooks)
    ordered = list_ordered(
        participant_id=own,
        zone=place.timezone,
        start=start - timedelta(hours=1),
        end=start + HORIZON,
    )
    return ahead_card(outlooks, ordered, place, now)
