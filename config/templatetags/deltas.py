"""A difference as a bar to the left or the right of nothing."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def delta_bar(value: int, largest: int) -> SafeString:
    """Draw a value against the largest of its column; the figure itself stands beside it."""
    share = 50 * abs(value) / largest if largest else 0
    left = 50 - share if value < 0 else 50
    return format_html(
        '<svg class="delta-bar" aria-hidden="true">'
        '<line x1="50%" x2="50%" y1="0" y2="100%"/>'
        '<rect class="{}" x="{}%" width="{}%" y="20%" height="60%"/></svg>',
        "loss" if value < 0 else "gain",
        f"{left:.2f}",
        f"{share:.2f}",
    )
