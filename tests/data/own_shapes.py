"""Our own shapes of a catalogue, for what the published ones let through; plain SHACL core.

The lists of slugs are the constants that the writer uses: what it cannot write is refused here.
"""

from typing import Final

from marketplace.domain.data.vocabularies import (
    EU,
    FREQUENCIES,
    MOBILITY,
    MODES,
    RIGHTS,
    STANDARDS,
    THEMES,
)

_SHAPES: Final = """
@prefix own: <https://heliopolis.example/shapes#> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> .
@prefix mobility: <https://w3id.org/mobilitydcat-ap#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

own:Moment a sh:NodeShape ; sh:or ( [ sh:datatype xsd:date ] [ sh:datatype xsd:dateTime ] ) .

# The four rules of the specification that the mobility shapes forget.
own:Catalogue a sh:NodeShape ; sh:targetClass dcat:Catalog ; sh:property
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ] .
own:Record a sh:NodeShape ; sh:targetClass dcat:CatalogRecord ; sh:property
    [ sh:path dct:modified ; sh:minCount 1 ; sh:maxCount 1 ; sh:node own:Moment ] ,
    [ sh:path foaf:primaryTopic ; sh:minCount 1 ; sh:maxCount 1 ; sh:class dcat:Dataset ] .
own:Rights a sh:NodeShape ; sh:targetClass dct:RightsStatement ; sh:property
    [ sh:path dct:type ; sh:minCount 1 ; sh:maxCount 1 ; sh:in ( %(rights)s ) ] .

# More that all four published files let through.
own:Dataset a sh:NodeShape ; sh:targetClass dcat:Dataset ; sh:property
    [ sh:path [ sh:inversePath dcat:dataset ] ; sh:minCount 1 ] ,
    [ sh:path [ sh:inversePath foaf:primaryTopic ] ; sh:minCount 1 ; sh:maxCount 1 ] ,
    [ sh:path dct:title ; sh:datatype rdf:langString ] ,
    [ sh:path dct:accrualPeriodicity ; sh:in ( %(frequencies)s ) ] ,
    [ sh:path mobility:mobilityTheme ; sh:in ( %(themes)s ) ] ,
    [ sh:path mobility:transportMode ; sh:in ( %(modes)s ) ] .
own:Distribution a sh:NodeShape ; sh:targetClass dcat:Distribution ; sh:property
    [ sh:path [ sh:inversePath dcat:distribution ] ; sh:minCount 1 ] ,
    [ sh:path mobility:mobilityDataStandard ; sh:in ( %(standards)s ) ] .
own:Period a sh:NodeShape ; sh:targetClass dct:PeriodOfTime ; sh:property
    [ sh:path dcat:startDate ; sh:minCount 1 ; sh:node own:Moment ;
      sh:lessThanOrEquals dcat:endDate ] ,
    [ sh:path dcat:endDate ; sh:node own:Moment ] .
own:Location a sh:NodeShape ; sh:targetClass dct:Location ; sh:property
    [ sh:path dcat:bbox ; sh:datatype geo:wktLiteral ; sh:pattern "^POLYGON\\\\(\\\\(" ] .
own:Agent a sh:NodeShape ; sh:targetClass foaf:Agent ; sh:property
    [ sh:path foaf:mbox ; sh:pattern "^mailto:" ] .
own:Service a sh:NodeShape ; sh:targetClass dcat:DataService ; sh:property
    [ sh:path dcat:servesDataset ; sh:minCount 1 ; sh:class dcat:Dataset ] ,
    [ sh:path [ sh:inversePath dcat:accessService ] ; sh:minCount 1 ] ,
    [ sh:path [ sh:inversePath dcat:service ] ; sh:minCount 1 ] .
"""


def own_shapes() -> str:
    """Return the shapes as Turtle."""
    rights = f"{MOBILITY}conditions-for-access-and-usage/"
    lists = {
        "rights": [rights + slug for slug in RIGHTS],
        "frequencies": [f"{EU}frequency/{code}" for code in FREQUENCIES],
        "themes": [f"{MOBILITY}mobility-theme/{slug}" for slug in THEMES],
        "modes": [f"{MOBILITY}transport-mode/{slug}" for slug in MODES],
        "standards": [f"{MOBILITY}mobility-data-standard/{slug}" for slug in STANDARDS],
    }
    return _SHAPES % {
        name: " ".join(f"<{address}>" for address in addresses) for name, addresses in lists.items()
    }
