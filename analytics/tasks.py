"""Scheduled work: every task may run twice, late, or on two hosts."""

from celery import shared_task
from django.utils import timezone

from analytics import services


@shared_task(name="analytics.tasks.roll_up_settled_intervals", ignore_result=True)
def roll_up_settled_intervals(**_: object) -> None:
    """Roll up what has settled since the last time; the rest waits for the next message."""
    services.roll_up_settled()
    services.roll_up_due_days(now=timezone.now())


@shared_task(name="analytics.tasks.note_final_days", ignore_result=True)
def note_final_days(**_: object) -> None:
    """Note which days no correction is possible of any more."""
    services.note_final_days(now=timezone.now())


@shared_task(name="analytics.tasks.make_due_forecasts", ignore_result=True)
def make_due_forecasts(**_: object) -> None:
    """Forecast for the communities whose readings have gone on since their last forecasts."""
    services.make_due_forecasts(now=timezone.now())


@shared_task(name="analytics.tasks.refresh_indicators", ignore_result=True)
def refresh_indicators(**_: object) -> None:
    """Make the city's figures from versions and looks that are new since the last time."""
    now = timezone.now()
    services.refresh_indicators(now=now)
    services.sample_stations(now=now)


@shared_task(name="analytics.tasks.release_figures", ignore_result=True)
def release_figures(**_: object) -> None:
    """Release days to planners and publish months that are due."""
    now = timezone.now()
    services.release_due_days(now=now)
    services.publish_due_figures(now=now)


@shared_task(name="analytics.tasks.revise_figures", ignore_result=True)
def revise_figures(**_: object) -> None:
    """Take up corrections of released days, if it is time for a batch of them."""
    services.revise_released_days(now=timezone.now())
