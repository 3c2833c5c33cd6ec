"""Headers that let a page run our own files only."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_HEADER = "Content-Security-Policy"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# The API's reader writes its own styles and starts itself from a line in its page.
API_READER_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)
API_READER_PATH = "/api/docs/"


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add the policy to every answer that has none of its own."""

    def add_policy(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        reader = request.path.startswith(API_READER_PATH)
        response.headers.setdefault(_HEADER, API_READER_POLICY if reader else PAGE_POLICY)
        return response

    return add_policy
