"""A product as catalogues of others read it: DCAT-AP 3 and mobilityDCAT-AP 1.1.

A record is made of values, without the provider's name: names are sealed under keys that can be
destroyed, and are joined to the records when somebody reads them. Every address that a record
points to in a vocabulary is described once, by `shared_nodes`, because readers check types in the
file that they have. docs/data.md says which property holds what.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from marketplace.domain.data.catalogue_frame import (
    CATALOGUE,
    CITY,
    HALL,
    mobility,
    moment,
    provider_path,
)
from marketplace.domain.data.licences import licence_of
from marketplace.domain.data.quality import BAND_WORDS, NOTHING_MEASURED, Quality
from marketplace.domain.data.turtle import Iri, Literal, Name, Node, Statement, Term, types
from marketplace.domain.data.vocabularies import (
    EU,
    EU_LANGUAGES,
    FORMATS,
    FREQUENCIES,
    IRREGULAR,
    LANGUAGES,
    MEDIA_TYPES,
    WGS_84,
    mode_of,
    themes_of,
)

FREE: Final = "contractual-arrangement-free-of-charge"
PAID: Final = "contractual-arrangement-fee-required"
_THEME: Final = f"{EU}data-theme/TRAN"
_MICRODEGREES: Final = 10**6
_PERCENT_PPM: Final = 10_000


@dataclass(frozen=True)
class Record:
    """What the catalogue says about a listed product.

    Attributes
    ----------
    bbox : tuple of int or None
        West, south, east, north; None: not known. [microdegrees]
    start, end : datetime or None
        Covered period, half-open; a feed has no end.
    manifest_sha256 : str
        Of the newest version; empty while there is none.
    """

    product_id: int
    provider_id: int
    is_feed: bool
    format: str
    language: str
    title: str
    description: str
    keywords: Sequence[str]
    theme: str
    frequency: str
    licence: str
    is_free: bool
    listed_at: datetime
    changed_at: datetime
    bbox: tuple[int, int, int, int] | None = None
    start: datetime | None = None
    end: datetime | None = None
    resolution_s: int = 0
    version: int = 0
    byte_count: int = 0
    manifest_sha256: str = ""
    quality: Quality = NOTHING_MEASURED

    @property
    def path(self) -> str:
        """The product's page, which is its name in the catalogue too."""
        return product_path(self.product_id)


def product_path(product_id: int) -> str:
    """Return a product's page, relative to the hall."""
    return f"catalogue/{product_id}"


def record_nodes(record: Record) -> list[Node]:
    """Return what is said about one product; the catalogue itself gets its links to it."""
    links: list[Statement] = [
        ("dcat:dataset", [Iri(record.path)]),
        ("dcat:record", [Iri(f"{record.path}#record")]),
    ]
    if record.is_feed:
        links.append(("dcat:service", [Iri(f"{record.path}#service")]))
    nodes = [
        Node(Iri(CATALOGUE), links),
        Node(Iri(record.path), _dataset(record)),
        Node(Iri(f"{record.path}#distribution"), _distribution(record)),
        Node(Iri(f"{record.path}#page"), [types("foaf:Document")]),
        Node(Iri(f"{record.path}#policy"), [types("odrl:Policy", "odrl:Offer")]),
        Node(Iri(f"{record.path}#record"), _entry(record)),
    ]
    if record.is_feed:
        nodes.append(Node(Iri(f"{record.path}#service"), _service(record)))
    return nodes


