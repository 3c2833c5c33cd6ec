"""Scheduled work: every task may run twice, late, or on two hosts."""

from celery import shared_task
from django.utils import timezone

from config.notices.mails import send_due_mails
from marketplace.services.notice_mails import LOOK_AT_ONCE, collect_digests, collect_mails


@shared_task(name="config.notices.tasks.mail_notices", ignore_result=True)
def mail_notices(**_: object) -> None:
    """Collect what is to be mailed and send it; what a mail server refuses waits."""
    now = timezone.now()
    while collect_mails(now=now) == LOOK_AT_ONCE:
        pass
    collect_digests(now=now)
    while send_due_mails(now=now):
        pass
