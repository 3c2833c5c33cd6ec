"""The text of which a log's notes, keys and proofs consist: UTF-8 lines, decimals, base64.

Each value has one way to be written; every other way is refused, so that what was signed can be
written again from what was read.
"""

import base64
import binascii
import re

from ledger.domain.merkle import SIZE_MAX
from ledger.errors import LogMalformed

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def parse_decimal(text: str) -> int:
    """Read a number from 0 to 2**63 - 1 without sign or leading zeros."""
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise LogMalformed(f"{text[:24]!r} is not a decimal number of a log")
    return int(text)


def from_base64(text: str) -> bytes:
    """Read standard base64 with padding, in the one way it can be written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LogMalformed("a value is not base64") from error
    if to_base64(data) != text:
        raise LogMalformed("a value is not base64 in its one form")
    return data


def to_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def check_name(name: str) -> None:
    """Refuse what cannot name a key."""
    if not name or "+" in name or _CONTROL.search(name) or any(c.isspace() for c in name):
        raise LogMalformed(f"{name!r} cannot name a key: no white space, no +, not empty")
    _encodable(name)


def check_line(line: str) -> None:
    """Refuse what cannot be one line of a checkpoint."""
    if not line or "\n" in line:
        raise LogMalformed("the lines of a checkpoint are not empty")
    check_text(line + "\n")


def check_text(text: str) -> None:
    """Refuse what cannot be signed as a note."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise LogMalformed("a note's text ends with a newline and has no other control characters")
    _encodable(text)


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LogMalformed("the text of a log is UTF-8") from error


def decode(data: bytes | str) -> str:
    """Return the text of a note or of its lines, refusing what no note may hold."""
    if isinstance(data, bytes):
        try:
            data = data.decode()
        except UnicodeDecodeError as error:
            raise LogMalformed("the text of a log is UTF-8") from error
    check_text(data)
    return data