def _dataset(record: Record) -> list[Statement]:
    provider = Iri(provider_path(record.provider_id))
    language = _language(record.language)
    mode = mode_of(record.theme)
    return [
        types("dcat:Dataset"),
        ("dct:title", [Literal(record.title, _tag(record.language))]),
        ("dct:description", [_description(record)]),
        ("dct:identifier", [Literal(f"data-product:{record.product_id}")]),
        ("dcat:keyword", _keywords(record)),
        ("dct:publisher", [provider]),
        ("dct:rightsHolder", [provider]),
        ("dct:spatial", [_place(record.bbox)]),
        ("dct:temporal", _period(record)),
        ("dct:accrualPeriodicity", [Iri(f"{EU}frequency/{_frequency(record.frequency)}")]),
        ("dcat:theme", [Iri(_THEME)]),
        (
            "mobilitydcatap:mobilityTheme",
            [mobility("mobility-theme", slug) for slug in themes_of(record.theme)],
        ),
        ("mobilitydcatap:transportMode", [mobility("transport-mode", mode)] if mode else []),
        (
            "mobilitydcatap:georeferencingMethod",
            [mobility("georeferencing-method", "geocoordinates")],
        ),
        ("dct:conformsTo", [Iri(WGS_84)]),
        ("dct:language", [language] if language else []),
        ("dcat:temporalResolution", _resolution(record.resolution_s)),
        ("dct:issued", [moment(record.listed_at)]),
        ("dct:modified", [moment(record.changed_at)]),
        ("dcat:version", [Literal(str(record.version))] if record.version else []),
        ("dcat:landingPage", [Iri(f"{record.path}#page")]),
        ("dqv:hasQualityAnnotation", _annotation(record)),
        ("mobilitydcatap:assessmentResult", _assessment(record)),
        ("dcat:distribution", [Iri(f"{record.path}#distribution")]),
    ]


def _distribution(record: Record) -> list[Statement]:
    known = FORMATS[record.format]
    said: list[Statement] = [
        types("dcat:Distribution"),
        ("dct:title", [Literal(_distribution_title(record), "en")]),
        ("dcat:accessURL", [Iri(record.path)]),
        ("dct:format", [Iri(f"{EU}file-type/{known.file_type}")]),
        ("dcat:mediaType", [Iri(MEDIA_TYPES + known.media_type)]),
        (
            "mobilitydcatap:mobilityDataStandard",
            [mobility("mobility-data-standard", known.standard)],
        ),
        ("dct:rights", [_rights(record)]),
        ("dct:license", [_licence(record)]),
        (
            "mobilitydcatap:applicationLayerProtocol",
            [mobility("application-layer-protocol", "http-https")],
        ),
        ("mobilitydcatap:communicationMethod", [mobility("communication-method", "pull")]),
        ("odrl:hasPolicy", [Iri(f"{record.path}#policy")]),
    ]
    if record.is_feed:
        said.append(("dcat:accessService", [Iri(f"{record.path}#service")]))
    elif record.manifest_sha256:
        said += [
            ("dcat:byteSize", [Literal(str(record.byte_count), type="xsd:nonNegativeInteger")]),
            # Not an spdx:Checksum: the published shapes know none but SHA-1.
            ("hp:manifestSha256", [Literal(record.manifest_sha256, type="xsd:hexBinary")]),
        ]
    return said


def _service(record: Record) -> list[Statement]:
    return [
        types("dcat:DataService"),
        ("dct:title", [Literal(_distribution_title(record), "en")]),
        ("dcat:endpointURL", [Iri(f"feeds/{record.product_id}")]),
        ("dcat:servesDataset", [Iri(record.path)]),
        ("dct:license", [_licence(record)]),
        ("dct:accessRights", [_rights(record)]),
    ]


def _entry(record: Record) -> list[Statement]:
    return [
        types("dcat:CatalogRecord"),
        ("foaf:primaryTopic", [Iri(record.path)]),
        ("dct:created", [moment(record.listed_at)]),
        ("dct:issued", [moment(record.listed_at)]),
        ("dct:modified", [moment(record.changed_at)]),
        ("dct:language", [Iri(f"{EU}language/ENG")]),
        ("dct:publisher", [Iri(HALL)]),
    ]


def _licence(record: Record) -> Iri:
    return Iri(f"licence/{licence_of(record.licence).key}")


