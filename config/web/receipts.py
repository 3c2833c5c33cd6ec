"""The page on which everybody checks a receipt: public, and asking nobody anything."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.log.keys import KeyMissing, policy_text
from config.web.receipt_words import receipt_words

# Stricter than the other pages: what was checked here cannot be sent anywhere, not even to us.
# The language buttons of the frame need their form.
CHECK_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@login_not_required
@require_safe
def check(request: HttpRequest) -> HttpResponse:
    """Check a receipt in the reader's browser; nothing of it comes here."""
    try:
        policy = policy_text().decode(errors="replace")
    except KeyMissing:
        policy = ""  # no log yet, so no receipts; whoever has a policy of their own may paste it
    context = {"policy_text": policy, "words": receipt_words()}
    page = render(request, "receipts/check.html", context)
    page.headers["Content-Security-Policy"] = CHECK_POLICY
    return page
