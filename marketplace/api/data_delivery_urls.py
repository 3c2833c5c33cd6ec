"""Addresses of deliveries below /api/v1/data/deliveries/."""

from django.urls import URLPattern, URLResolver, path

from marketplace.api import data_deliveries as views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.DeliveryList.as_view(), name="api_data_deliveries"),
    path("<int:delivery_id>/", views.DeliveryView.as_view(), name="api_data_delivery"),
    path(
        "<int:delivery_id>/manifest",
        views.DeliveryManifest.as_view(),
        name="api_data_delivery_manifest",
    ),
    path(
        "<int:delivery_id>/package",
        views.DeliveryPackage.as_view(),
        name="api_data_delivery_package",
    ),
    path(
        "<int:delivery_id>/origin", views.DeliveryOrigin.as_view(), name="api_data_delivery_origin"
    ),
    path(
        "<int:delivery_id>/reception",
        views.DeliveryReception.as_view(),
        name="api_data_delivery_reception",
    ),
    path(
        "<int:delivery_id>/acceptance",
        views.DeliveryAcceptance.as_view(),
        name="api_data_delivery_acceptance",
    ),
    path(
        "<int:delivery_id>/complaint",
        views.DeliveryComplaint.as_view(),
        name="api_data_delivery_complaint",
    ),
    path(
        "<int:delivery_id>/rewrap", views.DeliveryRewrap.as_view(), name="api_data_delivery_rewrap"
    ),
    path(
        "<int:delivery_id>/deposit",
        views.DeliveryDeposit.as_view(),
        name="api_data_delivery_deposit",
    ),
]
