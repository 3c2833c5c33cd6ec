"""Kinds of notices; pages and mails have the words for each."""

from enum import StrEnum


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
