"""The operator's queue of applications: who waits how long, what speaks against it, the answer."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.day_field import DayField
from config.web.join import mails
from config.web.join.state_words import REFUSALS
from config.web.personas import use_persona
from config.web.signing import translated
from marketplace.domain.applications import (
    NAME_MAX_LENGTH,
    REASON_MAX_LENGTH,
    ApplicationState,
    proof_kind,
)
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.applications import (
    ApplicationLine,
    count_queue,
    find_proof,
    find_submitted,
    list_queue,
    list_taken_meters,
)
from marketplace.queries.pages import Persona, Place, list_places
from marketplace.services.admissions import (
    approve_application,
    approve_applications,
    refuse_application,
)
from marketplace.services.organisations import invite_planning_office

SHOWN: Final = 50
ENDINGS: Final = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


class ApproveForm(forms.Form):
    """From when readings are expected."""

    first_day = DayField(
        label=gettext_lazy("Readings are expected from"),
        help_text=gettext_lazy("Not before the meter reports: every interval waits for it."),
    )

    def active_from(self, place: Place) -> datetime:
        """Return the beginning of the day on the community's clock."""
        day: date = self.cleaned_data["first_day"]
        zone = ZoneInfo(place.timezone)
        return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


class RefuseForm(forms.Form):
    """Why not."""

    refusal = forms.ChoiceField(label=gettext_lazy("Reason"), choices=list(REFUSALS.items()))
    reason = forms.CharField(
        label=gettext_lazy("What the applicant can do"),
        required=False,
        max_length=REASON_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class PlannerForm(forms.Form):
    """A planning office with its first person."""

    name = forms.CharField(
        label=gettext_lazy("Name of the planning office"), max_length=NAME_MAX_LENGTH
    )
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)


@dataclass(frozen=True)
class QueueRow:
    """An application that waits, and what speaks against it."""

    line: ApplicationLine
    is_taken: bool


