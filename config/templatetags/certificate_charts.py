"""Certificates' technologies and states, in words of the reader's language."""

from django import template
from django.utils.translation import pgettext

from config.web.certificate_forms import TECHNOLOGY_WORDS

register = template.Library()


@register.filter
def technology(code: str) -> str:
    """Return a technology in words."""
    return str(TECHNOLOGY_WORDS[code])


@register.filter
def bundle_state(state: str) -> str:
    """Return what became of a bundle, in words."""
    words = {
        "active": pgettext("certificates", "held"),
        "cancelled": pgettext("certificates", "used"),
        "withdrawn": pgettext("certificates", "withdrawn"),
    }
    return words[state]
