"""A member's certificates of origin: held, used, handed over, taken along."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from config.web.certificate_forms import FIELD_OF, CancelForm, ChoiceForm, HandOverForm
from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES, translated
from marketplace.domain.billing.month import (
    month_after,
    month_before,
    month_bounds,
    month_of,
    read_month,
)
from marketplace.domain.certificates.energytag import (
    GranularBundle,
    granular_fields,
    written_as_csv,
)
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.certificate_hours import list_certified_hours, score_of
from marketplace.queries.certificate_pages import (
    BundleLine,
    get_certificate_totals,
    list_bundles,
    list_cancellations,
    list_certificate_balances,
    list_devices,
    list_handovers,
)
from marketplace.queries.pages import Persona, Place, get_market_days
from marketplace.services.certificate_use import cancel_certificates, hand_over_certificates
from marketplace.services.once import act_once

BUNDLES_SHOWN: Final = 100


@dataclass(frozen=True)
class ChosenMonth:
    """A civil month with its bounds in UTC, and the months one may go to from it."""

    month: date
    start: datetime
    end: datetime
    first: date
    last: date

    @property
    def name(self) -> str:
        """The month as addresses have it."""
        return f"{self.month:%Y-%m}"

    @property
    def previous(self) -> date | None:
        """The month before, None at the beginning."""
        return month_before(self.month) if self.month > self.first else None

    @property
    def next(self) -> date | None:
        """The month after, None at the end."""
        return month_after(self.month) if self.month < self.last else None


def chosen_month(request: HttpRequest, place: Place, now: datetime) -> ChosenMonth:
    """Return the month a request asks for, as near to it as the market has months."""
    known = get_market_days(place=place)
    today = now.astimezone(place.zone).date()
    first, last = (month_of(day) for day in ((known.first, known.last) if known else (today,) * 2))
    asked = read_month(request.GET.get("month", "")) or last
    month = min(max(asked, first), last)
    return ChosenMonth(month, *month_bounds(month, place.zone), first, last)


@require_http_methods(["GET", "HEAD", "POST"])
def certificates(request: HttpRequest, participant_id: int) -> HttpResponse:
    """What I hold of a month, what became of it, and what I can do with it."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    now = timezone.now()
    chosen = chosen_month(request, place, now)
    cancel_form, hand_over_form = CancelForm(prefix="cancel"), HandOverForm(prefix="hand")
    if request.method == "POST" and "hand-token" in request.POST:
        hand_over_form = HandOverForm(request.POST, prefix="hand")
        if _handed_over(request, persona, chosen, hand_over_form, now):
            messages.success(request, _("The certificates were handed over."))
            return redirect(_address(persona, chosen))
    elif request.method == "POST":
        cancel_form = CancelForm(request.POST, prefix="cancel")
        if _cancelled(request, persona, chosen, cancel_form, now):
            messages.success(request, _("The certificates are used. Their statement is public."))
            return redirect(_address(persona, chosen))
    context = {
        "persona": persona,
        "chosen": chosen,
        "cancel_form": cancel_form,
        "hand_over_form": hand_over_form,
        **_contents(participant_id, place, chosen),
    }
    return render_in(request, place, "certificates/list.html", context)


def _contents(participant_id: int, place: Place, chosen: ChosenMonth) -> dict[str, object]:
    """Return what the page shows of a month."""
    bundles = list_bundles(
        participant_id=participant_id, start=chosen.start, end=chosen.end, limit=BUNDLES_SHOWN + 1
    )
    hours = list_certified_hours(
        participant_id=participant_id, zone=place.timezone, start=chosen.start, end=chosen.end
    )
    return {
        "totals": get_certificate_totals(
            participant_id=participant_id, start=chosen.start, end=chosen.end
        ),
        "score": score_of(hours),
        "bundles": bundles[:BUNDLES_SHOWN],
        "has_more": len(bundles) > BUNDLES_SHOWN,
        "balances": list_certificate_balances(participant_id=participant_id),
        "cancellations": list_cancellations(participant_id=participant_id),
        "handovers": list_handovers(participant_id=participant_id),
        "devices": list_devices(participant_id=participant_id),
    }


@require_safe
def bundles_file(request: HttpRequest, participant_id: int, form: str) -> HttpResponse:
    """Hand out a month's bundles in EnergyTag's fields, as CSV or JSON."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place, timezone.now())
    lines = list_bundles(participant_id=participant_id, start=chosen.start, end=chosen.end)
    rows = [granular_fields(_granular(line, persona, place)) for line in reversed(lines)]
    if form == "json":
        answer: HttpResponse = JsonResponse({"granular_certificate_bundles": rows})
    else:
        answer = HttpResponse(written_as_csv(rows), content_type="text/csv; charset=utf-8")
    name = f"certificates-{participant_id}-{chosen.name}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _granular(line: BundleLine, persona: Persona, place: Place) -> GranularBundle:
    return GranularBundle(
        holder_id=persona.participant_id,
        state=line.state,
        device_id=line.device_id,
        technology=line.technology,
        capacity_w=line.capacity_w,
        commissioned_on=line.commissioned_on,
        zone=line.zone,
        market=place.name,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        first_wh=line.first_wh,
        last_wh=line.last_wh,
    )


def _cancelled(
    request: HttpRequest, persona: Persona, chosen: ChosenMonth, form: CancelForm, now: datetime
) -> bool:
    def act() -> None:
        cancel_certificates(
            participant_id=persona.participant_id,
            choice=form.choice(chosen.start, chosen.end),
            purpose=form.cleaned_data["purpose"],
            beneficiary=form.cleaned_data["beneficiary"],
            now=now,
        )

    return form.is_valid() and _done(request, form, act, now)


def _handed_over(
    request: HttpRequest, persona: Persona, chosen: ChosenMonth, form: HandOverForm, now: datetime
) -> bool:
    def act() -> None:
        hand_over_certificates(
            participant_id=persona.participant_id,
            receiver_id=form.cleaned_data["receiver"],
            choice=form.choice(chosen.start, chosen.end),
            now=now,
        )

    return form.is_valid() and _done(request, form, act, now)


def _done(request: HttpRequest, form: ChoiceForm, act: Callable[[], None], now: datetime) -> bool:
    """Do it once a page; show what the service has against the form, or say that it had nothing."""
    assert request.user.pk is not None  # the page is for people who are signed in
    token = str(form.cleaned_data["token"])
    try:
        act_once(user_id=request.user.pk, token=token, act=act, now=now)
    except Invalid as refusal:
        form.add_error(FIELD_OF.get(refusal.field, refusal.field), translated(refusal))
        return False
    except MarketplaceError as refusal:
        form.add_error(None, translated(refusal))
        return False
    return True


def _address(persona: Persona, chosen: ChosenMonth) -> str:
    return f"{reverse('certificates', args=[persona.participant_id])}?month={chosen.name}"
