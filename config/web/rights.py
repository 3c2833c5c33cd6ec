"""What each page's button needs of whoever acts for a participant; a test compares with the map.

Everything that is not named here only owners may do.
"""

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest

from marketplace.domain.organisations import Right

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_LOOK: Final = ("comparison", "what_if", "organisation_leave")
_TRADE: Final = (
    "rule",
    "accept_rule",
    "revoke_rule",
    "agreements",
    "propose_agreement",
    "agreement_step",
    "certificates",
    "order_book",
    "order_cancel",
    "trading_halts",
    "trading_halt_lift",
    "operator_alert",
    "operator_entries",
    "operator_mails",
    "market_contract_new",
    "market_contract_propose",
    "market_contract_accept",
    "market_contract_close",
    "market_contract_revoke",
    "market_feed",
    "market_feed_revoke",
    "market_delivery_origin",
    "market_delivery_receive",
    "market_delivery_accept",
    "market_product_new",
    "market_terms",
    "market_upload",
    "market_fetch",
    "market_withdraw",
    "market_version_confirm",
    "market_version_abandon",
    "market_version_gate",
    "market_questions",
    "market_requests",
    "market_request_end",
    "market_demand",
)
_PAY: Final = (
    "billing",
    "billing_final",
    "operator_credit_member",
    "market_charge_again",
    "market_dispute_new",
    "market_dispute_answer",
    "market_dispute_concede",
    "market_dispute_take_back",
    "market_dispute_decide",
)
_MANAGE: Final = (
    "rule_sets",
    "rule_draft",
    "signing_key",
    "market_signing_key",
    "applications",
    "application_decide",
    "organisation",
    "organisation_key",
    "organisation_person",
    "organisation_uninvite",
    "forget",
    "keep",
    "erasures",
)
RIGHTS: Final[Mapping[str, Right]] = {
    **dict.fromkeys(_LOOK, Right.LOOK),
    **dict.fromkeys(_TRADE, Right.TRADE),
    **dict.fromkeys(_PAY, Right.PAY),
    **dict.fromkeys(_MANAGE, Right.MANAGE),
}
# Acts of a person, or of somebody who has not signed in: no participant is bound by them.
PERSONAL: Final = (
    "join",
    "join_confirm",
    "join_step",
    "join_state",
    "join_try",
    "invitation",
    "log_cosignatures",
    "log_objections",
    "mail_settings",
    "mail_stop",
    "password_reset",
    "password_reset_confirm",
    "set_language",
    "sign_in",
    "sign_out",
)


# To look is one thing; to carry off everything of all years in one file is another, and whoever
# answers for the participant decides on it.
OWNERS_READ: Final = ("own_data",)


def right_of(request: HttpRequest) -> Right:
    """Return what a request needs: to look, or what its address is listed under."""
    match = request.resolver_match
    deed = (match.url_name if match else None) or ""
    if request.method in _SAFE and deed not in OWNERS_READ:
        return Right.LOOK
    return right_to(deed)


def right_to(deed: str) -> Right:
    """Return what sending something to an address needs, by the address's name."""
    return RIGHTS.get(deed, Right.MANAGE)
