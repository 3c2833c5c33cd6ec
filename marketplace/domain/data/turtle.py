"""Statements about things as Turtle and as JSON-LD, from the same nodes.

Only what a catalogue needs: IRIs, literals, blank nodes in place. Addresses of our own are
relative: whoever joins fragments writes the base before them. A subject may come again, its
statements add up, so that fragments written apart are one graph when they are read.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PREFIXES: Final[Mapping[str, str]] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dqv": "http://www.w3.org/ns/dqv#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "hp": "https://heliopolis.example/ns#",
    "mobilitydcatap": "https://w3id.org/mobilitydcat-ap#",
    "oa": "http://www.w3.org/ns/oa#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED: Final = re.compile(r'[\\"\x00-\x1f\x7f]')
_NOT_IN_IRIS: Final = re.compile(r'[\x00-\x20<>"{}|^`\\]')
_LANGUAGE_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class Iri:
    """An address, relative or whole. What may not stand in one is percent-encoded here.

    Readers of JSON-LD drop a node with a bad address in silence, so no writer may see one.
    """

    value: str

    def __post_init__(self) -> None:
        encoded = _NOT_IN_IRIS.sub(lambda found: f"%{ord(found[0]):02X}", self.value)
        object.__setattr__(self, "value", encoded)


@dataclass(frozen=True)
class Name:
    """A constant of a vocabulary, as ``prefix:word``; ``a`` is the type."""

    value: str


@dataclass(frozen=True)
class Literal:
    """A value as text, in a language or of a type (``xsd:date``), or neither."""

    text: str
    language: str = ""
    type: str = ""

    def __post_init__(self) -> None:
        """Refuse a language that is not a tag: it would end the literal."""
        if self.language and not _LANGUAGE_TAG.fullmatch(self.language):
            raise ValueError(f"not a language tag: {self.language!r}")


@dataclass(frozen=True)
class Node:
    """A thing and what is said about it; without a subject it stands inside another."""

    subject: Iri | None
    statements: Sequence["Statement"]


Term = Iri | Name | Literal | Node
Statement = tuple[str, Sequence[Term]]


def types(*names: str) -> Statement:
    """Say what a thing is."""
    return "a", [Name(name) for name in names]


def turtle_head(base: str) -> str:
    """Return what stands before fragments in a Turtle file."""
    lines = [f"@base <{Iri(base).value}> ."]
    lines += [f"@prefix {prefix}: <{address}> ." for prefix, address in PREFIXES.items()]
    return "\n".join(lines) + "\n\n"


def turtle(nodes: Iterable[Node]) -> str:
    """Write nodes as a fragment of Turtle."""
    between = " ;\n  "
    return "".join(f"{_turtle_subject(node)} {_turtle_body(node, between)} .\n" for node in nodes)


def json_ld_head(base: str) -> str:
    """Return what stands before fragments in a JSON-LD file; after them comes `JSON_LD_END`.

    The context stands in the file: one at an address would have to be fetched by every reader.
    """
    context = {"@base": Iri(base).value, **PREFIXES}
    return f'{{"@context":{json.dumps(context, separators=(",", ":"))},"@graph":[\n'


JSON_LD_END: Final = "\n]}\n"


def json_ld(nodes: Iterable[Node]) -> str:
    """Write nodes as a fragment of JSON-LD: members of a list, with commas between them only."""
    return ",\n".join(
        json.dumps(_json_node(node), ensure_ascii=False, separators=(",", ":")) for node in nodes
    )


def _turtle_subject(node: Node) -> str:
    assert node.subject is not None  # a node without one stands inside another
    return f"<{node.subject.value}>"


def _turtle_body(node: Node, between: str) -> str:
    return between.join(
        f"{predicate} {', '.join(map(_turtle_term, terms))}"
        for predicate, terms in node.statements
        if terms
    )


def _turtle_term(term: Term) -> str:
    match term:
        case Iri(value):
            return f"<{value}>"
        case Name(value):
            return value
        case Literal(text, language, type_):
            quoted = f'"{_ESCAPED.sub(_escape, text)}"'
            if language:
                return f"{quoted}@{language}"
            return f"{quoted}^^{type_}" if type_ else quoted
        case Node():
            return f"[ {_turtle_body(term, ' ; ')} ]"


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}"


def _json_node(node: Node) -> dict[str, object]:
    written: dict[str, object] = {}
    if node.subject is not None:
        written["@id"] = node.subject.value
    for predicate, terms in _pairs(node):
        if predicate == "a":
            written["@type"] = [term.value for term in terms if isinstance(term, Name)]
        else:
            values = [_json_term(term) for term in terms]
            written[predicate] = values if len(values) > 1 else values[0]
    return written


def _pairs(node: Node) -> Iterator[tuple[str, Sequence[Term]]]:
    return ((predicate, terms) for predicate, terms in node.statements if terms)


def _json_term(term: Term) -> object:
    match term:
        case Iri(value) | Name(value):
            return {"@id": value}
        case Literal(text, language, type_):
            literal = {"@value": text}
            if language:
                literal["@language"] = language
            elif type_:
                literal["@type"] = type_
            return literal
        case Node():
            return _json_node(term)
