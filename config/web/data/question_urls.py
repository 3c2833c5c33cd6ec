"""Addresses of questions with noise."""

from django.urls import path

from config.web.data import questions

urlpatterns = [
    path(
        "market/contracts/<int:contract_id>/questions",
        questions.questions,
        name="market_questions",
    ),
    path("market/questions/<int:query_id>/answer.csv", questions.answer_file, name="market_answer"),
]
