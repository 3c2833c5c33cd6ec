"""The figures of a statement's line: as code, since a day has hundreds and a template is slow."""

from collections.abc import Iterator

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config.templatetags.figures import (
    NOTHING,
    kwh_exact,
    money_exact,
    price_figure,
    transfers_counted,
)
from marketplace.queries.statements import StatementLine

register = template.Library()


@register.simple_tag
def statement_cells(line: StatementLine, meter_id: int | None) -> SafeString:
    """Write the cells of a line; each figure leads to its reasons, where a meter alone has them."""
    interval = line.interval
    begin, end = "", ""
    if meter_id is not None and interval.revision and not line.is_pruned:
        why = reverse("why", args=[interval.interval_id, meter_id])
        begin, end = format_html('<a class="figure" data-why href="{}">', why), "</a>"
    # Nothing is left to escape: a cell is a number as `figures` writes it.
    return SafeString(
        "".join(f'<td class="{css}">{begin}{text}{end}</td>' for css, text in _cells(line))
    )


@register.simple_tag
def transfers_cell(line: StatementLine, participant_id: int) -> SafeString:
    """Write the cell that opens a line's transfers, or says why there are none."""
    interval = line.interval
    if line.is_pruned:
        return format_html('<td class="n">{}</td>', _("no longer kept"))
    if not line.transfer_count:
        nothing = 0 if interval.is_settled else _("not booked yet")
        return format_html('<td class="n">{}</td>', nothing)
    return format_html(
        '<td class="n"><a href="{0}" hx-get="{0}" hx-target="#detail-{1}">{2}</a></td>',
        reverse("statement_interval", args=[participant_id, interval.interval_id]),
        interval.interval_id,
        transfers_counted(line.transfer_count),
    )


def _cells(line: StatementLine) -> Iterator[tuple[str, str]]:
    """Yield the class and text of each cell; on a phone a line has its sum alone."""
    interval = line.interval
    yield "n wide-only", kwh_exact(interval.export_wh)
    yield "n wide-only", kwh_exact(interval.import_wh)
    yield "n wide-only", price_figure(interval.price_micro_per_kwh)
    yield "n wide-only", NOTHING if line.is_pruned else money_exact(line.pool_micro)
    yield "n wide-only", NOTHING if line.is_pruned else money_exact(line.grid_micro)
    yield "n", NOTHING if line.is_pruned else money_exact(line.net_micro)
