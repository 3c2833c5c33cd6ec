"""The description of the API says what the API does."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests.api.test_closed import api_routes


@pytest.fixture
def schema(charlie: Client) -> dict[str, Any]:
    described: dict[str, Any] = charlie.get("/api/schema/?format=json").json()
    return described


def test_it_is_valid_and_no_warning_was_needed(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "api"))
    assert (tmp_path / "api").read_text().startswith("openapi: 3")


def test_it_is_complete(schema: dict[str, Any]) -> None:
    described = {re.sub(r"\{\w+\}", "1", path) for path in schema["paths"]}
    assert described == {path for path in api_routes() if path.startswith("/api/v1/")}


def test_every_operation_names_its_errors(schema: dict[str, Any]) -> None:
    envelope = {"$ref": "#/components/schemas/Error"}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            is_write = method in ("post", "put", "patch")
            expected = {"400", "401", "403", "404", "405", "429"}
            expected |= {"409", "413", "415"} if is_write else set()
            assert expected <= set(operation["responses"]), (method, path)
            for status in expected:
                content = operation["responses"][status]["content"]
                assert content["application/json"]["schema"] == envelope
            headers = {each["name"] for each in operation.get("parameters", [])}
            streams = (
                "application/octet-stream"
                in operation.get("requestBody", {"content": {}})["content"]
            )
            repeatable = is_write and path != "/api/v1/me/token/" and not streams
            assert ("Idempotency-Key" in headers) == repeatable, (method, path)
