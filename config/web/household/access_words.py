"""Who looked at what, in the member's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from config.web.shell import ROLE_NAMES
from marketplace.domain.accesses import AccessKind, AccessWay
from marketplace.queries.accesses import AccessLine

WHAT: Final[Mapping[AccessKind, str | Promise]] = {
    AccessKind.READINGS: gettext_lazy("your readings, by day"),
    AccessKind.INTERVAL: gettext_lazy("one interval of yours, with its figures"),
    AccessKind.STATEMENT: gettext_lazy("your statement"),
    AccessKind.ALL_STATEMENTS: gettext_lazy("the statements of all members"),
    AccessKind.APPLICATION: gettext_lazy("your application"),
    AccessKind.SURVEILLANCE: gettext_lazy("something unusual about your readings or trades"),
    AccessKind.METER: gettext_lazy("your metering points"),
    AccessKind.ORGANISATION: gettext_lazy("your organisation"),
    AccessKind.RULE: gettext_lazy("your rule"),
    AccessKind.BOOKS: gettext_lazy("your books: trades, orders, certificates"),
    AccessKind.CREDIT: gettext_lazy("your credit limit"),
    AccessKind.DISPUTE: gettext_lazy("a dispute of yours"),
    AccessKind.ERASURE: gettext_lazy("your wish to be forgotten"),
}
WAY: Final[Mapping[AccessWay, str | Promise]] = {
    AccessWay.PAGE: pgettext_lazy("way of looking", "on a page"),
    AccessWay.FILE: pgettext_lazy("way of looking", "as a file"),
    AccessWay.API: pgettext_lazy("way of looking", "by a program"),
}


@dataclass(frozen=True)
class AccessRow:
    """One line of the list of who looked."""

    who: str
    role: str
    what: str
    way: str
    count: int
    at: datetime


def access_row(line: AccessLine) -> AccessRow:
    """Return a line in words."""
    return AccessRow(
        who=line.viewer,
        role=str(ROLE_NAMES[line.role]),
        what=str(WHAT[AccessKind(line.what)]),
        way=str(WAY[AccessWay(line.way)]),
        count=line.count,
        at=line.last_at,
    )
