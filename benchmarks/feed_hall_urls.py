"""The hall's addresses, and one that gives whoever is signed in the bytes of the feed."""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.feed_hall import body_of
from config.urls import urlpatterns as hall

_BODY = body_of(int(os.environ.get("BENCH_FEED_BYTES", "60000")))


def trivial(request: HttpRequest) -> HttpResponse:
    """Give the bytes; the middleware has looked for the session and its person before."""
    return HttpResponse(_BODY, content_type="application/json")


urlpatterns = [*hall, path("trivial", trivial, name="trivial")]
