"""Addresses of publishing: a provider's products, uploads and versions."""

from django.urls import path

from config.web.data import products, publish, versions

urlpatterns = [
    path("market/products", products.products, name="market_products"),
    path("market/products/new", products.new_product, name="market_product_new"),
    path("market/products/<int:product_id>", products.product, name="market_product"),
    path("market/products/<int:product_id>/terms", products.terms, name="market_terms"),
    path("market/products/<int:product_id>/upload", publish.upload, name="market_upload"),
    path("market/products/<int:product_id>/fetch", products.fetch, name="market_fetch"),
    path("market/products/<int:product_id>/withdraw", products.withdraw, name="market_withdraw"),
    path("market/versions/<int:version_id>", versions.version, name="market_version"),
    path(
        "market/versions/<int:version_id>/progress",
        versions.progress,
        name="market_version_progress",
    ),
    path(
        "market/versions/<int:version_id>/confirm", versions.confirm, name="market_version_confirm"
    ),
    path(
        "market/versions/<int:version_id>/abandon", versions.abandon, name="market_version_abandon"
    ),
    path("market/versions/<int:version_id>/gate", versions.gate_again, name="market_version_gate"),
    path(
        "market/versions/<int:version_id>/changes", versions.changes, name="market_version_changes"
    ),
]
