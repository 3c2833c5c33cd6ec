"""Mails of notices: what they say, and their sending."""

import logging
from datetime import datetime
from smtplib import SMTPException
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from config.notices.words import path_of, text_of
from marketplace.queries.mailed_notices import list_notices_of
from marketplace.services.notice_mails import (
    DueMail,
    claim_mails,
    note_failed,
    note_sent,
)

_log = logging.getLogger(__name__)
_UNSUBSCRIBE: Final = Signer(salt="no more mails of notices")


def send_due_mails(*, now: datetime) -> int:
    """Send the mails that wait, and return how many were taken by the mail server."""
    sent, failures = 0, []
    for due in claim_mails(now=now):
        try:
            message = compose(due)
            if message is not None:
                message.send()
        except (OSError, SMTPException):
            # The address stays out of the logs: who reads them need not know who reads mails.
            _log.warning("mail %d could not be sent and waits", due.id, exc_info=True)
            note_failed(mail_id=due.id, now=now)
        except Exception as failure:  # one mail that cannot be written must not hold up the others
            note_failed(mail_id=due.id, now=now)
            failures.append(failure)
        else:
            note_sent(mail_id=due.id)
            sent += 1
    if failures:
        raise ExceptionGroup("mails that could not be written", failures)
    return sent


def compose(due: DueMail) -> EmailMessage | None:
    """Return a mail in its reader's language; None where its notices are gone."""
    lines = list_notices_of(notice_ids=due.notice_ids)
    if not lines:
        return None
    with override(due.language):
        texts = [text_of(line) for line in lines]
        rows = [
            (text, settings.SITE_URL + path if (path := path_of(line)) else "")
            for text, line in zip(texts, lines, strict=True)
        ]
        if len(texts) == 1:
            subject = texts[0]
        else:
            words = ngettext(
                "{count} notice from the hall", "{count} notices from the hall", len(texts)
            )
            subject = words.format(count=len(texts))
        stop = settings.SITE_URL + reverse("mail_stop", args=[stop_token(due.user_id)])
        body = render_to_string(
            "notices/mail.txt",
            {
                "rows": rows,
                "is_digest": due.is_digest,
                "settings_url": settings.SITE_URL + reverse("mail_settings"),
                "stop_url": stop,
            },
        )
    return EmailMessage(
        # A line break in a title would end the header.
        subject=" ".join(f"{_('Heliopolis')}: {subject}".split()),
        body=body,
        to=[due.email],
        headers={
            # The same one when it has to be sent again, so that nobody is shown it twice.
            "Message-ID": f"<notice-{due.id}-{due.created_at:%Y%m%d%H%M%S}@{_host()}>",
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )


def stop_token(user_id: int) -> str:
    """Return what stands in the link that ends mails: nobody else can make it."""
    return _UNSUBSCRIBE.sign(str(user_id))


def user_of_token(token: str) -> int | None:
    """Return whose mails a link ends; None for a link we did not make."""
    try:
        return int(_UNSUBSCRIBE.unsign(token))
    except (BadSignature, ValueError):
        return None


def _host() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"
