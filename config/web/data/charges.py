"""Pages of charges: what somebody pays and is paid for data, and what a provider earned."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from config.web.data.acting import act_and_go, own_ids, trader_of
from config.web.data.hub import wallet_of
from config.web.data.money_words import CHARGE_STATES, REFUSALS
from config.web.personas import use_persona
from marketplace.domain.data.traders import SELLERS
from marketplace.queries.data.charges import (
    ChargeLine,
    get_on_the_way,
    list_charges,
    list_revenue,
)
from marketplace.queries.pages import Persona
from marketplace.services.data.charges import retry_charge

SHOWN = 100


@dataclass(frozen=True)
class ChargeRow:
    """A charge with its words and what its reader may do."""

    line: ChargeLine
    state: str
    refusal: str
    may_dispute: bool
    may_ask_again: bool


@require_safe
def charges(request: HttpRequest) -> HttpResponse:
    """Show what is paid and earned by whom the person trades for."""
    persona = _trader(request)
    now = timezone.now()
    rows = [
        charge_row(line)
        for line in list_charges(participant_ids=[persona.participant_id], limit=SHOWN)
    ]
    return render(
        request,
        "market/charges.html",
        {
            "persona": persona,
            "now": now,
            "bought": [row for row in rows if row.line.side == "buyer"],
            "sold": [row for row in rows if row.line.side == "seller"],
            "wallet": wallet_of(persona),
            **revenue_context(persona),
        },
    )


@require_POST
def ask_again(request: HttpRequest, charge_id: int) -> HttpResponse:
    """Ask once more for the money of a feed's month, after a deposit."""
    return act_and_go(
        request,
        lambda: retry_charge(
            charge_id=charge_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("Asked again: the state changes in a moment."),
        to="market_charges",
    )


def charge_row(line: ChargeLine) -> ChargeRow:
    """Return a charge with its words."""
    now = timezone.now()
    return ChargeRow(
        line,
        str(CHARGE_STATES[line.state]),
        str(REFUSALS.get(line.refusal, line.refusal)),
        line.may_be_disputed(now),
        line.may_be_asked_again(now),
    )


def revenue_context(persona: Persona) -> dict[str, object]:
    """Return what `market/revenue.html` shows of a provider's revenue; empty for others."""
    if persona.role not in SELLERS:
        return {"may_sell": False}
    seller_id = persona.participant_id
    revenue, on_the_way = list_revenue(seller_id=seller_id), get_on_the_way(seller_id=seller_id)
    # An enterprise may sell; who never did need not read that they earned nothing.
    may_sell = persona.role == "data_provider" or bool(revenue or on_the_way)
    return {"may_sell": may_sell, "revenue": revenue, "on_the_way": on_the_way}


def _trader(request: HttpRequest) -> Persona:
    persona = trader_of(request)
    if persona is None:
        raise Http404
    return use_persona(request, persona.participant_id, persona.role)
