"""What every operation of the API's description shares: its errors, and repeatable writes."""

from typing import Any, Final

WRITES: Final = ("post", "put", "patch", "delete")
ERROR_SCHEMA: Final = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Stable; programs decide by it."},
        "message": {"type": "string", "description": "For people; may change."},
        "fields": {
            "type": "object",
            "additionalProperties": True,
            "description": "What is wrong, by field.",
        },
    },
}
READ_ERRORS: Final = {
    "400": "A parameter is not valid: `invalid`.",
    "401": "Nobody is signed in: `not_authenticated`, `authentication_failed`.",
    "403": "You may not do this: `permission_denied`, `role_not_allowed`.",
    "404": "There is no such thing, or it is not yours: `not_found`.",
    "405": "Not a method of this address: `method_not_allowed`.",
    "406": "Only JSON is spoken here: `not_acceptable`.",
    "429": "Too many requests: `throttled`.",
}
WRITE_ERRORS: Final = {
    **READ_ERRORS,
    "400": "The body is not JSON or not valid: `parse_error`, `invalid`, `readings_invalid`, "
    "`file_invalid`. Nothing was changed.",
    "409": "It contradicts what is there; the code says how, `key_reused` for one.",
    "413": "The body is too large: `too_large`.",
    "415": "The body must be application/json: `unsupported_media_type`.",
}
# A token is told once; its answer is never kept to be told again.
NOT_REPEATABLE: Final = ("/api/v1/me/token/",)
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "The same key with the same request brings the first answer again; with "
    "another request it is refused (409 `key_reused`).",
}


def add_shared_parts(
    result: dict[str, Any], generator: object, request: object, public: bool
) -> dict[str, Any]:
    """Add the error envelope to every operation, and the idempotency key to every write."""
    result["components"]["schemas"]["Error"] = ERROR_SCHEMA
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            is_write = method in WRITES
            for status, text in (WRITE_ERRORS if is_write else READ_ERRORS).items():
                operation["responses"].setdefault(status, {"description": text, "content": body})
            if is_write and path not in NOT_REPEATABLE and not _is_stream(operation):
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    return result


def _is_stream(operation: dict[str, Any]) -> bool:
    """Tell whether a body is taken in as it comes, and so is never read twice to compare it."""
    return "application/octet-stream" in operation.get("requestBody", {}).get("content", {})
