"""Words that the catalogue shares with others: EU and mobilityDCAT-AP vocabularies, by our codes.

Only what our products use. The published shapes accept any slug below a vocabulary's address; ours
(tests/data/own_shapes.py) accept exactly these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from marketplace.errors import N_

EU: Final = "http://publications.europa.eu/resource/authority/"
MOBILITY: Final = "https://w3id.org/mobilitydcat-ap/"
LICENCE_TYPES: Final = "http://purl.org/adms/licencetype/"
PUBLISHER_TYPES: Final = "http://purl.org/adms/publishertype/"
MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
WGS_84: Final = "http://www.opengis.net/def/crs/EPSG/0/4326"
OTHER: Final = "other"

# Categories of mobilityDCAT-AP's themes.
CATEGORIES: Final[Mapping[str, str]] = {
    "cycle-network-data": N_("Cycle network"),
    "freight-and-logistics": N_("Freight and logistics"),
    "other": N_("Other"),
    "parking-service-and-rest-area-information": N_("Parking"),
    "pedestrian-network-data": N_("Pedestrian network"),
    "public-transport-non-scheduled-transport": N_("Public transport on demand"),
    "public-transport-scheduled-transport": N_("Public transport"),
    "real-time-traffic-data": N_("Traffic in real time"),
    "road-events-and-conditions": N_("Road events and conditions"),
    "road-work-information": N_("Road works"),
    "sharing-and-hiring-services": N_("Sharing and hiring"),
    "static-road-network-data": N_("Road network"),
}
# Sub-categories, and the category that each is named with.
_SUB_CATEGORIES: Final[Mapping[str, tuple[str, str]]] = {
    "bike-sharing-availability": ("sharing-and-hiring-services", N_("Shared bikes: availability")),
    "bike-sharing-locations-and-stations": (
        "sharing-and-hiring-services",
        N_("Shared bikes: places and stations"),
    ),
    "e-scooter-sharing-availability": (
        "sharing-and-hiring-services",
        N_("Shared scooters: availability"),
    ),
    "car-sharing-availability": ("sharing-and-hiring-services", N_("Shared cars: availability")),
    "timetables-static": ("public-transport-scheduled-transport", N_("Timetables")),
    "real-time-estimated-departure-and-arrival-times": (
        "public-transport-scheduled-transport",
        N_("Departures and arrivals in real time"),
    ),
    "disruptions-delays-cancellations": (
        "public-transport-scheduled-transport",
        N_("Disruptions and delays"),
    ),
    "traffic-volume": ("real-time-traffic-data", N_("Traffic volume")),
    "speed": ("real-time-traffic-data", N_("Speed")),
    "current-travel-times": ("real-time-traffic-data", N_("Travel times")),
}
THEMES: Final[Mapping[str, str]] = {
    **CATEGORIES,
    **{slug: label for slug, (_parent, label) in _SUB_CATEGORIES.items()},
}
_MODE_OF_THEME: Final[Mapping[str, str]] = {
    "bike-sharing-availability": "bike-sharing",
    "bike-sharing-locations-and-stations": "bike-sharing",
    "car-sharing-availability": "car-sharing",
    "cycle-network-data": "bicycle",
    "e-scooter-sharing-availability": "e-scooter",
    "pedestrian-network-data": "pedestrian",
}
MODES: Final[Mapping[str, str]] = {
    "bicycle": "Bicycle",
    "bike-sharing": "Bike sharing",
    "car-sharing": "Car sharing",
    "e-scooter": "E-scooter",
    "pedestrian": "Pedestrian",
}
RIGHTS: Final[Mapping[str, str]] = {
    "contractual-arrangement-fee-required": "Contractual arrangement, fee required",
    "contractual-arrangement-free-of-charge": "Contractual arrangement, free of charge",
}
STANDARDS: Final[Mapping[str, str]] = {
    "datex-II": "DATEX II",
    "gbfs": "GBFS",
    "gtfs": "GTFS",
    "gtfs-rt": "GTFS-RT",
    OTHER: "Other",
}


@dataclass(frozen=True)
class Frequency:
    """How often something is renewed; ``period_s`` is None where nothing is promised. [s]"""

    label: str
    period_s: int | None


_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
FREQUENCIES: Final[Mapping[str, Frequency]] = {
    "1MIN": Frequency(N_("every minute"), 60),
    "5MIN": Frequency(N_("every five minutes"), 300),
    "15MIN": Frequency(N_("every quarter of an hour"), 900),
    "HOURLY": Frequency(N_("every hour"), _HOUR),
    "DAILY": Frequency(N_("every day"), _DAY),
    "WEEKLY": Frequency(N_("every week"), 7 * _DAY),
    "MONTHLY": Frequency(N_("every month"), 31 * _DAY),
    "QUARTERLY": Frequency(N_("every quarter"), 92 * _DAY),
    "ANNUAL": Frequency(N_("every year"), 366 * _DAY),
    "IRREG": Frequency(N_("now and then"), None),
    "AS_NEEDED": Frequency(N_("when needed"), None),
    "NEVER": Frequency(N_("never again"), None),
}
IRREGULAR: Final = "IRREG"


@dataclass(frozen=True)
class Format:
    """A format as people and catalogues call it: EU file type, media type, mobility standard."""

    label: str
    file_type: str
    media_type: str
    standard: str


# By the codes of `gate.recognise`; the order is that of search, and never changes.
FORMATS: Final[Mapping[str, Format]] = {
    "trips": Format(N_("Trips, as flows"), "CSV", "text/csv", OTHER),
    "counts": Format(N_("Traffic counts"), "CSV", "text/csv", OTHER),
    "gtfs": Format("GTFS", "ZIP", "application/zip", "gtfs"),
    "gtfs-rt": Format("GTFS-Realtime", "BIN", "application/octet-stream", "gtfs-rt"),
    "gbfs": Format("GBFS", "JSON", "application/json", "gbfs"),
    "datex": Format("DATEX II", "XML", "application/xml", "datex-II"),
}
# ISO 639-1 to the EU's authority table. In most places of DCAT-AP only these languages may stand.
EU_LANGUAGES: Final[Mapping[str, str]] = {
    "bg": "BUL",
    "cs": "CES",
    "da": "DAN",
    "de": "DEU",
    "el": "ELL",
    "en": "ENG",
    "es": "SPA",
    "et": "EST",
    "fi": "FIN",
    "fr": "FRA",
    "ga": "GLE",
    "hr": "HRV",
    "hu": "HUN",
    "it": "ITA",
    "lt": "LIT",
    "lv": "LAV",
    "mt": "MLT",
    "nl": "NLD",
    "pl": "POL",
    "pt": "POR",
    "ro": "RON",
    "sk": "SLK",
    "sl": "SLV",
    "sv": "SWE",
}
LANGUAGES: Final[Mapping[str, str]] = {**EU_LANGUAGES, "zh": "ZHO"}


def themes_of(theme: str) -> tuple[str, ...]:
    """Return the category of a theme, and the theme where it is a sub-category."""
    if theme in _SUB_CATEGORIES:
        return _SUB_CATEGORIES[theme][0], theme
    return (theme,) if theme in CATEGORIES else (OTHER,)


def mode_of(theme: str) -> str | None:
    """Return the transport mode that a theme is about, where it is about one."""
    return _MODE_OF_THEME.get(theme)


def period_of(frequency: str) -> int | None:
    """Return how often something of a promised frequency is renewed, None where it is not. [s]"""
    known = FREQUENCIES.get(frequency)
    return known.period_s if known else None
