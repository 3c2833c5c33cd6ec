"""What a provider says of a product: words and terms, checked once and together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketplace.domain.data.licences import LICENCES
from marketplace.domain.data.policy import Policy
from marketplace.domain.data.prices import PriceRule
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.data.shares import checked_shares, shares_document
from marketplace.domain.data.vocabularies import FORMATS, FREQUENCIES, IRREGULAR, LANGUAGES, THEMES
from marketplace.errors import N_, Invalid

TITLE_MAX: Final = 200
DESCRIPTION_MAX: Final = 5000
KEYWORDS_MAX: Final = 20
KEYWORD_MAX: Final = 60
URL_MAX: Final = 2000
BUDGET_MAX: Final = 10**9
FILE_FORMATS: Final = frozenset({"trips", "counts", "gtfs", "datex"})
FEED_FORMATS: Final = frozenset({"gtfs", "gtfs-rt", "gbfs", "datex"})
# Published only as what passes the gate.
ABOUT_PEOPLE: Final = frozenset({"trips"})
ROLES_OF_COLUMNS: Final = frozenset(
    {"start", "end", "from", "to", "person", "vehicle", "site", "time", "count", "lat", "lon"}
)


@dataclass(frozen=True)
class Reading:
    """How a product's files are read: what the bytes do not say. See `gate.formats.Options`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    docked: bool | None = None

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Check what somebody wrote; raises `Invalid`."""
        columns = values.get("columns") or {}
        if not isinstance(columns, Mapping) or not set(columns) <= ROLES_OF_COLUMNS:
            raise Invalid("columns", N_("Name columns by their roles; see docs/data.md."))
        if not all(isinstance(name, str) and 0 < len(name) <= 100 for name in columns.values()):
            raise Invalid("columns", N_("A column's name has up to 100 characters."))
        zone = values.get("zone") or "UTC"
        try:
            ZoneInfo(str(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid("zone", N_("Name the time zone as in Asia/Shanghai.")) from error
        docked = values.get("docked")
        return cls(dict(columns), str(zone), docked if isinstance(docked, bool) else None)

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"columns": dict(self.columns), "zone": self.zone, "docked": self.docked}


@dataclass(frozen=True)
class ProductTerms:
    """Everything about a product that its provider may change; what was signed stays as it was."""

    title: str
    description: str
    language: str
    keywords: tuple[str, ...]
    theme: str
    frequency: str
    licence: str
    price: PriceRule
    shares: tuple[Mapping[str, int], ...]
    policy: Policy
    service_level: ServiceLevel
    reading: Reading
    query_budget_micro_epsilon: int
    accepts_automatically: bool
    is_for_planning: bool

    @classmethod
    def checked(cls, values: Mapping[str, Any], *, is_feed: bool, seller_id: int) -> Self:
        """Check what somebody wrote about a file or a feed.

        Raises
        ------
        Invalid
            Naming the first field that is missing or not in form.
        """
        price = PriceRule.checked(_mapping(values, "price"), is_feed=is_feed)
        level = ServiceLevel.of_json(_mapping(values, "service_level"))
        if not is_feed and not level.is_empty:
            raise Invalid("service_level", N_("A service level is promised of feeds alone."))
        return cls(
            title=_line(values.get("title"), "title", TITLE_MAX),
            description=_text(values.get("description", ""), "description", DESCRIPTION_MAX),
            language=_choice(values.get("language", "en"), "language", LANGUAGES),
            keywords=_keywords(values.get("keywords", [])),
            theme=_choice(values.get("theme"), "theme", THEMES),
            frequency=_choice(values.get("frequency", IRREGULAR), "frequency", FREQUENCIES),
            licence=_choice(values.get("licence"), "licence", LICENCES),
            price=price,
            shares=tuple(
                shares_document(checked_shares(values.get("shares", []), seller_id=seller_id))
            ),
            policy=Policy.of_json(_mapping(values, "policy")),
            service_level=level,
            reading=Reading.checked(_mapping(values, "reading")),
            query_budget_micro_epsilon=_budget(values.get("query_budget_micro_epsilon", 0)),
            accepts_automatically=_flag(values, "accepts_automatically", default=True),
            is_for_planning=_flag(values, "is_for_planning", default=False),
        )

    def columns(self) -> dict[str, Any]:
        """Return the values of the product's columns."""
        return {
            "title": self.title,
            "description": self.description,
            "language": self.language,
            "keywords": list(self.keywords),
            "theme": self.theme,
            "frequency": self.frequency,
            "licence": self.licence,
            "price": self.price.document(),
            "shares": [dict(each) for each in self.shares],
            "policy": self.policy.to_json(),
            "service_level": self.service_level.to_json(),
            "reading": self.reading.document(),
            "query_budget_micro_epsilon": self.query_budget_micro_epsilon,
            "accepts_automatically": self.accepts_automatically,
            "is_for_planning": self.is_for_planning,
        }


def check_format(format_: str, *, is_feed: bool) -> None:
    """Refuse a format that is not sold as a file, or as a feed; raises `Invalid`."""
    known = FEED_FORMATS if is_feed else FILE_FORMATS
    if format_ not in known:
        named = ", ".join(each for each in FORMATS if each in known)
        raise Invalid("format", N_("Choose of these: {known}."), known=named)


def checked_source_url(url: str, *, is_feed: bool) -> str:
    """Return the address a feed is fetched from; a file has none.

    Raises
    ------
    Invalid
        If it is missing, not of the web, or carries a password.
    """
    if not is_feed:
        if url:
            raise Invalid("source_url", N_("Only a feed is fetched from an address."))
        return ""
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= URL_MAX
        is_fit = is_fit and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        is_fit = False
    if not is_fit:
        raise Invalid("source_url", N_("A feed needs an address with http:// or https://."))
    if parts.username is not None or parts.password is not None:
        raise Invalid("source_url", N_("Leave name and password out of the address."))
    return url


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name) or {}
    if not isinstance(value, Mapping):
        raise Invalid(name, N_("An object is needed here."))
    return value


def _line(value: object, field_: str, maximum: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= maximum or not text.isprintable():
        raise Invalid(field_, N_("One line of 1 to {maximum} characters."), maximum=maximum)
    return text


def _text(value: object, field_: str, maximum: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > maximum or not all(line.isprintable() for line in lines):
        raise Invalid(field_, N_("At most {maximum} characters, all printable."), maximum=maximum)
    return "\n".join(lines)


def _choice(value: object, field_: str, known: Mapping[str, object]) -> str:
    if not isinstance(value, str) or value not in known:
        raise Invalid(field_, N_("Choose of these: {known}."), known=", ".join(known))
    return value


def _keywords(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > KEYWORDS_MAX:
        raise Invalid("keywords", N_("At most {maximum} keywords."), maximum=KEYWORDS_MAX)
    return tuple(dict.fromkeys(_line(each, "keywords", KEYWORD_MAX) for each in value))


def _budget(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= BUDGET_MAX:
        raise Invalid(
            "query_budget_micro_epsilon",
            N_("This must be a whole number from 0 to {most}."),
            most=BUDGET_MAX,
        )
    return value


def _flag(values: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = values.get(name, default)
    if not isinstance(value, bool):
        raise Invalid(name, N_("True or false is needed here."))
    return value
