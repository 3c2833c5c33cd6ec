"""Pages of deliveries: what waits for whom, receiving by one click, and the way without trust."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from config.web.data.acting import act_and_go, own_ids, trader_of
from config.web.data.delivery_words import (
    ENDED_BADLY,
    LAPSE_LABELS,
    PROBLEM_LABELS,
    STATE_LABELS,
    state_css,
    steps_of,
)
from config.web.signing import translated
from marketplace.errors import MarketplaceError, NotFound
from marketplace.queries.data.deliveries import (
    DeliveryDetail,
    DeliveryLine,
    find_delivery,
    list_deliveries,
)
from marketplace.services.data import deliveries as exchange
from marketplace.services.data import delivery_custody

LINES_SHOWN: Final = 100
# Who waits for the other side, or for the hall, looks again by itself.
LOOKS_AGAIN: Final = frozenset({"waiting", "held", "acknowledged"})


@dataclass(frozen=True)
class Row:
    """A delivery of the list with its words."""

    line: DeliveryLine
    state: str
    css: str


@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """List what is delivered to a trader and by them."""
    persona = trader_of(request)
    if persona is None:
        raise Http404
    lines = list_deliveries(participant_ids=[persona.participant_id], limit=LINES_SHOWN)
    rows = [Row(line, str(STATE_LABELS[line.state]), state_css(line.state)) for line in lines]
    return render(
        request,
        "market/deliveries.html",
        {
            "persona": persona,
            "bought": [row for row in rows if row.line.side == "buyer"],
            "sold": [row for row in rows if row.line.side == "seller"],
        },
    )


@require_safe
def delivery(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Show one delivery: how far it is, and what its reader can do about it."""
    found = _found(request, delivery_id)
    state = found.line.state
    is_buyer = found.line.side == "buyer"
    text = None
    if not is_buyer and state == "held" and not found.seller_signs_in_custody:
        text = exchange.draft_origin(
            delivery_id=delivery_id, participant_ids=own_ids(request), now=timezone.now()
        )
    return render(
        request,
        "market/delivery.html",
        {
            "found": found,
            "line": found.line,
            "state": STATE_LABELS[state],
            "css": state_css(state),
            "is_buyer": is_buyer,
            "is_over": state in ENDED_BADLY,
            "lapse": LAPSE_LABELS.get(state, ""),
            "problem": PROBLEM_LABELS.get(found.line.problem, ""),
            "steps": steps_of(found),
            "looks_again": state in LOOKS_AGAIN,
            "origin_text": text.body().decode() if text else "",
            "seller_key": base64.b64encode(found.seller_key).decode(),
            "hall": request.build_absolute_uri("/").rstrip("/"),
            "documents": list(found.documents),
        },
    )


@require_POST
def sign_origin(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Take in the seller's proof of origin: signed in the browser, or here in their name."""
    sent = request.POST.get("signature")
    body = request.POST.get("body", "").encode() if sent is not None else None
    return act_and_go(
        request,
        lambda: exchange.offer(
            delivery_id=delivery_id,
            participant_ids=own_ids(request),
            body=body,
            signature=None if sent is None else _signature(sent),
            now=timezone.now(),
        ),
        done=_("Signed: the buyer can fetch it now."),
        to="market_delivery",
        delivery_id=delivery_id,
    )


@require_POST
def receive(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Compare every chunk for the buyer, and sign for it in their name."""
    return act_and_go(
        request,
        lambda: delivery_custody.receive_in_custody(
            delivery_id=delivery_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("Signed: your money moves into escrow, then the key is given. This takes moments."),
        to="market_delivery",
        delivery_id=delivery_id,
    )


@require_POST
def accept(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Open every chunk for the buyer; accept, or complain with the evidence."""
    try:
        is_good = delivery_custody.accept_in_custody(
            delivery_id=delivery_id, participant_ids=own_ids(request), now=timezone.now()
        )
    except NotFound as error:
        raise Http404 from error
    except MarketplaceError as error:
        messages.error(request, translated(error))
    else:
        if is_good:
            messages.success(request, _("Every chunk is what was promised. Accepted."))
        else:
            messages.warning(
                request,
                _(
                    "A chunk is not what the seller signed for: the evidence was judged at once,"
                    " and the price goes back to you."
                ),
            )
    return redirect("market_delivery", delivery_id)


@require_safe
def file(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    """Hand out what was delivered, opened by the hall for a buyer whose keys it holds."""
    try:
        opened = delivery_custody.open_in_custody(
            delivery_id=delivery_id, participant_ids=own_ids(request)
        )
    except NotFound as error:
        raise Http404 from error
    except MarketplaceError as error:
        messages.error(request, translated(error))
        return redirect("market_delivery", delivery_id)
    headers = {
        "Content-Type": opened.media_type,
        "Content-Disposition": content_disposition_header(True, opened.name) or "attachment",
        "Cache-Control": "private, no-store",
    }
    if opened.byte_count is not None:
        headers["Content-Length"] = str(opened.byte_count)
    return StreamingHttpResponse(opened.pieces, headers=headers)


def _found(request: HttpRequest, delivery_id: int) -> DeliveryDetail:
    found = find_delivery(delivery_id=delivery_id, participant_ids=own_ids(request))
    if found is None:
        raise Http404
    return found


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""  # no signature of anybody's: refused as any wrong one
