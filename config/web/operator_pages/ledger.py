"""The operator's ledger page: head, growth, lag, checkpoint, cosigners, objections, tiles."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from config.log.page import log_context
from config.web import charts
from config.web.chart_cards import ChartCard
from config.web.operator_pages.case_words import age_words
from config.web.personas import use_persona
from ledger.domain.tiles import TILE_WIDTH
from ledger.queries import get_worker_health
from ledger.queries.progress import LogHour, get_unattested_since, list_log_hours
from marketplace.queries.operations import get_last_verification

HOURS: Final = 24


@require_safe
def operator_ledger(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show who writes, how the log grows, how far it is attested, and what was verified when."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    health = get_worker_health()
    since = get_unattested_since()
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = list_log_hours(since=hour - timedelta(hours=HOURS - 1))
    context: dict[str, Any] = {
        "persona": persona,
        "now": now,
        "health": health,
        "worker_is_alive": health.lease_until is not None and health.lease_until > now,
        "lag": age_words(health.oldest_pending_at, now),
        "unattested": age_words(since, now),
        "growth": _growth(hours, hour),
        "verification": get_last_verification(),
        **log_context(),
    }
    size = context["log_status"].signed_size
    context["tile_count"] = _count_tiles(size)
    context["folder_is_there"] = settings.LOG_FOLDER.is_dir()
    return render(request, "operator/ledger.html", context)


def _growth(hours: Sequence[LogHour], last: datetime) -> ChartCard:
    """Draw the commands of each hour; an hour without a block has none, which is a true zero."""
    known = {hour.starts_at: hour for hour in hours}
    slots, values, rows = [], [], []
    for back in range(HOURS - 1, -1, -1):
        at = last - timedelta(hours=back)
        hour = known.get(at)
        count = hour.command_count if hour else 0
        slots.append(charts.Slot(f"{at:%H:%M}", f"{at:%H:%M}" if at.hour % 6 == 0 else ""))
        values.append(float(count))
        rows.append(
            (
                f"{at:%m-%d %H:%M}",
                str(hour.block_count if hour else 0),
                str(count),
                str(hour.transfer_count if hour else 0),
                str(hour.leaf_count if hour else 0),
            )
        )
    total = sum(int(value) for value in values)
    title = ngettext(
        "{count} command was answered in the last 24 hours",
        "{count} commands were answered in the last 24 hours",
        total,
    ).format(count=number_format(total, force_grouping=True))
    words = charts.Words(title, _("Commands by hour (UTC)"), "")
    series = [charts.Series(_("Commands"), "grid", values)]
    return ChartCard(
        "growth",
        title,
        charts.stacked_bars(slots, series, [], words),
        [_("Hour (UTC)"), _("Blocks"), _("Commands"), _("Transfers"), _("Entries")],
        rows,
        _("Counted in the blocks of the ledger; an hour without a block has zero."),
    )


def _count_tiles(size: int) -> int:
    """Return how many files a log of a size has: bundles of entries, and tiles of each level."""
    count = -(-size // TILE_WIDTH)
    while size:
        count += -(-size // TILE_WIDTH)
        size //= TILE_WIDTH
    return count
