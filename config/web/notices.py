"""The page of notices: what happened that somebody waits for, newest first, each with its place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from config.notices.words import path_of, text_of
from config.web.personas import personas_of
from marketplace.queries.notices import NoticeLine, list_notices
from marketplace.services.notices import mark_read

PAGE_ROWS: Final = 50


@dataclass(frozen=True)
class NoticeRow:
    """A notice as it is shown."""

    text: str
    url: str
    at: datetime
    is_read: bool


@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """Show the newest notices to whomever the person acts for, and note that they were seen."""
    own = [each.participant_id for each in personas_of(request)]
    before = request.GET.get("before", "")
    before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    lines = list_notices(participant_ids=own, before_id=before_id, limit=PAGE_ROWS + 1)
    shown = lines[:PAGE_ROWS]
    if shown and before_id is None and not all(each.is_read for each in shown):
        mark_read(participant_ids=own, up_to_id=shown[0].id, now=timezone.now())
    return render(
        request,
        "pages/notices.html",
        {
            "rows": [_row(each) for each in shown],
            "next_before": shown[-1].id if len(lines) > PAGE_ROWS else None,
        },
    )


def _row(line: NoticeLine) -> NoticeRow:
    return NoticeRow(text_of(line), path_of(line), line.at, line.is_read)
