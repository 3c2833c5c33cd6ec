"""Words of an application: roles, meters, rules."""

from django import template

from config.web.join.forms import METER_KINDS, RULES
from config.web.join.texts import find_text
from config.web.shell import ROLE_NAMES
from marketplace.queries.applications import Consent

register = template.Library()


@register.filter
def role_name(role: str) -> str:
    """Write a role as people call it."""
    return str(ROLE_NAMES.get(role, "–"))


@register.filter
def meter_kind(kind: str) -> str:
    """Write how a meter is read."""
    return str(METER_KINDS.get(kind, "–"))


@register.filter
def rule_choice(rule: str) -> str:
    """Write which rule a metering point is to begin with."""
    return str(RULES.get(rule, "–"))


@register.filter
def text_title(consent: Consent) -> str:
    """Write which version of which text somebody agreed to."""
    found = find_text(consent.slug, consent.version)
    return f"{found.title if found else consent.slug} {consent.version}"
