"""Choices of the city's pages in words."""

from collections.abc import Mapping, Sequence

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config.templatetags.figures import day_name
from config.web.city.chosen import Chosen
from marketplace.domain.data.licences import licence_of

register = template.Library()


@register.filter
def civil_days(chosen: Chosen) -> str:
    """Name the civil days of a choice as shortly as they can be told apart."""
    match chosen.kind:
        case "day":
            return day_name(chosen.first)
        case "month":
            return date_format(chosen.first, "YEAR_MONTH_FORMAT")
        case "year":
            return str(chosen.first.year)
        case _:
            return _("{first} to {last}").format(
                first=date_format(chosen.first, "DATE_FORMAT"),
                last=date_format(chosen.last, "DATE_FORMAT"),
            )


@register.filter
def licence_name(key: str) -> str:
    """Name a licence in the reader's language; those of the world by the name all know."""
    return _(licence_of(key).title)


@register.filter
def named(ids: Sequence[int], names: Mapping[int, str]) -> str:
    """Write the names of zones, one after the other."""
    return ", ".join(names[each] for each in ids if each in names)
