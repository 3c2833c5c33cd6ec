"""Pages of disputes: for their two parties and the operator, and nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.accesses import note
from config.web.data.acting import accepted, act_and_go, own_ids
from config.web.data.charges import charge_row
from config.web.data.money_forms import AnswerForm, DisputeForm, VerdictForm
from config.web.data.money_words import (
    DISPUTE_STATES,
    EVIDENCE,
    FIGURES,
    PROMISES,
    REASONS,
    verdict_words,
)
from config.web.personas import current_persona, personas_of
from config.web.rights import right_of
from marketplace.domain.accesses import AccessKind
from marketplace.domain.data.disputes import BY_MACHINE, OF_FEEDS, OF_FILES, EvidenceKind
from marketplace.queries.data.charges import find_charge
from marketplace.queries.data.disputes import DisputeView, find_dispute, list_disputes
from marketplace.queries.pages import Persona
from marketplace.services.data import disputes as service


@dataclass(frozen=True)
class EvidenceRow:
    """A piece of evidence with its words."""

    title: str
    figures: list[tuple[str, str]]
    promises: list[tuple[str, float, float | None]]
    sha256: str
    is_missed: bool


@dataclass(frozen=True)
class DisputeRow:
    """A dispute with its words."""

    view: DisputeView
    state: str
    reason: str
    verdict: str


@require_safe
def disputes(request: HttpRequest) -> HttpResponse:
    """List the disputes somebody is part of; the operator's queue has all of them."""
    operator = _operator(request)
    found = list_disputes(participant_ids=own_ids(request), is_operator=operator is not None)
    rows = [_row(each) for each in found]
    return render(
        request,
        "market/disputes.html",
        {
            "persona": operator or current_persona(request),
            "is_operator": operator is not None,
            # A queue: who waits longest comes first.
            "open": [row for row in reversed(rows) if row.view.is_open],
            "ended": [row for row in rows if not row.view.is_open],
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def new_dispute(request: HttpRequest, charge_id: int) -> HttpResponse:
    """Let a buyer open a dispute about a charge in its window."""
    own = own_ids(request)
    line = find_charge(charge_id=charge_id, participant_ids=own)
    if line is None or line.side != "buyer":
        raise Http404
    if line.dispute_id is not None and request.method != "POST":
        return redirect("market_dispute", line.dispute_id)
    form = DisputeForm(
        request.POST or None,
        request.FILES or None,
        reasons=OF_FEEDS if line.is_feed else OF_FILES,
    )
    if request.method == "POST" and form.is_valid():
        evidence = form.evidence_bytes()

        def act() -> None:
            service.open_dispute(
                charge_id=charge_id,
                participant_ids=own,
                reason=form.cleaned_data["reason"],
                statement=form.cleaned_data["statement"],
                chunk_evidence=evidence,
                now=timezone.now(),
            )

        if accepted(request, form, act):
            opened = find_charge(charge_id=charge_id, participant_ids=own)
            if opened is not None and opened.dispute_id is not None:
                messages.success(request, _("The money is frozen until the dispute has ended."))
                return redirect("market_dispute", opened.dispute_id)
    return render(
        request,
        "market/dispute_new.html",
        {"row": charge_row(line), "form": form},
        status=400 if form.is_bound and form.errors else 200,
    )


@require_safe
def dispute(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Show a dispute with its evidence, and what its reader may do about it."""
    view = _view(request, dispute_id)
    operator = _operator(request)
    if operator is not None and not view.sides:
        note(operator, view.party_ids, AccessKind.DISPUTE, now=timezone.now())
    return _page(request, view)


@require_POST
def answer(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Take in the provider's side."""
    view = _view(request, dispute_id)
    if "seller" not in view.sides:
        raise Http404
    form = AnswerForm(request.POST)

    def act() -> None:
        service.answer_dispute(
            dispute_id=dispute_id,
            participant_ids=own_ids(request),
            answer=form.cleaned_data["answer"],
            now=timezone.now(),
        )

    if form.is_valid() and accepted(request, form, act):
        messages.success(request, _("Your answer stands beside the complaint."))
        return redirect("market_dispute", dispute_id)
    return _page(request, view, answer_form=form)


@require_POST
def take_back(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """End a dispute by its buyer's word."""
    _view(request, dispute_id)
    return act_and_go(
        request,
        lambda: service.take_back_dispute(
            dispute_id=dispute_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("You took the dispute back."),
        to="market_dispute",
        dispute_id=dispute_id,
    )


@require_POST
def concede(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Give everything back by the provider's word."""
    _view(request, dispute_id)
    return act_and_go(
        request,
        lambda: service.concede_dispute(
            dispute_id=dispute_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("Everything goes back to the buyer; the dispute has ended."),
        to="market_dispute",
        dispute_id=dispute_id,
    )


@require_POST
def decide(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Take in the operator's decision."""
    view = _view(request, dispute_id)
    operator = _operator(request)
    if operator is None:
        raise Http404
    form = VerdictForm(request.POST, most_micro=view.net_micro, currency=view.currency)

    def act() -> None:
        service.decide_dispute(
            dispute_id=dispute_id,
            operator_id=operator.participant_id,
            own_ids=own_ids(request),
            refund_micro=form.refund_micro(),
            verdict=form.cleaned_data["verdict"],
            now=timezone.now(),
        )

    if form.is_valid() and accepted(request, form, act):
        messages.success(request, _("Decided: the money moves, and both sides are told."))
        return redirect("market_dispute", dispute_id)
    return _page(request, view, verdict_form=form)


def _page(
    request: HttpRequest,
    view: DisputeView,
    *,
    answer_form: AnswerForm | None = None,
    verdict_form: VerdictForm | None = None,
) -> HttpResponse:
    now = timezone.now()
    bound = answer_form or verdict_form
    may_decide = view.sides == {"operator"} and view.may_be_decided(now)
    if may_decide and verdict_form is None:
        verdict_form = VerdictForm(most_micro=view.net_micro, currency=view.currency)
    may_answer = view.is_open and "seller" in view.sides and view.answered_at is None
    return render(
        request,
        "market/dispute.html",
        {
            "row": _row(view),
            "evidence": [_evidence_row(each) for each in view.evidence],
            "answer_form": (answer_form or AnswerForm()) if may_answer else None,
            "verdict_form": verdict_form if may_decide else None,
            "waits_for_answer": view.is_open and not view.may_be_decided(now),
            "may_take_back": view.is_open and "buyer" in view.sides,
            "may_concede": view.is_open and "seller" in view.sides,
        },
        status=400 if bound is not None and bound.errors else 200,
    )


def _view(request: HttpRequest, dispute_id: int) -> DisputeView:
    """Return a dispute for its parties and the operator; nobody else learns that it exists."""
    view = find_dispute(
        dispute_id=dispute_id,
        participant_ids=own_ids(request),
        is_operator=_operator(request) is not None,
    )
    if view is None:
        raise Http404
    return view


def _operator(request: HttpRequest) -> Persona | None:
    right = right_of(request)
    operators = (each for each in personas_of(request) if each.role == "operator")
    return next((each for each in operators if each.may(right)), None)


def _row(view: DisputeView) -> DisputeRow:
    return DisputeRow(
        view,
        str(DISPUTE_STATES[view.state]),
        str(REASONS.get(view.reason, view.reason)),
        verdict_words(view.verdict),
    )


def _evidence_row(piece: Mapping[str, Any]) -> EvidenceRow:
    figures = piece["figures"]
    promises = [
        (
            str(PROMISES[each["promise"]]),
            each["promised_ppm"] / 10_000,
            None if each["measured_ppm"] is None else each["measured_ppm"] / 10_000,
        )
        for each in figures.get("promises", ())
    ]
    shown = [
        (str(label), _shown(name, figures[name]))
        for name, label in FIGURES.items()
        if name in figures
    ]
    return EvidenceRow(
        str(EVIDENCE[EvidenceKind(piece["kind"])]),
        shown,
        promises,
        piece.get("sha256", ""),
        any(measured is not None and measured < promised for _, promised, measured in promises),
    )


def _shown(name: str, value: object) -> str:
    if name == "verdict":
        return verdict_words(f"{BY_MACHINE}{value}")
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)[:19].replace("T", " ") or "\N{EN DASH}"
