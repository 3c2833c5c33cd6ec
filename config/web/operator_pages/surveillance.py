"""The operator's surveillance: unusual things with figures and thresholds, what came of each."""

from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from config.web.accesses import note
from config.web.operator_pages.alert_words import (
    RULE_NAMES,
    evidence_of,
    sentence_of,
    threshold_of,
)
from config.web.operator_pages.home import places_of
from config.web.personas import use_persona
from config.web.signing import translated
from marketplace.domain.accesses import AccessKind
from marketplace.domain.surveillance import AlertRule
from marketplace.errors import MarketplaceError
from marketplace.queries import alerts
from marketplace.queries.alerts import AlertLine
from marketplace.queries.pages import Place
from marketplace.services.surveillance import judge_alert

PER_PAGE: Final = 30
STATES: Final[dict[str, str | Promise]] = {
    "open": gettext_lazy("Open"),
    "explained": gettext_lazy("Explained"),
    "closed": gettext_lazy("Closed"),
    "": gettext_lazy("All"),
}


@dataclass(frozen=True)
class AlertCard:
    """An alert in words."""

    alert: AlertLine
    place: Place | None
    name: str
    sentence: str
    threshold: str
    evidence_url: str
    evidence: str

    @property
    def state_name(self) -> str:
        """The state in a word."""
        return str(STATES[self.alert.state])


@require_safe
def operator_surveillance(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show alerts, newest first, by state and rule."""
    persona = use_persona(request, participant_id, "operator")
    places = {place.community_id: place for place in places_of(persona)}
    state = request.GET.get("state", "open")
    rule = request.GET.get("rule", "")
    before = request.GET.get("before", "")
    is_number = before.isascii() and before.isdigit() and len(before) < 19
    found = alerts.list_alerts(
        community_ids=list(places),
        state=state if state in STATES else "open",
        rule=rule if rule in set(AlertRule) else "",
        before_id=int(before) if is_number else None,
        limit=PER_PAGE + 1,
    )
    shown = found[:PER_PAGE]
    looked_at = {each for line in shown for each in (line.participant_id, line.other_id) if each}
    note(persona, looked_at, AccessKind.SURVEILLANCE, now=timezone.now())
    counts = alerts.count_alerts(community_ids=list(places))
    context = {
        "persona": persona,
        "cards": [_card(line, places, participant_id) for line in shown],
        "counts": [(RULE_NAMES[AlertRule(one.rule)], one) for one in counts],
        "state": state if state in STATES else "open",
        "rule": rule,
        "states": STATES.items(),
        "rules": RULE_NAMES.items(),
        "next_before": shown[-1].id if len(found) > PER_PAGE else None,
    }
    return render(request, "operator/surveillance.html", context)


@require_POST
def operator_alert(request: HttpRequest, participant_id: int, alert_id: int) -> HttpResponse:
    """Take down what the operator found out about an alert."""
    persona = use_persona(request, participant_id, "operator")
    places = [place.community_id for place in places_of(persona)]
    if not alerts.is_alert_of(alert_id=alert_id, community_ids=places):
        raise Http404
    try:
        judge_alert(
            alert_id=alert_id,
            operator_id=persona.participant_id,
            state=request.POST.get("state", ""),
            note=request.POST.get("note", "").replace("\0", ""),
            now=timezone.now(),
        )
    except MarketplaceError as refusal:
        messages.error(request, translated(refusal))
    else:
        messages.success(request, _("Taken down."))
    return redirect("operator_surveillance", participant_id)


def _card(line: AlertLine, places: dict[int, Place], operator_id: int) -> AlertCard:
    place = places.get(line.community_id or 0)
    url, words = evidence_of(line, operator_id, place)
    return AlertCard(
        line,
        place,
        str(RULE_NAMES[AlertRule(line.rule)]),
        sentence_of(line, place.currency if place else ""),
        threshold_of(line),
        url,
        words,
    )