def _rights(record: Record) -> Iri:
    return Iri(f"rights/{FREE if record.is_free else PAID}")


def _frequency(code: str) -> str:
    return code if code in FREQUENCIES else IRREGULAR


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def _tag(language: str) -> str:
    return _primary(language) if _primary(language) in LANGUAGES else "en"


def _language(language: str) -> Iri | None:
    code = LANGUAGES.get(_primary(language))
    return Iri(f"{EU}language/{code}") if code else None


def _description(record: Record) -> Literal:
    """Return the provider's words where the published shapes let them stand, else a sentence."""
    if record.description.strip() and _primary(record.language) in EU_LANGUAGES:
        return Literal(record.description, _primary(record.language))
    kind = "Live feed" if record.is_feed else "File"
    return Literal(f"{kind} in the format {FORMATS[record.format].label}; see its page.", "en")


def _keywords(record: Record) -> list[Term]:
    language = _primary(record.language)
    if language not in EU_LANGUAGES:
        return []
    return [Literal(word, language) for word in record.keywords]


def _place(bbox: tuple[int, int, int, int] | None) -> Term:
    if bbox is None:
        return Iri(CITY)
    west, south, east, north = (_degrees(value) for value in bbox)
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    polygon = ",".join(f"{longitude} {latitude}" for longitude, latitude in corners)
    box = Literal(f"POLYGON(({polygon}))", type="geo:wktLiteral")
    return Node(None, [types("dct:Location"), ("dcat:bbox", [box])])


def _degrees(microdegrees: int) -> str:
    whole, part = divmod(abs(microdegrees), _MICRODEGREES)
    return f"{'-' if microdegrees < 0 else ''}{whole}.{part:06d}"


def _period(record: Record) -> list[Term]:
    start = record.start or (record.listed_at if record.is_feed else None)
    if start is None:
        return []
    said: list[Statement] = [types("dct:PeriodOfTime"), ("dcat:startDate", [moment(start)])]
    if record.end is not None and not record.is_feed:
        said.append(("dcat:endDate", [moment(record.end)]))
    return [Node(None, said)]


def _resolution(seconds: int) -> list[Term]:
    return [Literal(f"PT{seconds}S", type="xsd:duration")] if seconds else []


def _distribution_title(record: Record) -> str:
    if record.is_feed:
        return f"{FORMATS[record.format].label}, by subscription"
    return f"Version {record.version}" if record.version else FORMATS[record.format].label


def _annotation(record: Record) -> list[Term]:
    """Return the badge in words; without a measurement nothing is said."""
    quality = record.quality
    if quality.whole_ppm is None:
        return []
    figures = {
        "availability": quality.availability_ppm,
        "freshness": quality.freshness_ppm,
        "validity": quality.validity_ppm,
        "completeness": quality.completeness_ppm,
    }
    told = "; ".join(
        f"{name} {ppm / _PERCENT_PPM:.2f} %" for name, ppm in figures.items() if ppm is not None
    )
    words = Literal(f"Measured: {BAND_WORDS[quality.band]}. {told}", "en")
    body = Node(None, [types("oa:TextualBody"), ("skos:note", [words])])
    return [
        Node(
            None,
            [
                types("dqv:QualityAnnotation", "oa:Annotation"),
                ("oa:hasTarget", [Iri(record.path)]),
                ("oa:motivatedBy", [Name("dqv:qualityAssessment")]),
                ("oa:hasBody", [body]),
            ],
        )
    ]


def _assessment(record: Record) -> list[Term]:
    if record.quality.whole_ppm is None:
        return []
    issued = Literal(f"{record.changed_at:%Y-%m-%d}", type="xsd:date")
    said: list[Statement] = [
        types("mobilitydcatap:Assessment"),
        ("dct:issued", [issued]),
        ("oa:hasBody", [Iri(f"{record.path}/quality")]),
    ]
    return [Node(None, said)]
