"""The page of notices: what happened that somebody waits for, newest first, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from config.web.personas import personas_of
from marketplace.domain.notices import NoticeKind
from marketplace.queries.notices import NoticeLine, list_notices
from marketplace.services.notices import mark_read

PAGE_ROWS: Final = 50


@dataclass(frozen=True)
class Words:
    """What a notice says, and where it leads: a page by name and the subject's key of its id."""

    text: str | Promise
    page: str = ""
    key: str = ""


K = NoticeKind
WORDS: Final[Mapping[NoticeKind, Words]] = {
    K.VERSION_READY: Words(
        gettext_lazy("“{title}” is published: version {number} is listed."),
        "market_product",
        "product",
    ),
    K.VERSION_REFUSED: Words(
        gettext_lazy("“{title}” was not published: the new version needs a change."),
        "market_product",
        "product",
    ),
    K.RAW_DELETED: Words(
        gettext_lazy("The raw upload for “{title}” was destroyed; only what was gated is kept."),
        "market_product",
        "product",
    ),
    K.WISH_MATCHED: Words(
        gettext_lazy("“{product_title}” was found for your request “{title}”."),
        "market_request",
        "wish",
    ),
    K.WISH_ANSWERED: Words(
        gettext_lazy("A seller answered your request “{title}”."), "market_request", "wish"
    ),
    K.DEMAND_MATCHED: Words(
        gettext_lazy("Somebody is looking for data like “{title}”."), "market_demand"
    ),
    K.CONTRACT_PROPOSED: Words(
        gettext_lazy("A buyer proposes a contract for “{title}”."), "market_contract", "contract"
    ),
    K.CONTRACT_AGREED: Words(
        gettext_lazy("The contract for “{title}” is signed by both."), "market_contract", "contract"
    ),
    K.CONTRACT_DECLINED: Words(
        gettext_lazy("The contract for “{title}” was declined."), "market_contract", "contract"
    ),
    K.CONTRACT_REVOKED: Words(
        gettext_lazy("The contract for “{title}” was revoked."), "market_contract", "contract"
    ),
    K.HOLD_REFUSED: Words(
        gettext_lazy("The wallet does not cover the price of “{title}”."),
        "market_contract",
        "contract",
    ),
    K.DELIVERY_OFFERED: Words(
        gettext_lazy("“{title}” can be downloaded now."), "market_delivery", "delivery"
    ),
    K.DELIVERY_KEY_OUT: Words(
        gettext_lazy("The key to “{title}” is there."), "market_delivery", "delivery"
    ),
    K.DELIVERY_LAPSED: Words(
        gettext_lazy("The delivery of “{title}” lapsed; the money is released."),
        "market_delivery",
        "delivery",
    ),
    K.SERVICE_BREACH: Words(
        gettext_lazy("“{title}” misses its promised service level."), "catalogue_product", "product"
    ),
    K.SERVICE_CREDIT: Words(
        gettext_lazy("A credit for a missed service level of “{title}” was booked."),
        "market_contract",
        "contract",
    ),
    K.DISPUTE_OPENED: Words(
        gettext_lazy("The buyer of “{title}” opened a dispute: the money is frozen."),
        "market_dispute",
        "dispute",
    ),
    K.DISPUTE_ANSWERED: Words(
        gettext_lazy("The seller of “{title}” answered your dispute."), "market_dispute", "dispute"
    ),
    K.DISPUTE_DECIDED: Words(
        gettext_lazy("The dispute about “{title}” is decided."), "market_dispute", "dispute"
    ),
    K.INVOICE_ISSUED: Words(
        gettext_lazy("There is a new invoice for “{title}”."), "market_invoices"
    ),
    K.BUDGET_USED_UP: Words(
        gettext_lazy("The privacy budget of “{title}” is used up."), "catalogue_product", "product"
    ),
    K.GATE_MISSED: Words(
        gettext_lazy("{day}: orders of yours were not in the auction when the gate closed."),
        "order_book",
        "participant",
    ),
    K.READING_GAP: Words(
        gettext_lazy("{day}: readings of your meter are missing; the day was settled without."),
        "member_gaps",
        "participant",
    ),
    K.STATEMENT_FINAL: Words(
        gettext_lazy("Your statement of {month} is final."), "month", "participant"
    ),
    K.UNUSUAL_PRICE: Words(
        gettext_lazy("{day}: the clearing price was far from what is usual here."),
        "community",
        "community",
    ),
    K.RULES_CHANGE: Words(
        gettext_lazy("The rules of {place} change on {day}."), "community", "community"
    ),
}


@dataclass(frozen=True)
class NoticeRow:
    """A notice as it is shown."""

    text: str
    url: str
    at: datetime
    is_read: bool


@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """Show the newest notices to whomever the person acts for, and note that they were seen."""
    own = [each.participant_id for each in personas_of(request)]
    before = request.GET.get("before", "")
    before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    lines = list_notices(participant_ids=own, before_id=before_id, limit=PAGE_ROWS + 1)
    shown = lines[:PAGE_ROWS]
    if shown and before_id is None and not all(each.is_read for each in shown):
        mark_read(participant_ids=own, up_to_id=shown[0].id, now=timezone.now())
    return render(
        request,
        "pages/notices.html",
        {
            "rows": [_row(each) for each in shown],
            "next_before": shown[-1].id if len(lines) > PAGE_ROWS else None,
        },
    )


def _row(line: NoticeLine) -> NoticeRow:
    words = WORDS[NoticeKind(line.kind)]
    subject: dict[str, Any] = {"title": "", **line.subject}
    arguments = [subject[words.key]] if words.key else []
    return NoticeRow(
        str(words.text).format_map(subject),
        reverse(words.page, args=arguments) if words.page else "",
        line.at,
        line.is_read,
    )
