"""Scheduled work that needs both the marketplace and analytics."""

from celery import shared_task
from django.utils import timezone

from config.forward.standing_orders import place_due_standing_orders


@shared_task(name="config.forward.tasks.follow_forecasts", ignore_result=True)
def follow_forecasts(**_: object) -> None:
    """Let standing rules order what is expected. Safe twice, late, or on two hosts."""
    place_due_standing_orders(now=timezone.now())
