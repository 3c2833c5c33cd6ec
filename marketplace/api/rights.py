"""What each write of the API needs of whoever acts for a participant; a test compares with the map.

Everything that is not named here only owners may do.
"""

from collections.abc import Mapping
from typing import Final

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from marketplace.domain.organisations import Right

_TRADE: Final = (
    "api_readings",
    "api_standing_rule",
    "api_agreements",
    "api_agreement_accept",
    "api_agreement_close",
    "api_agreement_end",
    "api_orders",
    "api_orders_cancel",
    "api_order_cancel",
    "api_halts",
    "api_halt_lift",
    "api_certificate_handovers",
    "api_cancellations",
    "api_devices",
    "api_data_products",
    "api_data_product",
    "api_data_product_list",
    "api_data_product_withdraw",
    "api_data_uploads",
    "api_data_fetch",
    "api_data_home_versions",
    "api_data_version_confirm",
    "api_data_version_again",
    "api_data_version_abandon",
    "api_data_home_package",
    "api_data_contracts",
    "api_data_contract_draft",
    "api_data_contract_accept",
    "api_data_contract_close",
    "api_data_contract_revocation",
    "api_data_queries",
    "api_data_wishes",
    "api_data_wish_end",
    "api_data_demand",
    "api_data_delivery_origin",
    "api_data_delivery_reception",
    "api_data_delivery_acceptance",
    "api_data_delivery_complaint",
    "api_data_delivery_rewrap",
    "api_data_delivery_deposit",
    "api_data_feed_credentials",
    "api_data_feed_credential_revoke",
)
_PAY: Final = (
    "api_data_charge_retry",
    "api_data_charge_dispute",
    "api_data_dispute_answer",
    "api_data_dispute_concede",
    "api_data_dispute_take_back",
    "api_data_dispute_decide",
    "api_deposits",
)
_MANAGE: Final = ("api_signing_key", "api_data_product_policy")
RIGHTS: Final[Mapping[str, Right]] = {
    "api_what_ifs": Right.LOOK,
    **dict.fromkeys(_TRADE, Right.TRADE),
    **dict.fromkeys(_PAY, Right.PAY),
    **dict.fromkeys(_MANAGE, Right.MANAGE),
}
# Writes that are nobody's but the person's own, whomever they act for.
PERSONAL: Final = ("api_my_token",)


def right_of(request: Request) -> Right:
    """Return what a request needs: to look, or what its address is listed under."""
    if request.method in SAFE_METHODS:
        return Right.LOOK
    match = request.resolver_match
    return RIGHTS.get((match.url_name if match else None) or "", Right.MANAGE)
