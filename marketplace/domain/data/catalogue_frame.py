"""What stands around the records of a catalogue: itself, licences, rights, words of vocabularies.

Readers check types in the file that they have, so everything in a vocabulary that a record may
point to is described here, once.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from marketplace.domain.data.licences import LICENCES
from marketplace.domain.data.turtle import Iri, Literal, Node, types
from marketplace.domain.data.vocabularies import (
    EU,
    FORMATS,
    FREQUENCIES,
    LANGUAGES,
    LICENCE_TYPES,
    MEDIA_TYPES,
    MOBILITY,
    MODES,
    PUBLISHER_TYPES,
    RIGHTS,
    STANDARDS,
    THEMES,
    WGS_84,
)

CATALOGUE: Final = "catalog"
TITLE: Final = "Data market of Heliopolis"
ABOUT: Final = "Traffic and shared-mobility data, measured and delivered under contract."
CITY: Final = "area/city"
HALL: Final = "agent/hall"


def catalogue_nodes(*, issued: datetime, changed: datetime) -> list[Node]:
    """Return the catalogue itself and its publisher."""
    return [
        Node(
            Iri(CATALOGUE),
            [
                types("dcat:Catalog"),
                ("dct:title", [Literal(TITLE, "en")]),
                ("dct:description", [Literal(ABOUT, "en")]),
                ("dct:publisher", [Iri(HALL)]),
                ("foaf:homepage", [Iri("catalogue")]),
                ("dct:spatial", [Iri(CITY)]),
                ("dct:language", [Iri(f"{EU}language/ENG"), Iri(f"{EU}language/ZHO")]),
                ("dct:issued", [moment(issued)]),
                ("dct:modified", [moment(changed)]),
                ("dcat:themeTaxonomy", [Iri(f"{EU}data-theme")]),
            ],
        ),
        Node(Iri("catalogue"), [types("foaf:Document")]),
        Node(
            Iri(CITY),
            [types("dct:Location"), ("skos:prefLabel", [Literal("Cities of the market", "en")])],
        ),
        agent(HALL, "Heliopolis, the market hall", kind="LocalAuthority"),
    ]


def agent(path: str, name: str, *, kind: str = "") -> Node:
    """Return somebody who publishes."""
    kinds = [Iri(f"{PUBLISHER_TYPES}{kind}")] if kind else []
    return Node(
        Iri(path),
        [types("foaf:Agent"), ("foaf:name", [Literal(name, "en")]), ("dct:type", kinds)],
    )


def provider_path(provider_id: int) -> str:
    """Return what a provider is called in the catalogue."""
    return f"agent/{provider_id}"


def shared_nodes() -> Iterator[Node]:
    """Return licences, rights and every word of a vocabulary that a record may point to."""
    for licence in LICENCES.values():
        yield Node(
            Iri(f"licence/{licence.key}"),
            [
                types("dct:LicenseDocument"),
                ("dct:title", [Literal(licence.title, "en")]),
                ("dct:type", [Iri(f"{LICENCE_TYPES}{licence.kind}")]),
                ("rdfs:seeAlso", [Iri(licence.url)] if licence.url else []),
            ],
        )
    for slug, label in RIGHTS.items():
        yield Node(
            Iri(f"rights/{slug}"),
            [
                types("dct:RightsStatement"),
                ("dct:type", [mobility("conditions-for-access-and-usage", slug)]),
                ("rdfs:label", [Literal(label, "en")]),
            ],
        )
    yield from _typed()
    yield from _concepts()


def _typed() -> Iterator[Node]:
    """Describe what needs a type and no name."""
    kinds: Mapping[str, Iterable[str]] = {
        "dct:LinguisticSystem": (f"{EU}language/{code}" for code in LANGUAGES.values()),
        "dct:Frequency": (f"{EU}frequency/{code}" for code in FREQUENCIES),
        "dct:MediaTypeOrExtent": sorted(
            {f"{EU}file-type/{each.file_type}" for each in FORMATS.values()}
        ),
        "dct:MediaType": sorted({MEDIA_TYPES + each.media_type for each in FORMATS.values()}),
        "dct:Standard": (WGS_84,),
    }
    for kind, addresses in kinds.items():
        for address in addresses:
            yield Node(Iri(address), [types(kind)])


def _concepts() -> Iterator[Node]:
    """Describe what is a word of a scheme, and the schemes."""
    schemes: Mapping[str, Mapping[str, str]] = {
        f"{MOBILITY}mobility-theme": THEMES,
        f"{MOBILITY}transport-mode": MODES,
        f"{MOBILITY}mobility-data-standard": STANDARDS,
        f"{MOBILITY}conditions-for-access-and-usage": RIGHTS,
        f"{MOBILITY}georeferencing-method": {"geocoordinates": "Geocoordinates"},
        f"{MOBILITY}application-layer-protocol": {"http-https": "HTTP or HTTPS"},
        f"{MOBILITY}communication-method": {"pull": "Pull"},
        f"{EU}data-theme": {"TRAN": "Transport"},
        LICENCE_TYPES: {each.kind: _spaced(each.kind) for each in LICENCES.values()},
        PUBLISHER_TYPES: {"LocalAuthority": "Local authority"},
    }
    for scheme, labels in schemes.items():
        yield Node(
            Iri(scheme),
            [
                types("skos:ConceptScheme"),
                ("dct:title", [Literal(_spaced(scheme.strip("/").rpartition("/")[2]), "en")]),
            ],
        )
        between = "" if scheme.endswith("/") else "/"
        for slug, label in labels.items():
            yield Node(
                Iri(f"{scheme}{between}{slug}"),
                [
                    types("skos:Concept"),
                    ("skos:prefLabel", [Literal(label, "en")]),
                    ("skos:inScheme", [Iri(scheme)]),
                ],
            )


def mobility(vocabulary: str, slug: str) -> Iri:
    """Return a word of mobilityDCAT-AP."""
    return Iri(f"{MOBILITY}{vocabulary}/{slug}")


def moment(at: datetime) -> Literal:
    """Return a time, in whole seconds UTC."""
    return Literal(f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", type="xsd:dateTime")


def _spaced(slug: str) -> str:
    return slug.replace("-", " ")
