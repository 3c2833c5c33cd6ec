"""Kinds of notices, their topics, and what is mailed of them; pages and mails have the words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class NoticeKind(StrEnum):
    """What a notice says; its subject names the rows by id, and titles as they were."""

    VERSION_READY = "version_ready"
    VERSION_REFUSED = "version_refused"
    RAW_DELETED = "raw_deleted"
    WISH_MATCHED = "wish_matched"
    WISH_ANSWERED = "wish_answered"
    DEMAND_MATCHED = "demand_matched"
    CONTRACT_PROPOSED = "contract_proposed"
    CONTRACT_AGREED = "contract_agreed"
    CONTRACT_DECLINED = "contract_declined"
    CONTRACT_REVOKED = "contract_revoked"
    HOLD_REFUSED = "hold_refused"
    DELIVERY_OFFERED = "delivery_offered"
    DELIVERY_KEY_OUT = "delivery_key_out"
    DELIVERY_LAPSED = "delivery_lapsed"
    SERVICE_BREACH = "service_breach"
    SERVICE_CREDIT = "service_credit"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_ANSWERED = "dispute_answered"
    DISPUTE_DECIDED = "dispute_decided"
    INVOICE_ISSUED = "invoice_issued"
    BUDGET_USED_UP = "budget_used_up"
    GATE_MISSED = "gate_missed"
    READING_GAP = "reading_gap"
    STATEMENT_FINAL = "statement_final"
    UNUSUAL_PRICE = "unusual_price"
    RULES_CHANGE = "rules_change"
    JOINED = "joined"
    CREDIT_LIMIT = "credit_limit"


# How often a mail is tried before it waits for somebody to say that it may be tried again.
MAIL_TRIES: Final = 10


class Topic(StrEnum):
    """What people choose by; each kind of notice belongs to one."""

    GATE = "gate"
    READINGS = "readings"
    STATEMENTS = "statements"
    PRICES = "prices"
    RULES = "rules"
    CONTRACTS = "contracts"
    DELIVERIES = "deliveries"
    SERVICE = "service"
    REQUESTS = "requests"
    PUBLISHING = "publishing"
    MONEY = "money"
    DISPUTES = "disputes"


class MailMode(StrEnum):
    """When notices of a topic are mailed. On their page they stand in any case."""

    AT_ONCE = "at_once"
    DIGEST = "digest"
    NEVER = "never"


_KINDS: Final[Mapping[Topic, tuple[NoticeKind, ...]]] = {
    Topic.GATE: (NoticeKind.GATE_MISSED,),
    Topic.READINGS: (NoticeKind.READING_GAP,),
    Topic.STATEMENTS: (NoticeKind.STATEMENT_FINAL,),
    Topic.PRICES: (NoticeKind.UNUSUAL_PRICE,),
    Topic.RULES: (NoticeKind.RULES_CHANGE, NoticeKind.JOINED),
    Topic.CONTRACTS: (
        NoticeKind.CONTRACT_PROPOSED,
        NoticeKind.CONTRACT_AGREED,
        NoticeKind.CONTRACT_DECLINED,
        NoticeKind.CONTRACT_REVOKED,
    ),
    Topic.DELIVERIES: (
        NoticeKind.DELIVERY_OFFERED,
        NoticeKind.DELIVERY_KEY_OUT,
        NoticeKind.DELIVERY_LAPSED,
    ),
    Topic.SERVICE: (NoticeKind.SERVICE_BREACH, NoticeKind.SERVICE_CREDIT),
    Topic.REQUESTS: (
        NoticeKind.WISH_MATCHED,
        NoticeKind.WISH_ANSWERED,
        NoticeKind.DEMAND_MATCHED,
    ),
    Topic.PUBLISHING: (
        NoticeKind.VERSION_READY,
        NoticeKind.VERSION_REFUSED,
        NoticeKind.RAW_DELETED,
        NoticeKind.BUDGET_USED_UP,
    ),
    Topic.MONEY: (
        NoticeKind.HOLD_REFUSED,
        NoticeKind.INVOICE_ISSUED,
        NoticeKind.CREDIT_LIMIT,
    ),
    Topic.DISPUTES: (
        NoticeKind.DISPUTE_OPENED,
        NoticeKind.DISPUTE_ANSWERED,
        NoticeKind.DISPUTE_DECIDED,
    ),
}
TOPIC_OF: Final[Mapping[NoticeKind, Topic]] = {
    kind: topic for topic, kinds in _KINDS.items() for kind in kinds
}
# Where somebody else waits for an answer, or money stands still, a day is too long.
_AT_ONCE: Final = (Topic.CONTRACTS, Topic.DELIVERIES, Topic.DISPUTES, Topic.MONEY)
USUAL_MODES: Final[Mapping[Topic, MailMode]] = {
    topic: MailMode.AT_ONCE if topic in _AT_ONCE else MailMode.DIGEST for topic in Topic
}


def modes_of(chosen: Mapping[str, str]) -> dict[Topic, MailMode]:
    """Return how each topic is mailed: as chosen, and as usual where nothing was."""
    return {
        topic: MailMode(chosen[topic]) if topic in chosen else usual
        for topic, usual in USUAL_MODES.items()
    }


def kinds_mailed(modes: Mapping[Topic, MailMode], mode: MailMode) -> frozenset[NoticeKind]:
    """Return the kinds of notices that are mailed in one way."""
    return frozenset(kind for kind, topic in TOPIC_OF.items() if modes[topic] == mode)
