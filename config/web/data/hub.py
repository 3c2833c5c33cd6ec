"""The data market at a glance: what waits for one, one's wallet, and the ways in."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_safe

from config.web.data.acting import trader_of
from config.web.personas import current_persona, use_persona
from ledger.queries import Balance, get_balances, get_units
from marketplace.domain.data.traders import BUYERS, SELLERS
from marketplace.queries.data.overview import Overview, get_overview
from marketplace.queries.pages import Persona


@dataclass(frozen=True)
class Wallet:
    """A wallet as its holder's page shows it."""

    balance: Balance
    currency: str


@dataclass(frozen=True)
class Way:
    """A place of the market, with what one has there."""

    label: str
    url: str
    note: str = ""
    waits: str = ""


@require_safe
def market(request: HttpRequest) -> HttpResponse:
    """Show a trader where they stand; everybody else the catalogue and the city's figures."""
    persona = trader_of(request)
    if persona is None:
        return render(
            request,
            "market/hub.html",
            {"persona": current_persona(request), "ways": _open_ways(request)},
        )
    persona = use_persona(request, persona.participant_id, persona.role)
    overview = get_overview(participant_id=persona.participant_id)
    return render(
        request,
        "market/hub.html",
        {
            "persona": persona,
            "overview": overview,
            "wallet": wallet_of(persona),
            "is_trader": True,
            "ways": [*_open_ways(request), *_ways(persona, overview)],
        },
    )


def ways_of(persona: Persona) -> list[Way]:
    """Return the places of a trader's role with what waits there."""
    return _ways(persona, get_overview(participant_id=persona.participant_id))


def wallet_of(persona: Persona) -> Wallet | None:
    """Return the wallet of whom a page acts for."""
    account_id = persona.wallet_account_id
    if account_id is None:
        return None
    unit = get_units(account_ids=[account_id])[account_id]
    return Wallet(get_balances(account_ids=[account_id])[account_id], unit.partition("/")[0])


def _open_ways(request: HttpRequest) -> list[Way]:
    ways = [
        Way(_("Catalogue"), reverse("catalogue"), _("Search by place, time, price and quality")),
        Way(
            _("The city's figures"),
            reverse("indicators"),
            _("Traffic, flows and timetables from licensed data"),
        ),
    ]
    current = current_persona(request)
    if current is not None and current.role == "operator":
        ways.append(
            Way(_("Disputes"), reverse("market_disputes"), _("Decide with the evidence at hand"))
        )
    return ways


def _ways(persona: Persona, overview: Overview) -> list[Way]:
    """Return the places of a trader's role."""
    ways = []
    if persona.role in BUYERS:
        ways.append(_requests(overview))
    ways.append(_contracts(overview))
    ways.append(_deliveries(overview))
    if persona.role in BUYERS:
        ways.append(Way(_("Feeds"), reverse("market_feeds"), _("Credentials, use and caps")))
    ways += [
        _charges(overview),
        Way(_("Invoices"), reverse("market_invoices"), _("For each charge, and what was credited")),
        _disputes(overview),
    ]
    if persona.role in SELLERS:
        ways.append(_products(overview))
        ways.append(
            Way(_("Open demand"), reverse("market_demand"), _("What buyers ask for, in groups"))
        )
    return ways


def _requests(overview: Overview) -> Way:
    note = ngettext("{count} open", "{count} open", overview.wishes_open)
    found = ngettext("{count} is covered", "{count} are covered", overview.wishes_found)
    return Way(
        pgettext("of buyers", "Requests"),
        reverse("market_requests"),
        note.format(count=overview.wishes_open),
        found.format(count=overview.wishes_found) if overview.wishes_found else "",
    )


def _contracts(overview: Overview) -> Way:
    return Way(
        _("Contracts"),
        reverse("market_contracts"),
        _("{count} in force").format(count=overview.in_force),
        ngettext(
            "{count} waits for your signature",
            "{count} wait for your signature",
            overview.to_sign,
        ).format(count=overview.to_sign)
        if overview.to_sign
        else "",
    )


def _deliveries(overview: Overview) -> Way:
    waits = []
    if overview.to_receive:
        waits.append(
            ngettext("{count} to receive", "{count} to receive", overview.to_receive).format(
                count=overview.to_receive
            )
        )
    if overview.to_offer:
        waits.append(
            ngettext("{count} to hand over", "{count} to hand over", overview.to_offer).format(
                count=overview.to_offer
            )
        )
    hint = "" if waits else _("What was handed over, and for how long it may be refused")
    return Way(_("Deliveries"), reverse("market_deliveries"), hint, " · ".join(waits))


def _charges(overview: Overview) -> Way:
    refused = ngettext(
        "{count} is not covered by the wallet",
        "{count} are not covered by the wallet",
        overview.charges_refused,
    )
    return Way(
        _("Charges"),
        reverse("market_charges"),
        _("What is held, in escrow, paid"),
        refused.format(count=overview.charges_refused) if overview.charges_refused else "",
    )


def _disputes(overview: Overview) -> Way:
    return Way(
        _("Disputes"),
        reverse("market_disputes"),
        _("{count} open").format(count=overview.disputes_open),
        ngettext(
            "{count} waits for your answer", "{count} wait for your answer", overview.to_answer
        ).format(count=overview.to_answer)
        if overview.to_answer
        else "",
    )


def _products(overview: Overview) -> Way:
    return Way(
        _("Products"),
        reverse("market_products"),
        _("{count} listed").format(count=overview.products_listed),
        ngettext(
            "{count} version waits for your word",
            "{count} versions wait for your word",
            overview.versions_to_confirm,
        ).format(count=overview.versions_to_confirm)
        if overview.versions_to_confirm
        else "",
    )
