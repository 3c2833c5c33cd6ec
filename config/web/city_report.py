"""The city report as a download: what `manage.py report` writes, of the days a page shows."""

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.report.contents import make_report
from config.report.forms import TO_READ, compute_with, read_as, zipped
from config.web.city.chosen import choose
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
    """Answer with the report of the community and civil days that the address names."""
    persona = use_persona(request, participant_id, "planner")
    if form not in TYPES:
        raise Http404
    now = timezone.now()
    places = [persona.place] if persona.place else list_places()
    chosen = choose(request.GET, places, now, of_one=True)
    if chosen is None or chosen.place is None or chosen.known is None:
        raise Http404
    made = make_report(chosen.place, chosen.first, chosen.last, known=chosen.known, now=now)
    is_page = form in TO_READ
    content = read_as(made, form) if is_page else zipped(compute_with(made, form))
    answer = HttpResponse(content, content_type=TYPES[form])
    name = f"report-{chosen.place.community_id}-{chosen.first}-{chosen.last}"
    suffix = form if is_page else f"{form}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{suffix}"'
    return answer
