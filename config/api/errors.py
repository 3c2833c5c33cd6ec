"""Every error of the API in one envelope: code, message, and fields where they matter.

Codes are stable; messages are for people and may change.
"""

from typing import Any, Final

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from ledger.errors import LedgerError
from marketplace.domain.readings.file import ReadingsInvalid
from marketplace.errors import (
    Invalid,
    LimitExceeded,
    MarketplaceError,
    NotFound,
    RoleNotAllowed,
    UploadTooLarge,
)

STATUS_OF: Final[dict[type[Exception], int]] = {
    Invalid: 400,
    LimitExceeded: 403,
    NotFound: 404,
    RoleNotAllowed: 403,
    UploadTooLarge: 413,
}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an anticipated error; None lets an unanticipated one crash and be reported."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, DjangoPermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, MarketplaceError | LedgerError):
        answer = _anticipated(error)
    elif isinstance(error, ReadingsInvalid):
        answer = _bad_readings(error)
    elif isinstance(error, RequestDataTooBig):
        answer = Response({"code": "too_large", "message": "The request is too large."}, 413)
    elif isinstance(error, exceptions.APIException):
        answer = _framework(error)
    else:
        return None
    set_rollback()
    # Errors are JSON even where the answer would have been a file or a description.
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    return answer


def _anticipated(error: MarketplaceError | LedgerError) -> Response:
    status = next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), 409)
    message = str(error)
    if isinstance(error, MarketplaceError) and error.params:
        message = gettext(error.text).format(**error.params)
    elif isinstance(error, MarketplaceError):
        message = gettext(error.text)
    body: dict[str, object] = {"code": error.code, "message": message}
    if isinstance(error, Invalid):
        body["fields"] = {error.field: [message]}
    return Response(body, status=status)


def _bad_readings(error: ReadingsInvalid) -> Response:
    # Rows of a message are counted as JSON counts them; line 0 is the whole of it.
    field = f"readings[{error.line - 1}]" if error.line else "readings"
    message = f"{error.what}; {error.remedy}"
    body = {
        "code": "readings_invalid",
        "message": f"{field}: {message}",
        "fields": {field: [message]},
    }
    return Response(body, status=400)


def _framework(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        fields = detail if isinstance(detail, dict) else {"non_field_errors": detail}
        body = {"code": "invalid", "message": "Some fields are not valid.", "fields": fields}
    else:
        body = {"code": str(error.default_code), "message": str(error.detail)}
    return Response(body, status=error.status_code, headers=headers)
