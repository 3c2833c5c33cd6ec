"""Kinds of looking at a member's own data; the member's pages have the words for each."""

from enum import StrEnum


class AccessKind(StrEnum):
    """What somebody else looked at."""

    READINGS = "readings"
    INTERVAL = "interval"
    STATEMENT = "statement"
    ALL_STATEMENTS = "all_statements"
    APPLICATION = "application"
    SURVEILLANCE = "surveillance"
    METER = "meter"
    ORGANISATION = "organisation"
    RULE = "rule"
    BOOKS = "books"
    CREDIT = "credit"
    DISPUTE = "dispute"
    ERASURE = "erasure"


class AccessWay(StrEnum):
    """By which way they looked."""

    PAGE = "page"
    FILE = "file"
    API = "api"
