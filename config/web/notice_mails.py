"""What of the notices is mailed: one's own choice by topic, and the link that ends all of it."""

from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config.notices.mails import user_of_token
from config.notices.words import TOPICS
from marketplace.domain.notices import MailMode, Topic
from marketplace.queries.mailed_notices import get_mail_choice
from marketplace.services.notice_mails import set_mail_preference

MODES: Final = (
    (MailMode.AT_ONCE, gettext_lazy("at once")),
    (MailMode.DIGEST, gettext_lazy("in the digest")),
    (MailMode.NEVER, gettext_lazy("not by mail")),
)
_NEVER: Final = {topic.value: MailMode.NEVER.value for topic in Topic}


@dataclass(frozen=True)
class TopicRow:
    """A topic, and how it is mailed."""

    name: str
    label: str
    mode: MailMode


@require_http_methods(["GET", "HEAD", "POST"])
def mail_settings(request: HttpRequest) -> HttpResponse:
    """Show and change what of one's notices is mailed."""
    user_id = request.user.pk
    assert user_id is not None  # every view but the public ones has somebody signed in
    modes, digest_days = get_mail_choice(user_id=user_id)
    if request.method == "POST":
        known = {mode.value for mode in MailMode}
        chosen = {
            topic.value: asked if (asked := request.POST.get(topic, "")) in known else modes[topic]
            for topic in Topic
        }
        weekly = request.POST.get("digest_days") == "7"
        set_mail_preference(user_id=user_id, modes=chosen, digest_days=7 if weekly else 1)
        messages.success(request, _("Your choice is saved."))
        return redirect("mail_settings")
    return render(
        request,
        "notices/settings.html",
        {
            "address": request.user.get_username(),
            "topics": [TopicRow(topic.value, str(TOPICS[topic]), modes[topic]) for topic in Topic],
            "modes": MODES,
            "digest_days": digest_days,
        },
    )


# A mail program posts here by itself (RFC 8058) and knows no page of ours; the token is signed.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def mail_stop(request: HttpRequest, token: str) -> HttpResponse:
    """End all mails of notices to whom the link was sent."""
    user_id = user_of_token(token)
    if user_id is None:
        raise Http404
    if request.method == "POST":
        set_mail_preference(user_id=user_id, modes=_NEVER, digest_days=1)
    return render(request, "notices/stop.html", {"is_done": request.method == "POST"})
