"""What every page needs: the persona in use, its places to go, the languages."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from config.web.personas import current_persona, personas_of
from marketplace.domain.data.traders import may_buy, may_sell
from marketplace.queries.notices import count_unread
from marketplace.queries.pages import Persona

ROLE_NAMES = {
    "household": gettext_lazy("Household"),
    "enterprise": gettext_lazy("Enterprise"),
    "data_provider": gettext_lazy("Data provider"),
    "planner": gettext_lazy("City planner"),
    "operator": gettext_lazy("Operator"),
}


MARKET_PATHS = ("/market", "/catalogue", "/indicators")


@dataclass(frozen=True)
class Link:
    """A place to go; one is there, or on a page within it."""

    label: str
    url: str
    is_current: bool = False
    is_within: bool = False


def home_url(persona: Persona) -> str:
    """Return the home page of a persona."""
    match persona.role:
        case "household":
            return reverse("household", args=[persona.participant_id])
        case "enterprise":
            return reverse("enterprise", args=[persona.participant_id])
        case "data_provider":
            return reverse("provider", args=[persona.participant_id])
        case "planner":
            return reverse("planner", args=[persona.participant_id])
        case _:
            return reverse("operator", args=[persona.participant_id])


def page_shell(request: HttpRequest) -> dict[str, object]:
    """Values for the page frame; nothing is read before a template asks."""
    return {
        "languages": settings.LANGUAGES,
        "shell_links": SimpleLazyObject(lambda: _links(request)),
        "shell_market": SimpleLazyObject(lambda: _market_links(request)),
        "shell_personas": SimpleLazyObject(lambda: _switcher(request)),
    }


def _public_links(request: HttpRequest) -> list[Link]:
    """Return where somebody who is not signed in may go."""
    places = [
        (_("How it works"), reverse("about")),
        (_("Public figures"), reverse("public_figures")),
        (_("Traffic and mobility"), reverse("indicators")),
        (_("Check us"), reverse("check")),
        (_("Join"), reverse("join")),
        (_("Sign in"), reverse("sign_in")),
    ]
    return [Link(label, url, request.path == url) for label, url in places]


def _links(request: HttpRequest) -> list[Link]:
    if not hasattr(request, "user") or not request.user.is_authenticated:
        return _public_links(request)
    persona = current_persona(request)
    if persona is None:
        return []
    places = [(_("Home"), home_url(persona))]
    if persona.role in ("household", "enterprise") and persona.place is not None:
        places.append((_("Statement"), reverse("statement", args=[persona.participant_id])))
        places.append(
            (pgettext("navigation", "Month"), reverse("month", args=[persona.participant_id]))
        )
        # A household shares with people; an enterprise makes agreements.
        shares = persona.role == "household"
        label = _("Partners and gifts") if shares else _("Agreements")
        name = "sharing" if shares else "agreements"
        places.append((label, reverse(name, args=[persona.participant_id])))
        places.append((_("Certificates"), reverse("certificates", args=[persona.participant_id])))
    if persona.role == "enterprise" and persona.place is not None:
        places.append((_("Order book"), reverse("order_book", args=[persona.participant_id])))
    if persona.role == "operator":
        for label, name in (
            (_("Meters"), "operator_meters"),
            (_("Surveillance"), "operator_surveillance"),
            (pgettext("navigation", "Ledger"), "operator_ledger"),
        ):
            places.append((label, reverse(name, args=[persona.participant_id])))
        places.append((_("Applications"), reverse("applications", args=[persona.participant_id])))
        places.append((_("Rule sets"), reverse("rule_sets", args=[persona.participant_id])))
        places.append((_("Halts"), reverse("trading_halts", args=[persona.participant_id])))
        places.append((_("Billing"), reverse("billing", args=[persona.participant_id])))
    if persona.role in ("planner", "operator"):
        places.append((_("What if"), reverse("what_if", args=[persona.participant_id])))
    # Planners have pages of released figures instead.
    if persona.place is not None and persona.role != "planner":
        places.append((_("Community"), reverse("community", args=[persona.place.community_id])))
    places.append((_("Data market"), reverse("market")))
    if persona.role != "household":
        places.append((_("Organisation"), reverse("organisation", args=[persona.participant_id])))
    if persona.role != "operator":
        places.append((_("Privacy"), reverse("privacy", args=[persona.participant_id])))
    unread = count_unread(participant_ids=[each.participant_id for each in personas_of(request)])
    notices = _("Notices ({count})").format(count=unread) if unread else _("Notices")
    places.append((notices, reverse("notices")))
    is_market = request.path.startswith(MARKET_PATHS)
    within = [url for _label, url in places if request.path.startswith(url)]
    nearest = reverse("market") if is_market else max(within, key=len, default="")
    return [Link(label, url, request.path == url, url == nearest) for label, url in places]


def _market_links(request: HttpRequest) -> list[Link]:
    """Return the places of the data market, on its own pages."""
    persona = current_persona(request)
    if persona is None or not request.path.startswith(MARKET_PATHS):
        return []
    places = [(_("Overview"), "market"), (_("Catalogue"), "catalogue")]
    if may_buy(persona.role):
        places.append((pgettext("of buyers", "Requests"), "market_requests"))
    if may_buy(persona.role) or may_sell(persona.role):
        places += [
            (_("Contracts"), "market_contracts"),
            (_("Deliveries"), "market_deliveries"),
            (_("Feeds"), "market_feeds"),
            (_("Charges"), "market_charges"),
            (_("Invoices"), "market_invoices"),
        ]
    if may_buy(persona.role) or may_sell(persona.role) or persona.role == "operator":
        places.append((_("Disputes"), "market_disputes"))
    if may_sell(persona.role):
        places += [(_("Products"), "market_products"), (_("Open demand"), "market_demand")]
    places.append((_("The city's figures"), "indicators"))
    urls = [(label, reverse(name)) for label, name in places]
    return [
        # Everything is within the overview; that says nothing.
        Link(label, url, request.path == url, request.path.startswith(f"{url}/") and index > 0)
        for index, (label, url) in enumerate(urls)
    ]


def _switcher(request: HttpRequest) -> list[Link]:
    """Return the person's roles where there is a choice."""
    personas = personas_of(request)
    if len(personas) < 2:
        return []
    current = current_persona(request)
    return [
        Link(
            f"{persona.name} · {ROLE_NAMES[persona.role]}",
            home_url(persona),
            current is not None and persona.participant_id == current.participant_id,
        )
        for persona in personas
    ]
