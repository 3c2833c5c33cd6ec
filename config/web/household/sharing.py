"""Whom my surplus goes to, in which order: partners, gifts, then every neighbour, then the grid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from config.web.days import day_near, render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES
from marketplace.domain.agreement_text import STAGES as STAGE_OF
from marketplace.queries.agreements import (
    AgreementLine,
    get_agreed_wh,
    get_rules_now,
    list_agreements,
)
from marketplace.queries.pages_member import MeterName, list_meters

DAYS: Final = timedelta(days=30)
STAGES: Final[dict[str, str | Promise]] = {
    "contracts": gettext_lazy("Whom you give to for nothing, or have a contract with"),
    "partners": gettext_lazy("Your partners, the first before the second"),
    "pool": gettext_lazy("All neighbours, at one price for everybody"),
}


@dataclass(frozen=True)
class Shared:
    """Somebody I share with, and what went that way of late. [Wh]"""

    line: AgreementLine
    wh: int
    days: int


@require_safe
def sharing(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show with whom I share, in which order, and how to ask somebody."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    now = timezone.now()
    meters = list_meters(participant_id=participant_id)
    lines = list_agreements(participant_id=participant_id)
    running = [line for line in lines if line.state == "agreed" and not _is_over(line, now)]
    last = day_near(None, place, now).end  # of the last day with books, where readings lag
    agreed = get_agreed_wh(agreement_ids=[line.id for line in running], since=last - DAYS)
    rules = get_rules_now(community_id=place.community_id, now=now)
    order = rules.market.matching_order if rules else ("pool",)
    shown = [Shared(line, agreed.get(line.id, 0), DAYS.days) for line in running]
    context: dict[str, object] = {
        "persona": persona,
        "waiting": [line for line in lines if line.state == "proposed"],
        "given": [each for each in shown if each.line.is_seller],
        "received": [each for each in shown if not each.line.is_seller],
        "order": [STAGES[stage] for stage in order if stage in STAGES],
        "can_agree": len(order) > 1,
        "can_give": STAGE_OF["gift"] in order,
        "can_partner": "partners" in order,
        "meters": meters,
        "first_day": (now.astimezone(place.zone) + timedelta(days=1)).date().isoformat(),
        "invitation": _invitation(request, meters),
    }
    return render_in(request, place, "household/sharing.html", context)


def _is_over(line: AgreementLine, now: datetime) -> bool:
    return line.text.valid_until is not None and line.text.valid_until <= now


def _invitation(request: HttpRequest, meters: list[MeterName]) -> str:
    """Return a link that opens a mail to whomever one wants to share with."""
    if not meters:
        return ""
    subject = quote(_("Shall we share sunshine?"))
    text = _(
        "Let us be partners in our energy community: what one of us has over goes to the other"
        " first. My meter's number is {meter}. Propose it here: {address}"
    ).format(meter=meters[0].code, address=request.build_absolute_uri(reverse("home")))
    return f"mailto:?subject={subject}&body={quote(text)}"
