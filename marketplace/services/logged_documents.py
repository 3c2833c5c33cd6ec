"""What verification compares of a document that the ledger should have logged."""

from base64 import b64decode
from collections.abc import Callable, Mapping

from ledger.domain.documents import Document, read_body
from ledger.queries import get_answers
from marketplace.errors import BookDiffers


def check_logged(
    key: str,
    bodies: Mapping[str, bytes],
    *,
    what: str,
    expected: Callable[[bytes], bytes],
    differs: Callable[[str], BookDiffers],
) -> None:
    """Compare what should be logged with what is; a pruned period has nothing to compare.

    Parameters
    ----------
    key : str
        Of the document.
    bodies : mapping
        Of the documents that the ledger has booked; empty where it keeps them no more.
    what : str
        What the error calls it.
    expected : callable
        Returns the body by the seed that the logged one was salted with.
    differs : callable
        Makes the error of what is wrong.

    Raises
    ------
    BookDiffers
        If it was never handed in, was refused, or says something else.
    """
    body = bodies.get(key)
    if body is None:
        # One that waits is a document that the next blocks will have.
        answer = get_answers(keys=[key]).get(key)
        if answer is None or answer.state == "refused":
            raise differs(f"{what} was never handed to the ledger, or was refused")
        return
    if body == b"":
        return
    document = read_body(body)
    seed = b64decode(document.private.get("seed", "")) if isinstance(document, Document) else b""
    if expected(seed) != body:
        raise differs("its rows or its rules are not those in the log")
