"""Canonical JSON: one value, one writing; everything else is refused by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.canonical import DEPTH_MAX, LEAF_BYTES_MAX, Json, read, read_object, write
from validator.errors import NotCanonical

JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
SURROGATE_HALF = "\\ud800"


@given(JSON)
def test_what_is_written_is_read_back(value: Json) -> None:
    data = write(value)

    assert read(data) == value
    assert json.loads(data) == value
    assert write(read(data)) == data


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({}, b"{}"),
        ([], b"[]"),
        (None, b"null"),
        ({"b": "1", "a": [None, {}]}, b'{"a":[null,{}],"b":"1"}'),
        # RFC 8785 writes these escapes and no others; DEL and the line separator stand as they are.
        (
            '\b\t\n\f\r"\\\x00\x1f\x7f/\u2028\xe9',
            b'"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\x7f/\xe2\x80\xa8\xc3\xa9"',
        ),
        # By code units, not code points: the emoji's first surrogate comes before the private use.
        ({"\ue000": "", "\U0001f600": ""}, b'{"\xf0\x9f\x98\x80":"","\xee\x80\x80":""}'),
        # The order of keys in RFC 8785, section 3.2.3.
        (
            {
                "\u20ac": "",
                "\r": "",
                "\ufb33": "",
                "1": "",
                "\U0001f600": "",
                "\x80": "",
                "\xf6": "",
            },
            '{"\\r":"","1":"","\x80":"","\xf6":"","\u20ac":"","\U0001f600":"","\ufb33":""}'.encode(),
        ),
    ],
)
def test_known_writings(value: Json, data: bytes) -> None:
    assert write(value) == data
    assert read(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"1","a":"2"}',
        b'{"a":"1","a":"1"}',
        b'{"a":[{"b":"","b":""}]}',
        b'{"b":"","a":""}',
        b'[{"z":{"b":"","a":""}}]',
        b'{"\xee\x80\x80":"","\xf0\x9f\x98\x80":""}',
        b"1",
        b"-0",
        b'{"a":1}',
        b"[1.5]",
        b'{"a":1e400}',
        b"NaN",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"true",
        b"[false]",
        b'{"a":[true]}',
        b'{"a": "1"}',
        b' {"a":"1"}',
        b'{"a":"1"}\n',
        b'{"a":"1",}',
        b'["\\u0061"]',
        b'["\\/"]',
        b'["\\u000A"]',
        b'["\\u001F"]',
        b'["\\u00e9"]',
        b'["\x01"]',
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        f'["{SURROGATE_HALF}"]'.encode(),
        b"\xef\xbb\xbf{}",
        '{"a":"1"}'.encode("utf-16"),
        b"",
        b"{",
        b"{}{}",
        b"{'a':'1'}",
        b'{a:"1"}',
        b"undefined",
        b"[" * 60_000,
        b"[" * 30_000 + b"]" * 30_000,
        b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1),
    ],
    ids=lambda data: repr(data[:24]),
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        read(data)


def test_a_leaf_has_a_limit_and_a_longer_document_may_ask_for_another() -> None:
    largest = write("x" * (LEAF_BYTES_MAX - 2))
    longer = write("x" * (LEAF_BYTES_MAX - 1))

    assert read(largest)
    with pytest.raises(NotCanonical, match="65536 bytes"):
        read(longer)
    assert read(longer, bytes_max=None)
    assert read(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)


def test_an_object_is_asked_for() -> None:
    assert read_object(b'{"a":null}') == {"a": None}
    with pytest.raises(NotCanonical, match="not an object"):
        read_object(b"[]")


@pytest.mark.parametrize("value", [1, True, 1.5, {"a": 1}, [b""], {1: ""}, ("a",), "\ud800"])
def test_what_has_no_writing_is_not_written(value: Json) -> None:
    with pytest.raises(NotCanonical):
        write(value)
