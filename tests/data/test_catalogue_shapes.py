"""The catalogue under the published shapes of DCAT-AP and mobilityDCAT-AP, and under ours."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyshacl
import pytest
from django.test import Client
from rdflib import BNode, Graph, Literal, Namespace, URIRef
from rdflib.compare import to_isomorphic
from rdflib.namespace import DCAT, DCTERMS, FOAF, ODRL2, RDF, SKOS, XSD
from rdflib.term import Node

from marketplace.domain.data.catalogue_frame import (
    agent,
    catalogue_nodes,
    provider_path,
    shared_nodes,
)
from marketplace.domain.data.catalogue_record import Record, record_nodes
from marketplace.domain.data.quality import Quality
from marketplace.domain.data.turtle import (
    JSON_LD_END,
    Iri,
    json_ld,
    json_ld_head,
    turtle,
    turtle_head,
)
from marketplace.domain.data.turtle import Literal as Text
from marketplace.domain.data.turtle import Node as Said
from marketplace.domain.data.vocabularies import FREQUENCIES, LANGUAGES, MOBILITY, THEMES
from marketplace.models import DataProduct
from marketplace.services.data.catalogue import refresh
from tests.data.own_shapes import own_shapes
from tests.data.test_catalogue_search import shelves
from tests.worlds import world

FILES = (
    "dcat-ap/shapes.ttl",
    "dcat-ap/range.ttl",
    "mobilitydcat-ap/mobilitydcat-ap-shacl.ttl",
    "mobilitydcat-ap/mobilitydcat-ap-shacl-ranges.ttl",
)
BASE = "https://hall.example/"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
MDC = Namespace("https://w3id.org/mobilitydcat-ap#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
HOSTILE = 'a"b\\c\n\r\t\x00\x7f\u2028 \N{GRINNING FACE}<x> @en .'

catalogue = URIRef(f"{BASE}catalog")
file, feed = URIRef(f"{BASE}catalogue/1"), URIRef(f"{BASE}catalogue/2")
record, dist = URIRef(f"{file}#record"), URIRef(f"{file}#distribution")
service, live = URIRef(f"{feed}#service"), URIRef(f"{feed}#distribution")
provider = URIRef(f"{BASE}agent/7")
fee = URIRef(f"{BASE}rights/contractual-arrangement-fee-required")

# rdflib's reader of JSON-LD warns of what it is made of itself.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")

Change = Callable[[Graph], object]


def without(subject: Node, predicate: URIRef | None) -> Change:
    return lambda graph: graph.remove((subject, predicate, None))


def instead(subject: Node, predicate: URIRef, value: Node) -> Change:
    return lambda graph: graph.set((subject, predicate, value))


def also(subject: Node, predicate: URIRef, value: Node) -> Change:
    return lambda graph: graph.add((subject, predicate, value))


def inside(subject: Node, through: URIRef, predicate: URIRef, value: Node) -> Change:
    def change(graph: Graph) -> None:
        for blank in list(graph.objects(subject, through)):
            graph.set((blank, predicate, value))

    return change


def concept(subject: Node, predicate: URIRef, address: str) -> Change:
    """Point to a word that no vocabulary has, described as if one had it."""

    def change(graph: Graph) -> None:
        word = URIRef(address)
        graph.set((subject, predicate, word))
        graph.add((word, RDF.type, SKOS.Concept))
        graph.add((word, SKOS.prefLabel, Literal("x", lang="en")))

    return change


def checksum(graph: Graph) -> None:
    blank = BNode()
    graph.add((dist, SPDX.checksum, blank))
    graph.add((blank, RDF.type, SPDX.Checksum))
    graph.add((blank, SPDX.algorithm, SPDX.checksumAlgorithm_sha256))
    graph.add((blank, SPDX.checksumValue, Literal("ab" * 32, datatype=XSD.hexBinary)))


def organisation_only(graph: Graph) -> None:
    graph.set((provider, RDF.type, FOAF.Organization))


# Not DCTERMS.format, which is a method of the namespace and changes nothing.
FORMAT = URIRef("http://purl.org/dc/terms/format")
# Each is one thing wrong; the published files see it.
SEEN: dict[str, Change] = {
    "dataset without publisher": without(file, DCTERMS.publisher),
    "dataset without place": without(file, DCTERMS.spatial),
    "dataset without frequency": without(file, DCTERMS.accrualPeriodicity),
    "dataset without theme": without(file, MDC.mobilityTheme),
    "dataset without distribution": without(file, DCAT.distribution),
    "dataset without title": without(file, DCTERMS.title),
    "dataset without description": without(file, DCTERMS.description),
    "dataset conforms to a format": also(file, DCTERMS.conformsTo, URIRef("https://gbfs.org/")),
    "description in Chinese": also(file, DCTERMS.description, Literal("描述", lang="zh-hans")),
    "keyword in Chinese": also(file, DCAT.keyword, Literal("单车", lang="zh-hans")),
    "frequency from elsewhere": instead(
        file, DCTERMS.accrualPeriodicity, URIRef("https://x.example/often")
    ),
    "modified in words": instead(file, DCTERMS.modified, Literal("yesterday")),
    "distribution without standard": without(dist, MDC.mobilityDataStandard),
    "distribution without rights": without(dist, DCTERMS.rights),
    "distribution without address": without(dist, DCAT.accessURL),
    "distribution of two addresses": also(dist, DCAT.accessURL, URIRef("https://x.example/")),
    "distribution without format": without(dist, FORMAT),
    "distribution under two licences": also(
        dist, DCTERMS.license, URIRef(f"{BASE}licence/odbl-1.0")
    ),
    "negative size": instead(dist, DCAT.byteSize, Literal("-1", datatype=XSD.integer)),
    "SHA-256 as an SPDX checksum": checksum,
    "service without address": without(service, DCAT.endpointURL),
    "provider without name": without(provider, FOAF.name),
    "provider an organisation only": organisation_only,
    "catalogue without homepage": without(catalogue, FOAF.homepage),
    "catalogue without records": without(catalogue, DCAT.record),
    "catalogue without publisher": without(catalogue, DCTERMS.publisher),
    "record without language": without(record, DCTERMS.language),
    "record without beginning": without(record, DCTERMS.created),
    "record without change": without(record, DCTERMS.modified),
    "record of nothing": without(record, FOAF.primaryTopic),
    "policy that is none": lambda graph: graph.remove(
        (URIRef(f"{file}#policy"), RDF.type, ODRL2.Policy)
    ),
}
# These conform to all four published files; ours see them, as the four rules they forget.
OURS: dict[str, Change] = {
    "rights without conditions": without(fee, DCTERMS.type),
    "rights under unknown conditions": concept(
        fee, DCTERMS.type, f"{MOBILITY}conditions-for-access-and-usage/nonsense"
    ),
    "unknown theme": concept(file, MDC.mobilityTheme, f"{MOBILITY}mobility-theme/nonsense"),
    "end before start": inside(
        file,
        DCTERMS.temporal,
        DCAT.endDate,
        Literal("2013-01-01T00:00:00Z", datatype=XSD.dateTime),
    ),
    "start in words": inside(file, DCTERMS.temporal, DCAT.startDate, Literal("soon")),
    "record changed in words": instead(record, DCTERMS.modified, Literal("yesterday")),
    "title in no language": instead(file, DCTERMS.title, Literal("plain")),
    "dataset in no catalogue": lambda graph: graph.remove((catalogue, DCAT.dataset, file)),
    "service of nothing": without(service, DCAT.servesDataset),
    "feed without service": without(live, DCAT.accessService),
    "box in words": inside(file, DCTERMS.spatial, DCAT.bbox, Literal("here")),
    "mail to a web page": also(provider, FOAF.mbox, URIRef("https://x.example/")),
}
# The specification's own four; the mobility files alone miss them all.
FORGOTTEN = (
    "catalogue without publisher",
    "record without change",
    "record of nothing",
    "rights without conditions",
)


@pytest.fixture(scope="module")
def folder() -> Path:
    data = os.environ.get("HELIOPOLIS_REAL_DATA")
    found = Path(data).parent / "standards" if data else None
    if found is None or not (found / FILES[0]).is_file():
        pytest.skip("no published shapes: no folder standards beside HELIOPOLIS_REAL_DATA")
    return found


@pytest.fixture(scope="module")
def published(folder: Path) -> Graph:
    graph = Graph()
    for name in FILES:
        graph.parse(folder / name)
    return graph


@pytest.fixture(scope="module")
def ours() -> Graph:
    return Graph().parse(data=own_shapes(), format="turtle")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Shapes import others by address: whoever followed them would fail here."""
    if "db" in request.fixturenames:
        return  # the database is on a socket too

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a catalogue is checked without a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def violations(graph: Graph, shapes: Graph) -> int:
    conforms, report, text = pyshacl.validate(
        graph, shacl_graph=shapes, inference="none", do_owl_imports=False, advanced=False
    )
    found = sum(1 for _ in report.subjects(RDF.type, _SH.ValidationResult))
    assert conforms == (found == 0), text
    return found


