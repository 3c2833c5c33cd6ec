"""Addresses of deliveries."""

from django.urls import path

from config.web.data import deliveries

urlpatterns = [
    path("market/deliveries", deliveries.deliveries, name="market_deliveries"),
    path("market/deliveries/<int:delivery_id>", deliveries.delivery, name="market_delivery"),
    path(
        "market/deliveries/<int:delivery_id>/origin",
        deliveries.sign_origin,
        name="market_delivery_origin",
    ),
    path(
        "market/deliveries/<int:delivery_id>/receive",
        deliveries.receive,
        name="market_delivery_receive",
    ),
    path(
        "market/deliveries/<int:delivery_id>/accept",
        deliveries.accept,
        name="market_delivery_accept",
    ),
    path("market/deliveries/<int:delivery_id>/file", deliveries.file, name="market_delivery_file"),
]
