"""The demo city's own catalogue, as a harvester fetches it: no violation of any shape."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings
from rdflib import Graph
from rdflib.compare import to_isomorphic
from rdflib.namespace import DCAT, RDF

from config import demo_market
from marketplace.errors import ProductClosed
from marketplace.models import CatalogueRecord, DataContract, DataDelivery, DataWish
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.version_verification import verify_versions
from marketplace.services.people import add_participant
from marketplace.services.wallets import open_wallet
from tests.data.feed_source import running_source
from tests.data.test_catalogue_shapes import fetched, folder, ours, published, violations
from tests.data.trading import NOW

__all__ = ["folder", "ours", "published"]
# rdflib's reader of JSON-LD warns of what it is made of itself.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
]


def test_the_demo_city_conforms(
    published: Graph,
    ours: Graph,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"
    settings.FETCH_ALLOWS_LOOPBACK = True
    people = {
        name: add_participant(role=role, name=name)
        for name, role in (("bikes", "data_provider"), ("baker", "enterprise"), ("plan", "planner"))
    }
    for participant_id in people.values():
        open_wallet(participant_id=participant_id, currency="CNY")
    with running_source() as source:
        source.put_stations(4, NOW)
        source.files["/gbfs.json"] = source.files["/gbfs"]
        monkeypatch.setenv(demo_market.FEED_VARIABLE, source.url("gbfs").removesuffix("/gbfs"))
        city = {
            "provider_id": people["bikes"],
            "buyer_id": people["baker"],
            "planner_id": people["plan"],
        }
        # A feed that is not fit yet ends a start of the demo; the next one goes on from there.
        with pytest.raises(ProductClosed):
            demo_market.trade(**city, now=NOW, clock=lambda: NOW - timedelta(hours=1))
        for _twice in range(2):
            demo_market.trade(**city, now=NOW, clock=lambda: NOW)
    # A second start of the demo found everything as the first one left it.
    assert CatalogueRecord.objects.count() == 4
    assert (DataContract.objects.count(), DataWish.objects.count()) == (4, 1)
    assert {each.state for each in DataDelivery.objects.all()} == {DataDelivery.State.OFFERED}
    verify_versions()
    verify_charges()

    graph = Graph().parse(data=fetched("/catalog.ttl"), format="turtle")
    same = Graph().parse(data=fetched("/catalog.jsonld"), format="json-ld")
    assert to_isomorphic(graph) == to_isomorphic(same)
    assert len(list(graph.subjects(RDF.type, DCAT.Dataset))) == 4
    assert len(list(graph.subjects(RDF.type, DCAT.DataService))) >= 1
    assert violations(graph, published) == 0
    assert violations(graph, ours) == 0
