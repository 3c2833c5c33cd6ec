"""Pages of contracts: a list, one to read and to sign, its course, its end; for its two sides."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from config.templatetags.figures import money
from config.web.data import contract_words as say
from config.web.data.acting import own_ids, trader_of
from config.web.personas import current_persona, personas_of
from config.web.signing import micros_since_epoch, translated
from marketplace.domain.data.contract import ContractText
from marketplace.errors import TermsBroken
from marketplace.queries.data.contract_course import CourseStep, find_delivery_id, list_course
from marketplace.queries.data.contracts import (
    BrokenContract,
    ContractLine,
    find_contract,
    list_contracts,
)
from marketplace.queries.pages import Persona
from marketplace.queries.signed_terms import get_key_in_use

LINES_SHOWN: Final = 100
STEP_LABELS: Final = {
    "asked": gettext_lazy("The ledger was asked to hold {amount}."),
    "refused": gettext_lazy("The wallet did not cover it."),
    "offered": gettext_lazy("The seller offered the file, with a signed proof of origin."),
    "received": gettext_lazy("The buyer confirmed that it arrived."),
    "key_out": gettext_lazy("The hall gave the buyer the key."),
    "window_ends": gettext_lazy("The dispute window ends."),
    "paid": gettext_lazy("Paid: {amount}."),
    "refunded": gettext_lazy("All of it went back to the buyer."),
    "split": gettext_lazy("A part went back to the buyer; paid: {amount}."),
    "released": gettext_lazy("The held money went back to the buyer."),
}


@dataclass(frozen=True)
class Row:
    """A contract with its words."""

    line: ContractLine | BrokenContract
    other_name: str
    state: str
    css: str


@dataclass(frozen=True)
class Event:
    """Something in a contract's course; what is still to come has not happened."""

    at: str
    words: str
    is_past: bool


@require_safe
def contracts(request: HttpRequest) -> HttpResponse:
    """Show a trader's contracts, what waits for a signature, and who signs for them."""
    persona = trader_or_404(request)
    lines = list_contracts(participant_ids=[persona.participant_id], limit=LINES_SHOWN)
    key = get_key_in_use(participant_id=persona.participant_id)
    return render(
        request,
        "market/contracts.html",
        {
            "persona": persona,
            "waiting": [_row(line) for line in lines if line.waits_for_me],
            "rows": [_row(line) for line in lines if not line.waits_for_me],
            "key": key,
            "issued": micros_since_epoch(timezone.now()),
        },
    )


@require_safe
def contract(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Show one contract in words, as the text itself, and what became of it."""
    try:
        line = line_or_404(request, contract_id)
    except TermsBroken as broken:
        fault = {"fault": translated(broken)}
        return render(request, "market/contract_broken.html", fault, status=409)
    now = timezone.now()
    return render(
        request,
        "market/contract.html",
        {
            **words_of(line),
            "events": _events(line, now),
            "delivery_id": find_delivery_id(contract_id=contract_id),
            "body": line.text.body().decode(),
            "is_running": line.state == "agreed" and now < line.text.valid_until,
        },
    )


@require_safe
def text_file(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Hand out the text that both sign, byte for byte."""
    line = line_or_404(request, contract_id)
    return HttpResponse(
        line.text.body(),
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="contract-{contract_id}.json"',
            "Cache-Control": "private, no-store",
        },
    )


@require_safe
def policy_file(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Hand out what the buyer may do, as an ODRL agreement."""
    line = line_or_404(request, contract_id)
    return JsonResponse(
        line.text.odrl(),
        content_type="application/ld+json",
        headers={
            "Content-Disposition": f'attachment; filename="policy-{contract_id}.jsonld"',
            "Cache-Control": "private, no-store",
        },
    )


def trader_or_404(request: HttpRequest) -> Persona:
    """Return whom the person trades data for; somebody who trades for nobody finds no page."""
    persona = trader_of(request)
    if persona is None:
        raise Http404
    return persona


def line_or_404(request: HttpRequest, contract_id: int) -> ContractLine:
    """Return a contract for a side of it, the persona in use first; or for the operator."""
    current, own = current_persona(request), own_ids(request)
    if current is not None:
        own.sort(key=lambda id_: id_ != current.participant_id)
    is_operator = any(each.role == "operator" for each in personas_of(request))
    line = find_contract(contract_id=contract_id, participant_ids=own, is_operator=is_operator)
    if line is None:
        raise Http404
    return line


def side_or_404(line: ContractLine) -> int:
    """Return whom of the contract's sides the reader acts for; an operator only reads."""
    if line.reader_id is None:
        raise Http404
    return line.reader_id


def _row(line: ContractLine | BrokenContract) -> Row:
    other = line.seller_name if line.side == "buyer" else line.buyer_name
    return Row(line, other, str(say.STATE_LABELS[line.state]), say.STATE_CSS.get(line.state, ""))


def words_of(line: ContractLine) -> dict[str, object]:
    """Return a contract with every clause in words, as its templates want it."""
    return {
        "line": line,
        "row": _row(line),
        "clauses": say.clauses(line.text, seller=line.seller_name, buyer=line.buyer_name),
    }


def _events(line: ContractLine, now: datetime) -> list[Event]:
    """Return a contract's course, from its proposal to what is still to come."""
    found = [(line.proposed_at, _("Proposed, and signed by the buyer."))]
    if line.agreed_at is not None:
        found.append((line.agreed_at, _("Signed by the seller, and logged.")))
    for step in list_course(contract_id=line.id):
        found.append((step.at, _step(step, line.text)))
    if line.closed_at is not None:
        found.append((line.closed_at, _closing(line)))
    elif line.state == "agreed":
        found.append((line.text.valid_until, _("The contract ends.")))
    found.sort(key=lambda event: event[0])
    return [Event(say.moment(at), words, at <= now) for at, words in found]


def _step(step: CourseStep, text: ContractText) -> str:
    words = str(STEP_LABELS[step.step]).format(amount=money(step.amount_micro, text.currency))
    if text.kind == "feed":
        return _("Period {number}: {words}").format(number=step.number + 1, words=words)
    return words


def _closing(line: ContractLine) -> str:
    match line.state:
        case "declined":
            return _("Declined, withdrawn, or not answered in time.")
        case "revoked" if line.revoked_by == "buyer":
            return _("Revoked by the buyer, and logged.")
        case "revoked":
            return _("Revoked by the seller, and logged.")
        case _:
            return _("The contract has ended.")
