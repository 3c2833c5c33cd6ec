"""Addresses of contracts."""

from django.urls import path

from config.web.data import contract_signing, contracts

urlpatterns = [
    path("market/contracts", contracts.contracts, name="market_contracts"),
    path("market/contracts/new", contract_signing.new, name="market_contract_new"),
    path("market/contracts/propose", contract_signing.propose, name="market_contract_propose"),
    path("market/contracts/key", contract_signing.signing_key, name="market_signing_key"),
    path("market/contracts/<int:contract_id>", contracts.contract, name="market_contract"),
    path(
        "market/contracts/<int:contract_id>/text",
        contracts.text_file,
        name="market_contract_text",
    ),
    path(
        "market/contracts/<int:contract_id>/policy",
        contracts.policy_file,
        name="market_contract_policy",
    ),
    path(
        "market/contracts/<int:contract_id>/accept",
        contract_signing.accept,
        name="market_contract_accept",
    ),
    path(
        "market/contracts/<int:contract_id>/close",
        contract_signing.close,
        name="market_contract_close",
    ),
    path(
        "market/contracts/<int:contract_id>/revoke",
        contract_signing.revoke,
        name="market_contract_revoke",
    ),
]
