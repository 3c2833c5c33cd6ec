"""A member's own pages: a day's figures, rule, statement."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from config.forward.rule_preview import RulePreview, preview
from config.web.days import ChosenDay, chosen_day, day_near, render_in
from config.web.personas import place_or_404, use_persona
from config.web.rule_form import RuleForm
from config.web.signing import RULE_SAVED, micros_since_epoch, to_sign, translated
from config.web.transfer_words import worded_transfers
from marketplace.domain.terms_document import TermsDocument
from marketplace.errors import Invalid, SignatureNeeded
from marketplace.queries import statements
from marketplace.queries.meter_history import zones_of_meters
from marketplace.queries.pages import Persona, Place
from marketplace.queries.pages_member import MeterName, list_meters
from marketplace.queries.pages_rules import RuleVersion, list_rule_versions
from marketplace.queries.signed_terms import get_key_in_use
from marketplace.services.standing import draft_standing_terms, set_standing_rule

MEMBER_ROLES = ("household", "enterprise")
FIELDS_OF_SERVICE = {
    "sell_at_or_above_micro_per_kwh": "sell",
    "buy_at_or_below_micro_per_kwh": "buy",
    "valid_until": "last_day",
}


def day_figures(persona: Persona, place: Place, chosen: ChosenDay) -> dict[str, object]:
    """Return a member's day, interval by interval."""
    lines = statements.list_statement_lines(
        persona=persona, place=place, start=chosen.start, end=chosen.end
    )
    return {
        "persona": persona,
        "chosen": chosen,
        "lines": lines,
        "intervals": [line.interval for line in lines],
        "totals": statements.total_of(lines),
    }


@dataclass(frozen=True)
class RuleCard:
    """A metering point with its rule, its history and a form to change it."""

    meter: MeterName
    rule: RuleVersion | None
    history: list[RuleVersion]
    form: RuleForm


def rule_cards(persona: Persona, place: Place, now: datetime) -> list[RuleCard]:
    """Return the rules of a member's metering points."""
    meters = list_meters(participant_id=persona.participant_id)
    versions = list_rule_versions(metering_point_ids=[meter.metering_point_id for meter in meters])
    cards = []
    for meter in meters:
        history = versions.get(meter.metering_point_id, [])
        current = next((version for version in history if version.is_in_force(now)), None)
        form = RuleForm.of(current, place.zone, _prefix(meter.metering_point_id))
        cards.append(RuleCard(meter, current, history, form))
    return cards


@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, participant_id: int, metering_point_id: int) -> HttpResponse:
    """Change the standing rule of one of the member's own metering points."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    now = timezone.now()
    cards = [
        card
        for card in rule_cards(persona, place, now)
        if card.meter.metering_point_id == metering_point_id
    ]
    if not cards:
        raise Http404
    tried: RulePreview | None = None
    if request.method == "POST":
        form = RuleForm(request.POST, prefix=_prefix(metering_point_id))
        if form.is_valid() and "try" in request.POST:
            tried = _tried(cards[0], form, place, now)
        elif form.is_valid():
            done = _accepted(form, metering_point_id, place, now)
            if isinstance(done, TermsDocument):
                return to_sign(request, persona, place, done)
            if done:
                messages.success(request, RULE_SAVED)
                return redirect("rule", participant_id, metering_point_id)
        cards = [replace(cards[0], form=form)]
    key = get_key_in_use(participant_id=persona.participant_id)
    context: dict[str, object] = {
        "persona": persona,
        "rules": cards,
        "key": key,
        "issued": micros_since_epoch(now),
        "is_trial": "try" in request.POST and cards[0].form.is_valid(),
        "tried": tried,
    }
    return render_in(request, place, "pages/rule.html", context)


def _tried(card: RuleCard, form: RuleForm, place: Place, now: datetime) -> RulePreview | None:
    """Let the rule of a form stand in for the one in force over the meter's own last month."""
    wanted = RuleVersion(
        version=0,
        sell_at_or_above_micro_per_kwh=form.sell_micro,
        buy_at_or_below_micro_per_kwh=form.buy_micro,
        is_paused=form.cleaned_data["pause"],
        valid_from=now,
        valid_until=None,
        signature=None,
    )
    point = card.meter.metering_point_id
    return preview(
        place=place,
        meter=card.meter,
        zone_id=zones_of_meters(metering_point_ids=[point])[point],
        rule=wanted,
        in_force=card.rule,
        last=day_near(None, place, now).end,
    )


def _accepted(
    form: RuleForm, metering_point_id: int, place: Place, now: datetime
) -> TermsDocument | bool:
    """Save a rule; where only the member can sign it, return the text to be signed instead."""
    wanted = {
        "metering_point_id": metering_point_id,
        "sell_at_or_above_micro_per_kwh": form.sell_micro,
        "buy_at_or_below_micro_per_kwh": form.buy_micro,
        "is_paused": form.cleaned_data["pause"],
        "valid_until": form.valid_until(place.zone),
        "now": now,
    }
    try:
        try:
            set_standing_rule(**wanted)
        except SignatureNeeded:
            return draft_standing_terms(**wanted)
    except Invalid as refusal:
        form.add_error(FIELDS_OF_SERVICE.get(refusal.field), translated(refusal))
        return False
    return True


@require_safe
def statement(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Every interval of a day with its exact money; each line leads to its transfers."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_day(request, place, timezone.now())
    lines = statements.list_statement_lines(
        persona=persona, place=place, start=chosen.start, end=chosen.end
    )
    meters = list_meters(participant_id=persona.participant_id)
    context = {
        "persona": persona,
        "chosen": chosen,
        "lines": lines,
        "totals": statements.total_of(lines),
        # With several meters a figure is a sum: its interval's page explains each of them.
        "meter_id": meters[0].metering_point_id if len(meters) == 1 else None,
    }
    return render_in(request, place, "pages/statement.html", context)


@require_safe
@vary_on_headers("HX-Request")
def statement_interval(request: HttpRequest, participant_id: int, interval_id: int) -> HttpResponse:
    """The transfers behind one line of a statement; a fragment for a page, or a page."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    found = statements.get_statement_line(persona=persona, place=place, interval_id=interval_id)
    if found is None:
        raise Http404
    line, transfers = found
    is_fragment = bool(request.headers.get("HX-Request"))
    template = "pages/transfers.html" if is_fragment else "pages/statement_interval.html"
    context = {
        "persona": persona,
        "line": line,
        "meters": list_meters(participant_id=persona.participant_id),
        "transfers": worded_transfers(transfers, place),
    }
    return render_in(request, place, template, context)


def _prefix(metering_point_id: int) -> str:
    return f"rule{metering_point_id}"
