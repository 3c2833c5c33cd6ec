"""Tables that become cards on a telephone: each cell says which column it stands in."""

import re
from collections.abc import Iterator
from typing import Final

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.utils.html import strip_tags
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_HEAD: Final = re.compile(r"<thead\b.*?</thead>", re.DOTALL)
_BODY: Final = re.compile(r"<(tbody|tfoot)\b.*?</\1>", re.DOTALL)
_COLUMN: Final = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
_MARK: Final = re.compile(r"<(tr|th|td)\b([^>]*)>")
_SPAN: Final = re.compile(r'colspan="(\d+)"')


class StackedTable(template.Node):
    """A table whose cells are labelled with the words of its last row of column heads."""

    def __init__(self, inside: NodeList) -> None:
        self.inside = inside

    def render(self, context: Context) -> SafeString:
        """Label the cells of what is inside."""
        return mark_safe(labelled(self.inside.render(context)))  # noqa: S308 - words are escaped


@register.tag
def stacked(parser: Parser, _token: Token) -> StackedTable:
    """Label each cell of a table with its column, so that its rows can become cards.

    ``{% stacked %}<table class="stack">...</table>{% endstacked %}``: rows become cards at 40 rem.
    A cell that spans columns or has a ``data-label`` of its own is left as it is.
    """
    inside = parser.parse(("endstacked",))
    parser.delete_first_token()
    return StackedTable(inside)


def labelled(markup: str) -> str:
    """Return the markup of one table with a ``data-label`` in each cell of body and foot."""
    head = _HEAD.search(markup)
    if head is None:
        return markup
    names = list(_column_names(head.group().rpartition("<tr")[2]))

    def label_part(part: re.Match[str]) -> str:
        column = 0

        def label_cell(mark: re.Match[str]) -> str:
            nonlocal column
            kind, attributes = mark.groups()
            if kind == "tr":
                column = 0
                return mark.group()
            spanned = _SPAN.search(attributes)
            at, column = column, column + (int(spanned.group(1)) if spanned else 1)
            if kind == "th" or spanned or "data-label" in attributes or at >= len(names):
                return mark.group()
            return f'<td{attributes} data-label="{names[at]}">' if names[at] else mark.group()

        return _MARK.sub(label_cell, part.group())

    return _BODY.sub(label_part, markup)


def _column_names(row: str) -> Iterator[str]:
    """Return the words of each column; one that spans several has its words once for each."""
    for attributes, words in _COLUMN.findall(row):
        spanned = _SPAN.search(attributes)
        # What Django escaped once is not escaped again, and no quote ends the attribute.
        plain = " ".join(strip_tags(words).split()).replace('"', "&quot;")
        yield from [plain] * (int(spanned.group(1)) if spanned else 1)
