"""Pages of the data market: the hall, the provider's desk, the buyer's desk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.web.data_files_forms import KIND_LABELS, OfferForm, RequestForm
from config.web.personas import current_persona, personas_of, use_persona
from ledger.queries import Balance, get_balances, get_units
from marketplace.domain.aggregates_file import FILE_MAX_BYTES, header_of
from marketplace.domain.data_matching import DataKind
from marketplace.errors import Invalid, MarketplaceError, NotFound
from marketplace.queries.data_files import (
    MatchLine,
    OfferLine,
    OwnOfferLine,
    RequestLine,
    get_data_revenue_micro,
    list_matches,
    list_open_offers,
    list_own_offers,
    list_own_requests,
)
from marketplace.queries.pages import Persona
from marketplace.services import data_files
from marketplace.services.once import act_once

PROVIDER, BUYER = "data_provider", "enterprise"
UTC_ZONE: Final = ZoneInfo("UTC")
STATE_LABELS: Final = {
    "open": gettext_lazy("Looking for an offer"),
    "ended": gettext_lazy("Ended"),
    "matched": gettext_lazy("Matched"),
    "held": gettext_lazy("Price held, file ready"),
    "delivered": gettext_lazy("Delivered"),
    "settled": gettext_lazy("Paid"),
    "released": gettext_lazy("Not fetched in time, money released"),
    "refused": gettext_lazy("Refused"),
}
REFUSAL_LABELS: Final = {
    "limit_exceeded": gettext_lazy("The wallet did not cover the price."),
}


@dataclass(frozen=True)
class Row:
    """A line of a table with its words."""

    line: OfferLine | OwnOfferLine | RequestLine | MatchLine
    kind: str
    state: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Wallet:
    """A wallet as its holder's page shows it."""

    balance: Balance
    currency: str


@require_GET
def data_hall(request: HttpRequest) -> HttpResponse:
    """Show everybody signed in what is on offer, by its public terms."""
    rows = [Row(line, _kind(line)) for line in list_open_offers(now=timezone.now())]
    return render(
        request,
        "data/hall.html",
        {
            "rows": rows,
            "zone": _zone(current_persona(request)),
            "may_publish": _first(request, PROVIDER) is not None,
            "may_request": _first(request, BUYER) is not None,
        },
    )


@require_http_methods(["GET", "POST"])
def data_provider(request: HttpRequest) -> HttpResponse:
    """Let a provider publish a file, and show its offers with what they brought."""
    persona = _acting(request, PROVIDER)
    now = timezone.now()
    form = OfferForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]

        def publish() -> None:
            data_files.publish_data_offer(
                participant_id=persona.participant_id,
                terms={**form.terms(_zone(persona)), "licence": form.cleaned_data["licence"]},
                price_micro=form.price_micro(),
                file_name=upload.name,
                content=upload.read(FILE_MAX_BYTES + 1),
                now=now,
            )

        if _accepted(request, form, publish):
            messages.success(request, _("Published: your file is on offer."))
            return redirect("data_provider")
    offers = list_own_offers(participant_id=persona.participant_id, now=now)
    sales = list_matches(participant_ids=[persona.participant_id], now=now)
    return render(
        request,
        "data/provider.html",
        {
            "persona": persona,
            "form": form,
            "headers": [(KIND_LABELS[kind], header_of(kind)) for kind in DataKind],
            "rows": [Row(each, _kind(each.offer)) for each in offers],
            "sales": [_match_row(each) for each in sales if not each.is_buyer],
            "revenue_micro": get_data_revenue_micro(participant_id=persona.participant_id),
            "wallet": _wallet(persona),
            "zone": _zone(persona),
        },
        status=400 if form.is_bound and form.errors else 200,
    )


@require_http_methods(["GET", "POST"])
def data_requests(request: HttpRequest) -> HttpResponse:
    """Let an enterprise ask for data, and show what was matched and received."""
    persona = _acting(request, BUYER)
    now = timezone.now()
    form = RequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def post() -> None:
            data_files.post_data_request(
                participant_id=persona.participant_id,
                terms=form.terms(_zone(persona)),
                limit_price_micro=form.price_micro(),
                now=now,
            )

        if _accepted(request, form, post):
            messages.success(request, _("Your request stands in the hall."))
            return redirect("data_requests")
    own = [persona.participant_id]
    bought = list_matches(participant_ids=own, now=now)
    return render(
        request,
        "data/requests.html",
        {
            "persona": persona,
            "form": form,
            "matches": [_match_row(each) for each in bought if each.is_buyer],
            "rows": [
                Row(
                    each,
                    _kind(each),
                    str(STATE_LABELS[each.state]),
                    _refusal(each.refusal),
                )
                for each in list_own_requests(participant_ids=own)
            ],
            "wallet": _wallet(persona),
            "zone": _zone(persona),
        },
        status=400 if form.is_bound and form.errors else 200,
    )


