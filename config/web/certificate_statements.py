"""The public statement of a cancellation: what was used, for whom, and the proof of it.

Its address cannot be guessed; whoever has it was shown it by somebody.
"""

from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.log.keys import is_attested_by_the_log_alone
from config.log.receipts import Find, found_receipt
from config.web.certificate_forms import TECHNOLOGY_WORDS
from ledger.domain.receipt_text import link_text
from ledger.services.receipts import PublishedLog, Receipt, ReceiptState, get_document_receipt
from marketplace.queries.certificate_pages import CancellationLine, get_cancellation

# What the receipt opens of the document: the hash of the statement, and how many Wh.
OPENED = ("statement", "wh")


@login_not_required
@require_safe
@never_cache
def statement(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Say what was cancelled, for what and for whom."""
    line = _found(public_id)
    receipt = found_receipt(_finder(line))
    chinese = (get_language() or "").startswith("zh") and line.community_local_name
    context: dict[str, object] = {
        "line": line,
        "community": chinese or line.community_name,
        "technologies": [(TECHNOLOGY_WORDS[name], wh) for name, wh in line.technologies.items()],
        "receipt": receipt,
        "is_attested": receipt is not None and receipt.state == ReceiptState.ATTESTED,
    }
    if receipt is not None and receipt.state == ReceiptState.ATTESTED:
        context["check_url"] = f"{reverse('receipt_check')}#{link_text(receipt.text)}"
        context["is_alone"] = is_attested_by_the_log_alone()
    with timezone.override(line.timezone):
        return render(request, "certificates/statement.html", context)


@login_not_required
@require_safe
@never_cache
def statement_file(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Hand out the statement's exact text: its SHA-256 is what the log has."""
    line = _found(public_id)
    if not line.statement:
        raise Http404
    answer = HttpResponse(line.statement, content_type="application/json; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="cancellation-{public_id}.json"'
    return answer


@login_not_required
@require_safe
@never_cache
def receipt_file(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Hand out the receipt of the cancellation's document."""
    found = found_receipt(_finder(_found(public_id)))
    if found is None or found.state != ReceiptState.ATTESTED:
        raise Http404
    answer = HttpResponse(found.text, content_type="text/plain; charset=utf-8")
    name = f"cancellation-{public_id}.tlog-proof"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _found(public_id: UUID) -> CancellationLine:
    line = get_cancellation(public_id=public_id)
    if line is None:
        raise Http404
    return line


def _finder(line: CancellationLine) -> Find:
    def find(log: PublishedLog) -> Receipt | None:
        return get_document_receipt(key=line.key, names=OPENED, log=log)

    return find
