"""The figures of a statement's line: as code, since a day has hundreds and a template is slow."""

from collections.abc import Iterator

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.templatetags.figures import NOTHING, kwh_exact, money_exact, price_figure
from marketplace.queries.statements import StatementLine

register = template.Library()


@register.simple_tag
def statement_cells(line: StatementLine, meter_id: int | None) -> SafeString:
    """Write the cells of a line; each figure leads to its reasons, where a meter alone has them."""
    interval = line.interval
    if meter_id is None or not interval.revision or line.is_pruned:
        return format_html_join("", '<td class="{}">{}</td>', _cells(line))
    why = format_html(
        '<a class="figure" data-why href="{}">',
        reverse("why", args=[interval.interval_id, meter_id]),
    )
    return format_html_join(
        "", '<td class="{}">{}{}</a></td>', ((css, why, text) for css, text in _cells(line))
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
