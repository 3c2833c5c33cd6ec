"""Questions with noise over HTTP, under a contract of one's own."""

from itertools import product
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gate.errors import Refused
from gate.queries import PLACES, TIMES, Question
from marketplace.api.callers import own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.errors import N_, Invalid, NotFound
from marketplace.queries.data.questions import (
    QuestionLine,
    get_question,
    get_scope,
    list_questions,
)
from marketplace.services.data import queries


class QuestionBody(serializers.Serializer[Any]):
    """How many trips, by when and where."""

    first_day = serializers.CharField(help_text="ISO 8601, wall clock of the product.")
    last_day = serializers.CharField(help_text="Included.")
    by_time = serializers.ChoiceField(choices=TIMES)
    by_place = serializers.ChoiceField(choices=PLACES)
    area = serializers.CharField(help_text="Level of the product's areas.")
    from_areas = serializers.ListField(child=serializers.CharField(), default=list)
    to_areas = serializers.ListField(child=serializers.CharField(), default=list)


class QueryIn(serializers.Serializer[Any]):
    """A question and its price."""

    contract_id = serializers.IntegerField()
    question = QuestionBody()
    cost_micro_epsilon = serializers.IntegerField(help_text="Price in privacy, 1e-6 epsilon.")


class CellOut(serializers.Serializer[Any]):
    """A count with noise."""

    cell = serializers.ListField(child=serializers.CharField())
    count = serializers.IntegerField()


class QueryOut(serializers.Serializer[Any]):
    """A question with its answer."""

    id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    question = QuestionBody()
    cost_micro_epsilon = serializers.IntegerField(help_text="0: it was asked before.")
    state = serializers.ChoiceField(choices=["submitted", "answered", "refused"])
    refusal = serializers.CharField(help_text="contract_budget or product_budget.")
    columns = serializers.ListField(child=serializers.CharField())
    cells = CellOut(many=True)
    error_bar = serializers.IntegerField(
        allow_null=True, help_text="The true count lies within it, 95 times in 100."
    )
    asked_at = serializers.DateTimeField()


class QueryList(APIView):
    """Questions under your contracts."""

    @extend_schema(
        operation_id="data_queries_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(QueryOut),
    )
    def get(self, request: Request) -> Response:
        """List the questions of a contract of yours (`?contract=`), newest first."""
        text = request.query_params.get("contract", "")
        contract_id = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        if (
            get_scope(contract_id=contract_id, buyer_ids=own_ids(request), now=timezone.now())
            is None
        ):
            raise NotFound(N_("There is no such contract of yours."))
        return page_of(
            request,
            lambda before_id, limit: list_questions(
                contract_id=contract_id, before_id=before_id, limit=limit
            ),
            query_body,
        )

    @extend_schema(request=QueryIn, responses={201: QueryOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask; the answer comes in seconds, once the ledger has booked the price."""
        form = QueryIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        try:
            question = Question.from_json(asked["question"])
        except Refused as refused:
            field = str(refused.values.get("key", "question"))
            raise Invalid(field, refused.template, **refused.values) from refused
        own = own_ids(request)
        query_id = queries.ask(
            contract_id=asked["contract_id"],
            buyer_ids=own,
            question=question,
            cost_micro_epsilon=asked["cost_micro_epsilon"],
            now=timezone.now(),
        )
        return Response(_body(query_id, own), status=status.HTTP_201_CREATED)


class QueryDetail(APIView):
    """One question."""

    @extend_schema(responses=QueryOut)
    def get(self, request: Request, query_id: int) -> Response:
        """Return a question under a contract of yours, with its answer once it is there."""
        return Response(_body(query_id, own_ids(request)))


def query_body(line: QuestionLine) -> dict[str, Any]:
    """Write a question for the API."""
    cells = zip(product(*line.lattice.values), line.counts, strict=True) if line.counts else ()
    return dict(
        QueryOut(
            {
                **vars(line),
                "question": line.question.as_json(),
                "columns": line.lattice.columns,
                "cells": [{"cell": cell, "count": count} for cell, count in cells],
                "error_bar": line.bar,
            }
        ).data
    )


def _body(query_id: int, own: list[int]) -> dict[str, Any]:
    line = get_question(query_id=query_id, buyer_ids=own)
    if line is None:
        raise NotFound(N_("There is no such question of yours."))
    return query_body(line)
