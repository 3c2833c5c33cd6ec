"""Pages travel packed: markup and pictures as text shrink to a fifth and less."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

PACKED: Final = "text/html"


def pack_pages(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Pack whole pages for browsers that ask for it; files, streams and the API stay as they are.

    A page may repeat what a visitor wrote beside a secret, and its length could tell (BREACH):
    so the form token is masked anew in each answer, and Django adds up to 100 random bytes.
    """
    gzip = GZipMiddleware(get_response)

    def pack(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith(PACKED)
        if not is_page or not isinstance(response, HttpResponse):
            return response
        return gzip.process_response(request, response)

    return pack
