"""Mails of joining: plain text, in the reader's language, each with one thing to do."""

import logging
from collections.abc import Mapping
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from marketplace.services.admissions import Decided

_log = logging.getLogger(__name__)


def send_link(*, email: str, token: str | None) -> bool:
    """Send the link that confirms an address, or say that it signs in already.

    Both are one mail, so that neither the page nor its time tells which.
    """
    link = address("join_confirm", token) if token else address("sign_in")
    template = "join/mail_link.txt" if token else "join/mail_known.txt"
    context = {"link": link, "reset": address("password_reset")}
    return _send(email, _("Joining Heliopolis"), template, context)


def send_invitation(*, email: str, token: str, organisation: str) -> bool:
    """Send the link by which somebody may act for an organisation."""
    context = {"link": address("invitation", token), "organisation": organisation}
    subject = _("You are invited to act for {organisation}").format(organisation=organisation)
    return _send(email, subject, "organisation/mail_invitation.txt", context)


def send_answer(decided: Decided, *, refusal: str = "", reason: str = "") -> bool:
    """Tell an applicant what became of their application."""
    with override(decided.language):
        is_member = decided.participant_id is not None
        subject = (
            _("You are a member of {place}") if is_member else _("Your application to {place}")
        ).format(place=decided.community_name)
        context = {
            "place": decided.community_name,
            "is_member": is_member,
            "refusal": refusal,
            "reason": reason,
            "link": address("join_state"),
        }
        return _send(decided.email, subject, "join/mail_answer.txt", context)


def address(name: str, *arguments: object) -> str:
    """Return the whole address of a page."""
    return settings.SITE_URL + reverse(name, args=arguments)


def _send(email: str, subject: str, template: str, context: Mapping[str, object]) -> bool:
    body = render_to_string(template, context)
    try:
        send_mail(" ".join(subject.split()), body, None, [email])
    except (OSError, SMTPException):
        _log.warning("a mail of joining could not be sent", exc_info=True)
        return False
    return True