@require_POST
def withdraw_offer(request: HttpRequest, offer_id: int) -> HttpResponse:
    """End one of the provider's offers."""
    return _act(
        request,
        lambda own: data_files.withdraw_data_offer(
            offer_id=offer_id, participant_ids=own, now=timezone.now()
        ),
        done=_("Withdrawn: nobody new will be matched with it."),
        page="data_provider",
    )


@require_POST
def rematch_request(request: HttpRequest, request_id: int) -> HttpResponse:
    """Try one of the buyer's open requests again."""
    return _act(
        request,
        lambda own: data_files.rematch_data_request(
            request_id=request_id, participant_ids=own, now=timezone.now()
        ),
        done=_("Looked again: see the state of the request."),
        page="data_requests",
    )


@require_POST
def withdraw_request(request: HttpRequest, request_id: int) -> HttpResponse:
    """End one of the buyer's open requests."""
    return _act(
        request,
        lambda own: data_files.withdraw_data_request(
            request_id=request_id, participant_ids=own, now=timezone.now()
        ),
        done=_("Your request has ended."),
        page="data_requests",
    )


@require_POST
def download(request: HttpRequest, match_id: int) -> HttpResponse:
    """Hand over the file of a match. POST, because the first time the money moves."""
    try:
        file = data_files.deliver_data_file(
            match_id=match_id, participant_ids=_own_ids(request), now=timezone.now()
        )
    except NotFound as error:
        raise Http404 from error
    except MarketplaceError as error:
        messages.error(request, _(error.text))
        return redirect("data_requests")
    return HttpResponse(
        file.content,
        headers={
            "Content-Type": f"{file.media_type}; charset=utf-8",
            "Content-Disposition": content_disposition_header(True, file.name) or "attachment",
            "Repr-Digest": file.repr_digest,
            "Cache-Control": "private, no-store",
        },
    )


def _act(
    request: HttpRequest, act: Callable[[list[int]], object], *, done: str, page: str
) -> HttpResponse:
    try:
        act(_own_ids(request))
    except NotFound as error:
        raise Http404 from error
    except MarketplaceError as error:
        messages.error(request, _(error.text))
    else:
        messages.success(request, done)
    return redirect(page)


def _accepted(request: HttpRequest, form: OfferForm | RequestForm, act: Callable[[], None]) -> bool:
    """Run a service once a page; show what it has against the form, or say that it had nothing."""
    assert request.user.pk is not None  # the page is for people who are signed in
    try:
        act_once(
            user_id=request.user.pk,
            token=str(form.cleaned_data["token"]),
            act=act,
            now=timezone.now(),
        )
    except Invalid as error:
        form.complain(error)
        return False
    except MarketplaceError as error:
        form.add_error(None, _(error.text))
        return False
    return True


def _match_row(line: MatchLine) -> Row:
    return Row(line, _kind(line), str(STATE_LABELS[line.state]), _refusal(line.refusal))


def _kind(line: OfferLine | RequestLine | MatchLine) -> str:
    return str(KIND_LABELS[line.terms.kind])


def _refusal(code: str) -> str:
    return str(REFUSAL_LABELS.get(code, code))


def _first(request: HttpRequest, role: str) -> Persona | None:
    """Return the persona in use if it has the role, else the person's first one that has."""
    current = current_persona(request)
    if current is not None and current.role == role:
        return current
    return next((each for each in personas_of(request) if each.role == role), None)


def _acting(request: HttpRequest, role: str) -> Persona:
    persona = _first(request, role)
    if persona is None:
        raise Http404
    return use_persona(request, persona.participant_id, role)


def _own_ids(request: HttpRequest) -> list[int]:
    return [each.participant_id for each in personas_of(request)]


def _zone(persona: Persona | None) -> ZoneInfo:
    return persona.place.zone if persona is not None and persona.place else UTC_ZONE


def _wallet(persona: Persona) -> Wallet | None:
    account_id = persona.wallet_account_id
    if account_id is None:
        return None
    unit = get_units(account_ids=[account_id])[account_id]
    return Wallet(get_balances(account_ids=[account_id])[account_id], unit.partition("/")[0])
