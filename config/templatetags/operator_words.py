"""Words of the operator's pages: ages, queues, tasks."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils.formats import number_format

from config.web.operator_pages.case_words import age_words
from config.web.operator_pages.lights import QUEUE_NAMES
from config.web.operator_pages.task_words import task_words

register = template.Library()


@register.filter
def age(since: datetime | None, now: datetime) -> str:
    """Write how long ago something was; empty for nothing."""
    return age_words(since, now)


@register.filter
def queue_name(name: str) -> str:
    """Write what waits in a queue."""
    return str(QUEUE_NAMES[name])


@register.filter
def task_name(name: str) -> str:
    """Write a task's name without where it lives; operators find it in the manual by it."""
    return name.rpartition(".")[2]


@register.filter
def task_deed(name: str) -> str:
    """Write what a task does."""
    return task_words(name)


@register.filter
def completeness(share: float) -> str:
    """Write how complete something is; never rounded up to all of it."""
    percent = Decimal(int(share * 1000)) / 10
    return f"{number_format(percent, decimal_pos=0 if share == 1 else 1)}\N{NO-BREAK SPACE}%"


@register.filter
def kilowatt(power_w: int | None) -> str:
    """Write a power in kW."""
    if power_w is None:
        return ""
    return f"{number_format(Decimal(power_w) / 1000, decimal_pos=1)}\N{NO-BREAK SPACE}kW"