@require_http_methods(["GET", "HEAD", "POST"])
def applications(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show who waits; approve several at once, or invite a planning office."""
    persona = use_persona(request, participant_id, "operator")
    places = _places(persona)
    own, now = [each.community_id for each in places], timezone.now()
    planner = PlannerForm(request.POST if request.POST.get("act") == "planner" else None)
    if request.method == "POST":
        if planner.is_bound:
            if planner.is_valid() and _invited(request, planner, persona, now):
                return redirect("applications", participant_id)
        else:
            _approve_chosen(request, persona, own, now)
            return redirect("applications", participant_id)
    lines = list_queue(community_ids=own, limit=SHOWN)
    context = {
        "persona": persona,
        "rows": _rows(lines),
        "waiting_count": count_queue(community_ids=own),
        "planner": planner,
        "now": now,
    }
    return render(request, "join/queue.html", context)


@require_safe
def application(request: HttpRequest, participant_id: int, application_id: int) -> HttpResponse:
    """Show one application with everything that was said."""
    persona = use_persona(request, participant_id, "operator")
    line, place = _line(persona, application_id)
    return _page(request, persona, line, place)


@require_POST
def decide(request: HttpRequest, participant_id: int, application_id: int) -> HttpResponse:
    """Approve an application, or refuse it with a reason."""
    persona = use_persona(request, participant_id, "operator")
    line, place = _line(persona, application_id)
    if request.POST.get("act") == "refuse":
        form: ApproveForm | RefuseForm = RefuseForm(request.POST)
    else:
        form = ApproveForm(request.POST)
    if not form.is_valid() or not _decided(request, form, persona, line, place):
        return _page(request, persona, line, place, form)
    return redirect("applications", participant_id)


@require_safe
def proof(request: HttpRequest, participant_id: int, application_id: int) -> HttpResponse:
    """Hand out the file that came with an application: to be saved, never to be shown."""
    persona = use_persona(request, participant_id, "operator")
    own = [each.community_id for each in _places(persona)]
    content = find_proof(application_id=application_id, community_ids=own)
    if content is None:
        raise Http404
    kind = proof_kind(content)
    name = f"application-{application_id}.{ENDINGS[kind]}"
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _decided(
    request: HttpRequest,
    form: ApproveForm | RefuseForm,
    persona: Persona,
    line: ApplicationLine,
    place: Place,
) -> bool:
    own, now = [place.community_id], timezone.now()
    try:
        if isinstance(form, RefuseForm):
            refusal, reason = form.cleaned_data["refusal"], form.cleaned_data["reason"]
            decided = refuse_application(
                application_id=line.id,
                community_ids=own,
                operator_id=persona.participant_id,
                refusal=refusal,
                reason=reason,
                now=now,
            )
            mails.send_answer(decided, refusal=refusal, reason=reason)
            messages.success(request, _("Refused; the applicant is told why."))
            return True
        decided = approve_application(
            application_id=line.id,
            community_ids=own,
            operator_id=persona.participant_id,
            active_from=form.active_from(place),
            now=now,
        )
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, translated(error))
        return False
    except MarketplaceError as error:
        form.add_error(None, translated(error))
        return False
    mails.send_answer(decided)
    messages.success(request, _("Approved: they are a member, and are told by mail."))
    return True


def _approve_chosen(request: HttpRequest, persona: Persona, own: list[int], now: datetime) -> None:
    chosen = [int(text) for text in request.POST.getlist("chosen")[:SHOWN] if _is_id(text)]
    done, failed = approve_applications(
        application_ids=chosen,
        community_ids=own,
        operator_id=persona.participant_id,
        now=now,
    )
    for decided in done:
        mails.send_answer(decided)
    if done:
        text = ngettext("{count} member was added.", "{count} members were added.", len(done))
        messages.success(request, text.format(count=len(done)))
    for each in failed:
        text = _("Application {number}: {why}")
        messages.error(request, text.format(number=each.application_id, why=translated(each.why)))
    if not chosen:
        messages.error(request, _("Choose at least one application."))


def _invited(request: HttpRequest, form: PlannerForm, persona: Persona, now: datetime) -> bool:
    name, email = form.cleaned_data["name"], form.cleaned_data["email"]
    place = persona.place
    token = invite_planning_office(
        name=name, email=email, community_id=place.community_id if place else None, now=now
    )
    if not mails.send_invitation(email=email, token=token, organisation=name):
        form.add_error(None, _("The mail could not be sent. Try again later."))
        return False
    messages.success(request, _("The invitation is on its way."))
    return True


def _page(
    request: HttpRequest,
    persona: Persona,
    line: ApplicationLine,
    place: Place,
    form: ApproveForm | RefuseForm | None = None,
) -> HttpResponse:
    tomorrow = timezone.now().astimezone(place.zone).date() + timedelta(days=1)
    [row] = _rows([line])
    context = {
        "persona": persona,
        "row": row,
        "line": line,
        "is_open": line.state == ApplicationState.SUBMITTED,
        "approve": form if isinstance(form, ApproveForm) else _fresh(tomorrow),
        "refuse": form if isinstance(form, RefuseForm) else RefuseForm(),
        "now": timezone.now(),
    }
    status = 400 if form is not None else 200
    return render(request, "join/decide.html", context, status=status)


def _fresh(day: date) -> ApproveForm:
    return ApproveForm(initial={"first_day": day})


def _rows(lines: list[ApplicationLine]) -> list[QueueRow]:
    """Return applications with whether their meters are members' already; a query a community."""
    taken: dict[int, set[str]] = {}
    for community_id in {each.community_id for each in lines if each.community_id is not None}:
        codes = [
            each.details.meter
            for each in lines
            if each.community_id == community_id and each.details and each.details.meter
        ]
        taken[community_id] = list_taken_meters(community_id=community_id, codes=codes)
    return [
        QueueRow(
            each,
            each.details is not None
            and each.details.meter in taken.get(each.community_id or 0, ()),
        )
        for each in lines
    ]


def _line(persona: Persona, application_id: int) -> tuple[ApplicationLine, Place]:
    places = {each.community_id: each for each in _places(persona)}
    line = find_submitted(application_id=application_id, community_ids=list(places))
    if line is None or line.community_id is None:
        raise Http404
    return line, places[line.community_id]


def _places(persona: Persona) -> list[Place]:
    return [persona.place] if persona.place else list_places()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
