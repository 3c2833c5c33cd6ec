"""Pages of the forward market."""

from django.urls import path

from config.web import halts, order_book

urlpatterns = [
    path("enterprise/<int:participant_id>/orders/", order_book.order_book, name="order_book"),
    path(
        "enterprise/<int:participant_id>/orders/live",
        order_book.order_book_live,
        name="order_book_live",
    ),
    path(
        "enterprise/<int:participant_id>/orders/<int:order_id>/cancel",
        order_book.order_cancel,
        name="order_cancel",
    ),
    path("operator/<int:participant_id>/halts/", halts.trading_halts, name="trading_halts"),
    path(
        "operator/<int:participant_id>/halts/<int:halt_id>/lift",
        halts.trading_halt_lift,
        name="trading_halt_lift",
    ),
]
