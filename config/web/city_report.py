"""The city report as a download: what `manage.py report` writes, of the days a page shows."""

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from config.report.contents import Report, make_report
from config.report.forms import TO_READ, compute_with, read_as, zipped
from config.web.city.chosen import choose
from config.web.city.look import Look
from config.web.city.pages import KEPT_S
from config.web.kept import kept
from config.web.personas import use_persona
from marketplace.queries.pages import list_places

TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "application/zip",
    "parquet": "application/zip",
}


@require_safe
def report(request: HttpRequest, participant_id: int, form: str) -> HttpResponse:
    """Answer with the report of the community and civil days that the address names.

    It is kept for some minutes under the releases it shows, and says itself when it was made.
    """
    persona = use_persona(request, participant_id, "planner")
    if form not in TYPES:
        raise Http404
    now = timezone.now()
    places = [persona.place] if persona.place else list_places()
    chosen = choose(request.GET, places, now, of_one=True)
    if chosen is None or chosen.place is None or chosen.known is None:
        raise Http404
    place, first, last, known = chosen.place, chosen.first, chosen.last, chosen.known
    look = Look(place, chosen, now)
    content = kept(
        "report",
        *(form, get_language(), place, first, last, look.basis, look.withheld),
        seconds=KEPT_S,
        make=lambda: _in_form(make_report(place, first, last, known=known, now=now), form),
    )
    answer = HttpResponse(content, content_type=TYPES[form])
    name = f"report-{place.community_id}-{first}-{last}"
    suffix = form if form in TO_READ else f"{form}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{suffix}"'
    return answer


def _in_form(made: Report, form: str) -> bytes:
    return read_as(made, form) if form in TO_READ else zipped(compute_with(made, form))
