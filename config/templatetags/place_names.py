"""Names of communities in the reader's language."""

from django import template
from django.utils.translation import get_language

from marketplace.queries.pages import Place

register = template.Library()


@register.filter
def place_name(place: Place | None) -> str:
    """Return a community's name; nothing for somebody without a community."""
    return place.name_in(get_language() or "en") if place else ""