_SH = Namespace("http://www.w3.org/ns/shacl#")


def two_products() -> list[Record]:
    sold = Record(
        product_id=1,
        provider_id=7,
        is_feed=False,
        format="trips",
        language="en",
        title="Bike flows",
        description="Flows between areas.",
        keywords=["bike share"],
        theme="bike-sharing-availability",
        frequency="IRREG",
        licence="cc-by-4.0",
        is_free=False,
        listed_at=NOW,
        changed_at=NOW,
        bbox=(-122_530_000, 37_700_000, -122_350_000, 37_830_000),
        start=NOW - timedelta(days=90),
        end=NOW,
        resolution_s=900,
        version=3,
        byte_count=10_485_760,
        manifest_sha256="ab" * 32,
        quality=Quality(validity_ppm=999_000, completeness_ppm=970_000),
    )
    return [sold, replace(sold, product_id=2, is_feed=True, format="gbfs")]


def both_forms(records: Iterable[Record]) -> tuple[str, str]:
    fragments = [record_nodes(each) for each in records]
    frame = [
        *catalogue_nodes(issued=NOW, changed=NOW),
        agent(provider_path(7), "City bikes"),
        *shared_nodes(),
    ]
    written = turtle_head(BASE) + "".join(map(turtle, fragments)) + turtle(frame)
    linked = ",\n".join(json_ld(each) for each in (*fragments, frame))
    return written, json_ld_head(BASE) + linked + JSON_LD_END


