"""A day of the gap calendar in words, for those who do not see its colour."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from marketplace.queries.gaps import GapDay

register = template.Library()


@register.filter
def gap_words(day: GapDay) -> str:
    """Say how many readings of a day are there, and how many of them are no measurements."""
    if not day.expected and not day.present:
        return _("none expected")
    words = [
        _("%(present)d of %(expected)d readings")
        % {"present": day.present, "expected": day.expected}
    ]
    if day.estimated:
        words.append(_("%(number)d estimated") % {"number": day.estimated})
    if day.substituted:
        words.append(_("%(number)d substituted") % {"number": day.substituted})
    return pgettext("between parts of a list", ", ").join(words)
