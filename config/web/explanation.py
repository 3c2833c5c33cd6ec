"""Why a number is what it is: one interval of one metering point, step by step."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from config.web.accesses import note
from config.web.days import render_in
from config.web.personas import personas_of
from config.web.transfer_words import WordedTransfer, worded_transfers
from marketplace.domain.accesses import AccessKind
from marketplace.domain.book_rows import book_key
from marketplace.queries.explanation import Explanation, Subject, explain, find_subject
from marketplace.queries.pages import Persona

MEMBER_ROLES = ("household", "enterprise")


@dataclass(frozen=True)
class ShownTransfer:
    """A transfer in words, with its block."""

    worded: WordedTransfer
    block: int


@require_safe
@vary_on_headers("HX-Request")
def why(request: HttpRequest, interval_id: int, metering_point_id: int) -> HttpResponse:
    """Explain an interval to the member whose metering point it is, or to an operator."""
    subject = find_subject(metering_point_id=metering_point_id)
    persona = _allowed(request, subject)
    if subject is None or persona is None:
        raise Http404
    found = explain(subject=subject, interval_id=interval_id, metering_point_id=metering_point_id)
    if found is None:
        raise Http404
    note(persona, [subject.participant_id], AccessKind.INTERVAL, now=timezone.now())
    is_own = persona.participant_id == subject.participant_id
    context: dict[str, object] = {
        "persona": persona,
        "why": found,
        "is_own": is_own,
        "transfers": _worded(found),
        "book_key": book_key(interval_id, found.revision) if found.revision else "",
    }
    is_fragment = bool(request.headers.get("HX-Request"))
    template = "pages/why_steps.html" if is_fragment else "pages/why_page.html"
    return render_in(request, subject.place, template, context)


def _allowed(request: HttpRequest, subject: Subject | None) -> Persona | None:
    """Return in which role the signed-in person may ask: as the holder, else as an operator."""
    if subject is None:
        return None
    for persona in personas_of(request):
        if persona.role in MEMBER_ROLES and persona.participant_id == subject.participant_id:
            return persona
    for persona in personas_of(request):
        if persona.role == "operator" and persona.place in (None, subject.place):
            return persona
    return None


def _worded(found: Explanation) -> list[ShownTransfer]:
    lines = [each.line for each in found.transfers]
    worded = worded_transfers(lines, found.subject.place)
    return [
        ShownTransfer(text, each.block) for text, each in zip(worded, found.transfers, strict=True)
    ]
