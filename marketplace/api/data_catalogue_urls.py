"""Addresses of the catalogue, below ``data/catalogue/``."""

from django.urls import path

from marketplace.api import data_catalogue

urlpatterns = [
    path("", data_catalogue.Catalogue.as_view(), name="api_data_catalogue"),
    path(
        "<int:product_id>/",
        data_catalogue.CatalogueProduct.as_view(),
        name="api_data_catalogue_product",
    ),
]
