"""Filters of statements and billing runs."""

from datetime import date

from django import template

from config.templatetags.figures import NOTHING, with_currency
from config.web import billing_words

register = template.Library()


@register.filter
def month_name(month: date) -> str:
    """Write a month in the reader's language."""
    return billing_words.month_name(month)


@register.filter
def minor(amount_minor: int | str | None, currency: str) -> str:
    """Write an amount in minor units with its currency; a template's "no value" is a text."""
    if not isinstance(amount_minor, int):
        return NOTHING
    return with_currency(billing_words.minor_text(amount_minor, currency), currency)
