"""Signing a contract for data: chosen and read first, then signed here or in the browser."""

import base64
import binascii
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from config.web.data import contract_words as say
from config.web.data.acting import act_and_go, buyer_of
from config.web.data.contract_form import ContractForm
from config.web.data.contracts import line_or_404, side_or_404, trader_or_404, words_of
from config.web.signing import translated
from marketplace.domain.data.contract import ContractRevocation, ContractText
from marketplace.errors import Invalid, MarketplaceError, NotFound, SignatureNeeded
from marketplace.queries.data.contract_course import ForSale, find_for_sale
from marketplace.queries.data.contracts import ContractLine
from marketplace.queries.pages import Persona
from marketplace.queries.signed_terms import get_key_in_use
from marketplace.services.data.contract_drafts import draft_contract
from marketplace.services.data.contract_ends import draft_revocation, revoke_contract
from marketplace.services.data.contracts import (
    accept_contract,
    close_proposal,
    propose_contract,
)
from marketplace.services.organisations import committing
from marketplace.services.signed_terms import use_hall_key, use_own_key


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Let a buyer choose, then show the whole contract before anything is signed."""
    persona = buyer_of(request)
    product = _for_sale(request)
    answer_id = _number(request.GET.get("answer", ""))
    newest = next(iter(product.version_numbers), None)
    form = ContractForm(request.POST or None, product=product, initial={"version": newest})
    if request.method == "POST" and form.is_valid():
        try:
            text = draft_contract(
                product_id=product.id,
                buyer_id=persona.participant_id,
                choice=form.choice(answer_id),
                now=timezone.now(),
            )
        except Invalid as error:
            form.complain(error)
        except MarketplaceError as error:
            form.add_error(None, translated(error))
        else:
            return _to_sign(request, persona, text, product.provider_name, product.title)
    return render(
        request,
        "market/contract_new.html",
        {"persona": persona, "product": product, "form": form},
        status=400 if form.is_bound and form.errors else 200,
    )


@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Take in a contract that its buyer signs: in the browser, or here in their name."""
    persona = buyer_of(request)
    try:
        text, now = ContractText.read(request.POST.get("body", "").encode()), timezone.now()
        with committing(
            acts_as=persona.membership,
            key=f"contract:{text.bound.contract}",
            amount_micro=text.whole_micro,
            now=now,
        ):
            made = propose_contract(
                text=text,
                participant_id=persona.participant_id,
                signature=_signature(request),
                now=now,
            )
    except NotFound as missing:
        raise Http404 from missing
    except MarketplaceError as refusal:
        # Of a second click, too: what was proposed stands in the list.
        messages.error(request, translated(refusal))
        return redirect("market_contracts")
    messages.success(request, _("You have signed. The contract waits for the seller."))
    return redirect("market_contract", made.pk)


@require_POST
def accept(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Let the seller sign; with a key of their own, in the browser first."""
    line = line_or_404(request, contract_id)
    reader_id = side_or_404(line)
    try:
        accept_contract(
            contract_id=contract_id,
            participant_id=reader_id,
            signature=_signature(request),
            now=timezone.now(),
        )
    except SignatureNeeded:
        return _sign_existing(request, line, line.text.body(), line.text.seller.public_key)
    except NotFound as missing:
        raise Http404 from missing
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, _("Both sides have signed."))
    return redirect("market_contract", contract_id)


@require_POST
def close(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Decline a proposal, or withdraw one's own."""
    reader_id = side_or_404(line_or_404(request, contract_id))
    return act_and_go(
        request,
        lambda: close_proposal(
            contract_id=contract_id, participant_id=reader_id, now=timezone.now()
        ),
        done=_("This proposal is closed."),
        to="market_contract",
        contract_id=contract_id,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, contract_id: int) -> HttpResponse:
    """State what revoking brings about; then do it, signed here or in the browser."""
    line = line_or_404(request, contract_id)
    reader_id, now = side_or_404(line), timezone.now()
    if request.method != "POST":
        consequences = say.revocation(line.text, line.side)
        context = {**words_of(line), "consequences": consequences}
        return render(request, "market/contract_revoke.html", context)
    try:
        revocation = _revocation(request, contract_id, reader_id, now)
        revoke_contract(
            contract_id=contract_id,
            participant_id=reader_id,
            revocation=revocation,
            signature=_signature(request),
            now=now,
        )
    except SignatureNeeded:
        return _sign_existing(
            request, line, revocation.body(), revocation.public_key, is_revocation=True
        )
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, _("The contract is revoked."))
    return redirect("market_contract", contract_id)


@require_POST
def signing_key(request: HttpRequest) -> HttpResponse:
    """Choose who holds the key: the browser that sends a new one, or the hall again."""
    persona, now = trader_or_404(request), timezone.now()

    def act() -> None:
        if request.POST.get("holder") == "hall":
            use_hall_key(participant_id=persona.participant_id, now=now)
            return
        use_own_key(
            participant_id=persona.participant_id,
            body=request.POST.get("body", "").encode(),
            signature=_signature(request) or b"",
            now=now,
        )

    done = (
        _("From now on the hall signs for you, with a new key.")
        if request.POST.get("holder") == "hall"
        else _("From now on only this browser can sign for you.")
    )
    return act_and_go(request, act, done=done, to="market_contracts")


def _for_sale(request: HttpRequest) -> ForSale:
    number = _number(request.GET.get("product", ""))
    product = None if number is None else find_for_sale(product_id=number)
    if product is None:
        raise Http404
    return product


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _to_sign(
    request: HttpRequest, persona: Persona, text: ContractText, seller: str, title: str
) -> HttpResponse:
    """Show a drafted contract whole, with the button that signs it."""
    key = get_key_in_use(participant_id=persona.participant_id)
    context = {
        "persona": persona,
        "title": title,
        "clauses": say.clauses(text, seller=seller, buyer=persona.name),
        "body": text.body().decode(),
        "public_key": base64.b64encode(text.buyer.public_key).decode(),
        "is_own_key": key is not None and key.is_own,
    }
    return render(request, "market/contract_sign.html", context)


def _sign_existing(
    request: HttpRequest,
    line: ContractLine,
    body: bytes,
    public_key: bytes,
    *,
    is_revocation: bool = False,
) -> HttpResponse:
    """Show a text that only the reader can sign, with everything it says in words."""
    context = {
        **words_of(line),
        "title": line.product_title,
        "body": body.decode(),
        "public_key": base64.b64encode(public_key).decode(),
        "is_own_key": True,
        "is_revocation": is_revocation,
        "consequences": say.revocation(line.text, line.side) if is_revocation else (),
    }
    return render(request, "market/contract_sign.html", context)


def _revocation(
    request: HttpRequest, contract_id: int, participant_id: int, now: datetime
) -> ContractRevocation:
    """Return the revocation that a browser signed, or a new one for the hall to sign."""
    if "body" in request.POST:
        return ContractRevocation.read(request.POST["body"].encode())
    return draft_revocation(contract_id=contract_id, participant_id=participant_id, now=now)


def _signature(request: HttpRequest) -> bytes | None:
    """Return the signature that a browser sent; what is none fails as one; None: none came."""
    if "signature" not in request.POST:
        return None
    try:
        return base64.b64decode(request.POST["signature"], validate=True)
    except (binascii.Error, ValueError):
        return b""
