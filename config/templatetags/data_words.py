"""States of the data market in the reader's language."""

from django import template

from config.web.data_files import STATE_LABELS

register = template.Library()


@register.filter
def data_state(state: str) -> str:
    """Say how far a data match or a data request has come."""
    return str(STATE_LABELS[state])
