"""The page of questions with noise: what is left of the budget, one question, the answers."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from config.web.data.acting import accepted, buyer_of, own_ids
from config.web.data.wish_forms import Complaining
from config.web.data.words import area_label
from gate.errors import Refused
from gate.queries import PLACES, TIMES, Question
from marketplace.domain.spreadsheet import plain_text
from marketplace.errors import Invalid
from marketplace.queries.data.questions import (
    QuestionLine,
    QuestionScope,
    get_question,
    get_scope,
    list_questions,
)
from marketplace.services.data import queries

MICRO: Final = 10**6
ROWS_SHOWN: Final = 60
TIME_LABELS: Final = {
    "all": gettext_lazy("not by time"),
    "hour-of-day": gettext_lazy("by hour of the day"),
    "weekday": gettext_lazy("by day of the week"),
    "day": gettext_lazy("by day"),
    "month": gettext_lazy("by month"),
}
PLACE_LABELS: Final = {
    "all": gettext_lazy("not by place"),
    "from": gettext_lazy("by where it starts"),
    "to": gettext_lazy("by where it ends"),
    "from-to": gettext_lazy("by where it starts and ends"),
}
COLUMN_LABELS: Final = {
    "time": gettext_lazy("Time"),
    "from": gettext_lazy("From"),
    "to": gettext_lazy("To"),
}
STATE_LABELS: Final = {
    "submitted": gettext_lazy("being answered"),
    "answered": gettext_lazy("answered"),
    "refused": gettext_lazy("refused"),
}
REFUSAL_LABELS: Final = {
    queries.CONTRACT_BUDGET: gettext_lazy("What is left of your privacy budget does not cover it."),
    queries.PRODUCT_BUDGET: gettext_lazy(
        "The product's privacy budget, which all buyers share, is used up."
    ),
}
PRICES: Final = {
    10_000: "0.01",
    50_000: "0.05",
    100_000: "0.1",
    200_000: "0.2",
    500_000: "0.5",
    MICRO: "1",
}


class QuestionForm(Complaining):
    """One question; the product says which areas there are."""

    first_day = forms.DateField(
        label=gettext_lazy("First day"), widget=forms.DateInput(attrs={"type": "date"})
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"), widget=forms.DateInput(attrs={"type": "date"})
    )
    by_time = forms.ChoiceField(
        label=gettext_lazy("Counted"), choices=[(each, TIME_LABELS[each]) for each in TIMES]
    )
    by_place = forms.ChoiceField(
        label=gettext_lazy("and"), choices=[(each, PLACE_LABELS[each]) for each in PLACES]
    )
    area = forms.ChoiceField(label=gettext_lazy("Areas"))
    cost = forms.TypedChoiceField(
        label=gettext_lazy("Price in privacy"),
        choices=list(PRICES.items()),
        coerce=int,
        initial=100_000,
        help_text=gettext_lazy("Half the price makes the error bar twice as wide."),
    )

    def __init__(self, *args: Any, scope: QuestionScope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        area = self.fields["area"]
        assert isinstance(area, forms.ChoiceField)
        area.choices = [(level, level) for level in scope.levels]
        self.fields["first_day"].initial = scope.first_day
        self.fields["last_day"].initial = scope.last_day

    def question(self) -> Question:
        """Return the question; raises `Invalid` where it is none."""
        clean = self.cleaned_data
        try:
            return Question(
                clean["first_day"],
                clean["last_day"],
                clean["by_time"],
                clean["by_place"],
                clean["area"],
            )
        except Refused as refused:
            field = str(refused.values.get("key", "question"))
            raise Invalid(field, refused.template, **refused.values) from refused


@dataclass(frozen=True)
class QuestionRow:
    """A question with its words and the first rows of its answer."""

    line: QuestionLine
    words: str
    price: str
    state: str
    refusal: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], int], ...]
    more_count: int


@require_http_methods(["GET", "POST"])
def questions(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Show a contract's questions and answers, and let its buyer ask another."""
    persona = buyer_of(request)
    scope = get_scope(
        contract_id=contract_id, buyer_ids=[persona.participant_id], now=timezone.now()
    )
    if scope is None:
        raise Http404
    form = QuestionForm(request.POST or None, scope=scope)
    if request.method == "POST" and form.is_valid():

        def ask() -> None:
            queries.ask(
                contract_id=contract_id,
                buyer_ids=[persona.participant_id],
                question=form.question(),
                cost_micro_epsilon=form.cleaned_data["cost"],
                now=timezone.now(),
            )

        if accepted(request, form, ask):
            messages.success(request, _("Asked: the answer comes in a few seconds."))
            return redirect("market_questions", contract_id)
    lines = list_questions(contract_id=contract_id)
    return render(
        request,
        "market/questions.html",
        {
            "persona": persona,
            "scope": scope,
            "left": _epsilon(scope.left_micro_epsilon),
            "granted": _epsilon(scope.granted_micro_epsilon),
            "share": 100 * scope.left_micro_epsilon // scope.granted_micro_epsilon,
            "form": form,
            "rows": [_row(each) for each in lines],
            "is_waiting": any(each.state == "submitted" for each in lines),
        },
        status=400 if form.is_bound and form.errors else 200,
    )


@require_GET
def answer_file(request: HttpRequest, query_id: int) -> HttpResponse:
    """Hand out an answer as CSV, each count with its error bar."""
    line = get_question(query_id=query_id, buyer_ids=own_ids(request))
    if line is None or not line.counts:
        raise Http404
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*line.lattice.columns, "count_with_noise", "error_bar_95"])
    for cell, number in _cells(line):
        writer.writerow([*map(plain_text, cell), number, line.bar])
    return HttpResponse(
        text.getvalue(),
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="answer-{query_id}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


def _row(line: QuestionLine) -> QuestionRow:
    cells = list(_cells(line)) if line.counts else []
    asked = line.question
    return QuestionRow(
        line,
        _("Trips from {first_day} to {last_day}, {by_time}, {by_place} ({area})").format(
            first_day=asked.first_day,
            last_day=asked.last_day,
            by_time=TIME_LABELS[asked.by_time],
            by_place=PLACE_LABELS[asked.by_place],
            area=asked.area,
        ),
        _epsilon(line.cost_micro_epsilon),
        str(STATE_LABELS[line.state]),
        str(REFUSAL_LABELS.get(line.refusal, "")),
        tuple(str(COLUMN_LABELS[each]) for each in line.lattice.columns),
        tuple(
            (tuple(area_label(each) for each in cell), number)
            for cell, number in cells[:ROWS_SHOWN]
        ),
        max(0, len(cells) - ROWS_SHOWN),
    )


def _cells(line: QuestionLine) -> Iterator[tuple[tuple[str, ...], int]]:
    return zip(product(*line.lattice.values), line.counts, strict=True)


def _epsilon(micro: int) -> str:
    return f"{Decimal(micro).scaleb(-6).normalize():f}"
