"""Addresses of the catalogue: its pages, and its files for other catalogues."""

from django.urls import path

from config.web.data import catalogue, catalogue_changes, catalogue_files, catalogue_product

urlpatterns = [
    path("catalogue", catalogue.catalogue, name="catalogue"),
    path("catalogue/<int:product_id>", catalogue_product.product, name="catalogue_product"),
    path("catalogue/<int:product_id>/quality", catalogue_product.quality, name="catalogue_quality"),
    path(
        "catalogue/<int:product_id>/versions/<int:number>",
        catalogue_product.changes,
        name="catalogue_changes",
    ),
    path("catalog.ttl", catalogue_files.catalogue_turtle, name="catalogue_turtle"),
    path("catalog.jsonld", catalogue_files.catalogue_json_ld, name="catalogue_json_ld"),
    path("catalog.atom", catalogue_changes.catalogue_atom, name="catalogue_atom"),
    path("catalog.rss", catalogue_changes.catalogue_rss, name="catalogue_rss"),
]