@pytest.fixture(scope="module")
def good() -> Graph:
    return Graph().parse(data=both_forms(two_products())[0], format="turtle")


@pytest.fixture
def ids(db: None) -> Iterator[dict[str, int]]:
    with world(shelves) as ids:
        yield ids


def test_the_halls_catalogue_conforms(ids: dict[str, int], published: Graph, ours: Graph) -> None:
    """Every format, words of a stranger, Chinese, nothing measured: not one violation."""
    words = HOSTILE.replace("\x00", "\x01")  # the database holds no NUL
    odd = {"title": words, "description": words, "keywords": [words, "x"]}
    DataProduct.objects.filter(pk=ids["free"]).update(**odd, theme="?", frequency="?")
    refresh(product_id=ids["free"], now=NOW + timedelta(days=2))

    graph = Graph().parse(data=fetched("/catalog.ttl"), format="turtle")
    same = Graph().parse(data=fetched("/catalog.jsonld"), format="json-ld")
    assert to_isomorphic(graph) == to_isomorphic(same)
    assert {str(each).rpartition("/")[2] for each in graph.subjects(RDF.type, DCAT.Dataset)} == {
        str(id_) for id_ in ids.values()
    }
    assert (None, DCTERMS.title, Literal(words, lang="en")) in graph
    for name in ("bikes", "live"):
        page = URIRef(f"http://testserver/catalogue/{ids[name]}#distribution")
        assert graph.value(page, DCAT.accessService) is not None
    assert violations(graph, published) == 0
    assert violations(graph, ours) == 0


def fetched(address: str) -> str:
    answer: Any = Client().get(address)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_each_mutilated_record_violates(good: Graph, published: Graph, ours: Graph) -> None:
    assert violations(good, published) == violations(good, ours) == 0
    for name, change in {**SEEN, **OURS}.items():
        graph = Graph()
        for triple in good:
            graph.add(triple)
        change(graph)
        assert set(graph) != set(good), f"{name}: nothing was changed"
        shapes = published if name in SEEN else ours
        assert violations(graph, shapes) > 0, name
        if name in FORGOTTEN:
            assert violations(graph, ours) > 0, name


def test_what_the_published_shapes_let_through(good: Graph, published: Graph) -> None:
    """If one of these is ever seen by them, ours need not look for it any more."""
    for name, change in OURS.items():
        graph = Graph()
        for triple in good:
            graph.add(triple)
        change(graph)
        if name != "feed without service":
            assert violations(graph, published) == 0, name


def test_every_word_that_a_record_may_point_to_is_described() -> None:
    """All themes, frequencies and languages, each once, so that no reader must fetch one."""
    [sold, live_] = two_products()
    themes, frequencies, languages = list(THEMES), list(FREQUENCIES), list(LANGUAGES)
    records = [
        replace(
            live_ if number % 2 else sold,
            product_id=number,
            theme=themes[number % len(themes)],
            frequency=frequencies[number % len(frequencies)],
            language=languages[number % len(languages)],
        )
        for number in range(len(languages) * 2)
    ]
    graph = Graph().parse(data=both_forms(records)[0], format="turtle")
    pointed = {each for each in graph.objects() if isinstance(each, URIRef)}
    typed = {each for each, _type in graph.subject_objects(RDF.type)}
    vocabularies = ("publications.europa.eu", "w3id.org/mobilitydcat-ap/", "purl.org/adms")
    assert {each for each in pointed - typed if any(word in each for word in vocabularies)} == set()


def test_addresses_and_literals_cannot_be_broken_out_of() -> None:
    said = [Said(Iri("a b>{}|"), [("dct:title", [Text(HOSTILE, "en"), Text('"""', "zh")])])]
    graph = Graph().parse(data=turtle_head(BASE) + turtle(said), format="turtle")
    same = Graph().parse(data=json_ld_head(BASE) + json_ld(said) + JSON_LD_END, format="json-ld")
    assert to_isomorphic(graph) == to_isomorphic(same)
    assert {str(each) for each in graph.objects()} == {HOSTILE, '"""'}
    assert {str(each) for each in graph.subjects()} == {f"{BASE}a%20b%3E%7B%7D%7C"}
    with pytest.raises(ValueError, match="language tag"):
        Text("x", "en> .")
