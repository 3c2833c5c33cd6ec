"""The committed list of public views against the URL map, by marker and by behaviour."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import IsAuthenticated

from config.public_views import CREDENTIAL_VIEWS, PUBLIC_VIEWS

ARGUMENTS = {"token": "set-password", "uidb64": "MQ"}


def views(
    patterns: list[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, str, URLPattern]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, path)
        else:
            assert pattern.name, f"{path} has no name"
            yield pattern.name, path, pattern


ALL = list(views(get_resolver().url_patterns))


def is_public(pattern: URLPattern) -> bool:
    api_view = getattr(pattern.callback, "cls", None)
    if api_view is not None:
        return not any(
            issubclass(permission, IsAuthenticated) for permission in api_view.permission_classes
        )
    return not getattr(pattern.callback, "login_required", True)


def test_the_list_is_the_map() -> None:
    public = sorted(name for name, _path, pattern in ALL if is_public(pattern))
    assert public == sorted((*PUBLIC_VIEWS, *CREDENTIAL_VIEWS))


def test_names_are_unique() -> None:
    names = [name for name, _path, _pattern in ALL]
    assert len(names) == len(set(names))


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "path"), [(name, path) for name, path, _pattern in ALL])
def test_a_stranger_gets_in_only_there(name: str, path: str) -> None:
    path = re.sub(
        r"<(?:(\w+):)?(\w+)>",
        lambda part: "1" if part[1] == "int" else ARGUMENTS.get(part[2], "x"),
        path,
    )
    answer = Client().get(path)
    turned_away = answer.status_code in (401, 403) or (
        answer.status_code == 302 and answer["Location"].startswith("/accounts/sign-in?next=")
    )
    assert turned_away == (name not in PUBLIC_VIEWS), (path, answer.status_code)
