"""A file of a live feed: fetched with a credential, kept if it changed since the last time."""

from http.client import HTTPResponse
from pathlib import Path

from client.errors import Unreachable
from client.files import keep
from client.hall import Hall


def fetch_feed(hall: Hall, path: str, credential: str, target: Path) -> bool:
    """Fetch a file of a feed; return whether it changed.

    Parameters
    ----------
    path : str
        Below the hall, ``/feeds/PRODUCT/NAME``.
    credential : str
        Of the contract; it is charged by what is fetched, and an unchanged file costs no records.
    """
    memo = target.with_name(f"{target.name}.etag")
    headers = {"Authorization": f"Bearer {credential}"}
    if memo.exists() and target.exists():
        headers["If-None-Match"] = memo.read_text(encoding="utf-8")
    with hall.open("GET", path, headers=headers) as response:
        if response.status == 304:
            return False
        content = _whole(response)
    keep(target, content)
    keep(memo, (response.headers.get("ETag") or "").encode())
    return True


def _whole(response: HTTPResponse) -> bytes:
    content = response.read()
    expected = response.headers.get("Content-Length")
    if expected is not None and len(content) != int(expected):
        raise Unreachable("the line broke while the feed came")
    return content
