"""What each kind of notice says, on its page and in a mail, and where it leads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy

from marketplace.domain.notices import NoticeKind, Topic
from marketplace.queries.notices import NoticeLine


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
        "expected",
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
    K.CREDIT_LIMIT: Words(
        gettext_lazy("Your credit limit was changed: {reason}"), "statement", "participant"
    ),
    K.JOINED: Words(gettext_lazy("Welcome: you are a member of {place}."), "join_state"),
}
T = Topic
TOPICS: Final[Mapping[Topic, str | Promise]] = {
    T.GATE: gettext_lazy("Gate closure missed"),
    T.READINGS: gettext_lazy("Gaps in my readings"),
    T.STATEMENTS: gettext_lazy("Statements that became final"),
    T.PRICES: gettext_lazy("Unusual prices"),
    T.RULES: gettext_lazy("Changes of the rules"),
    T.CONTRACTS: gettext_lazy("Contracts for data: proposed, signed, ended"),
    T.DELIVERIES: gettext_lazy("Deliveries of data that are ready"),
    T.SERVICE: gettext_lazy("Missed service levels and credits"),
    T.REQUESTS: gettext_lazy("Answers to requests, and demand for my data"),
    T.PUBLISHING: gettext_lazy("Publishing: versions, uploads, privacy budgets"),
    T.MONEY: gettext_lazy("Invoices, credit limits, and money that is missing"),
    T.DISPUTES: gettext_lazy("Disputes"),
}


def text_of(line: NoticeLine) -> str:
    """Return what a notice says, in the reader's language."""
    subject: dict[str, Any] = {"title": "", **line.subject}
    chinese = (get_language() or "").startswith("zh")
    for key, form in (
        ("day", "Y年n月j日" if chinese else "j F Y"),
        ("month", "Y年n月" if chinese else "F Y"),
    ):
        if key in subject:
            subject[key] = date_format(date.fromisoformat(subject[key]), form)
    if chinese and subject.get("local_place"):
        subject["place"] = subject["local_place"]
    return str(WORDS[NoticeKind(line.kind)].text).format_map(subject)


def path_of(line: NoticeLine) -> str:
    """Return the page a notice leads to; empty if there is none."""
    words = WORDS[NoticeKind(line.kind)]
    arguments = [line.subject[words.key]] if words.key else []
    return reverse(words.page, args=arguments) if words.page else ""
