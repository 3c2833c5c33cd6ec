"""Addresses of requests for data and of open demand."""

from django.urls import path

from config.web.data import wishes

urlpatterns = [
    path("market/requests", wishes.requests, name="market_requests"),
    path("market/requests/<int:wish_id>", wishes.request_page, name="market_request"),
    path("market/requests/<int:wish_id>/end", wishes.end, name="market_request_end"),
    path("market/demand", wishes.demand, name="market_demand"),
]
