"""How the API reads a body: strict JSON, at most as deep and as long as anybody needs."""

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class JSONParser(BaseParser):
    """Strict JSON: no NaN, no broken text, no nesting without end."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Decode the body of the request.

        Raises
        ------
        ParseError
            If it is not JSON.
        """
        # By way of the request, which keeps the bytes for others and refuses too many of them.
        body: bytes = (parser_context or {})["request"].body
        try:
            return msgspec.json.decode(body)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ParseError(f"This is not JSON: {error}") from error
