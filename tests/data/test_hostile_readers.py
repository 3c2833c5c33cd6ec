"""Who is no part of it reads nothing and changes nothing: every address, every outsider."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.test import Client, override_settings

from marketplace.models import (
    DataInvoice,
    DataProduct,
    Participant,
)
from marketplace.services.data.disputes import open_dispute
from marketplace.services.data.wishes import post_wish
from tests.data.exchanging import (
    NOW,
    agree,
    exchange,
    go_on,
    publish_file,
    to_state,
    trader,
)
from tests.data.test_wishes import wish
from tests.test_public_views import ALL, is_public

Role = Participant.Role
pytestmark = pytest.mark.django_db
SECRET = "between Ada and Ben"  # stands in every text of theirs
# What a listed product says of itself is for everybody who is signed in.
OPEN = re.compile(r"^/(catalogue|api/v1/data/catalogue)/")
OURS = re.compile(r"^/(catalogue|market|api/v1/data)/.*<int:")
TABLES = [model for model in apps.get_models() if model.__name__.startswith(("Data", "Feed"))]


@pytest.fixture(autouse=True)
def hall(tmp_path: Path) -> Iterator[None]:
    with override_settings(DATA_FOLDER=tmp_path / "data", DATA_KEY_FILE=tmp_path / "data.key"):
        yield


@pytest.fixture
def ids() -> dict[str, int]:
    """Let Ada and Ben have one of everything; return its ids by the names of addresses."""
    ada = trader("Ada", Role.DATA_PROVIDER)
    ben = trader("Ben", Role.ENTERPRISE, funds_micro=10**8)
    sold = exchange(ada, ben)
    to_state(sold, "KEY_OUT")
    ends = sold.row.charge.window_ends_at
    assert ends is not None
    go_on(ends)  # paid: there is an invoice
    disputed = agree(publish_file(ada), ada, ben)
    other = type(sold)(ada, ben, disputed.pk)
    to_state(other, "KEY_OUT")
    dispute = open_dispute(
        charge_id=disputed.charge_id,
        participant_ids=[ben.participant_id],
        reason="wrong_content",
        statement=SECRET,
        now=NOW,
    )
    asked = wish(title=SECRET, deadline_at=NOW + timedelta(days=300))
    wish_id = post_wish(buyer_id=ben.participant_id, format_="counts", kind=1, wish=asked, now=NOW)
    draft = publish_file(ada)
    DataProduct.objects.filter(id=draft.product_id).update(
        state=DataProduct.State.DRAFT, listed_at=None, title=SECRET
    )
    return {
        "contract_id": disputed.contract_id,
        "delivery_id": disputed.pk,
        "charge_id": disputed.charge_id,
        "dispute_id": dispute,
        "invoice_id": DataInvoice.objects.earliest("id").pk,
        "wish_id": wish_id,
        "product_id": draft.product_id,
        "version_id": draft.pk,
        "query_id": 1,
        "credential_id": 1,
        "number": 1,
    }


def addresses(ids: dict[str, int]) -> list[str]:
    """Return the addresses of the data market that name something, with these ids in them."""
    return [
        re.sub(r"<int:(\w+)>", lambda found: str(ids[found[1]]), path)
        for _name, path, pattern in ALL
        if OURS.match(path) and not is_public(pattern)
    ]


def outsider(name: str, role: str) -> Client:
    client = Client()
    client.force_login(trader(name, role).user)
    return client


def everything() -> list[list[tuple[object, ...]]]:
    return [list(model._default_manager.order_by("pk").values_list()) for model in TABLES]


def test_outsiders_read_and_change_nothing(ids: dict[str, int]) -> None:
    paths = [path for path in addresses(ids) if not OPEN.match(path)]
    assert len(paths) > 60
    clients = {
        "third": outsider("Cleo", Role.ENTERPRISE),
        "provider": outsider("Dora", Role.DATA_PROVIDER),
        "planner": outsider("Pia", Role.PLANNER),
        "household": outsider("Hugo", Role.HOUSEHOLD),
        "operator": outsider("Olga", Role.OPERATOR),
    }
    before = everything()
    for who, client in clients.items():
        for path in paths:
            answers = [client.get(path)]
            answers += [client.post(path, {}, content_type="application/json")]
            for answer in answers:
                body = b"" if answer.streaming else answer.content
                # The operator decides the dispute, and reads what it is about.
                decides = who == "operator" and re.search(r"/(disputes|contracts)/\d+", path)
                said = (who, path, answer.status_code)
                is_empty = body == b'{"next":null,"results":[]}'
                is_away = answer.status_code in (400, 403, 404, 405)
                assert is_away or is_empty or decides, said
                assert SECRET.encode() not in body or decides, said
    assert everything() == before


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_numbers_that_nothing_has_are_not_found(number: int) -> None:
    names = ("contract", "delivery", "charge", "dispute", "invoice", "wish", "product")
    ids = {f"{name}_id": number for name in (*names, "version", "query", "credential")}
    client = outsider("Cleo", Role.ENTERPRISE)
    for path in addresses({**ids, "number": number}):
        for answer in (client.get(path), client.post(path, {}, content_type="application/json")):
            assert answer.status_code in (400, 403, 404, 405) or b'"results":[]' in answer.content


def test_addresses_and_words_that_no_database_takes(ids: dict[str, int]) -> None:
    client, bearer = Client(), {"Authorization": "Bearer hlfeed_x"}
    for path in ("/feeds/1/a%00b", "/feeds/9223372036854775808/gbfs.json", "/feeds/1/events"):
        answer = client.get(path, headers={**bearer, "Last-Event-ID": "0001-01-01T00:00:00+14:00"})
        assert answer.status_code in (401, 404), (path, answer.status_code)
    cleo = outsider("Cleo", Role.ENTERPRISE)
    for path in (
        "/catalogue?text=%00&west=%00&sort=%00&page=-1",
        f"/catalogue?page={10**30}&west={10**30}&format=99",
        "/api/v1/data/catalogue/?text=%00%ed%a0%80",
        "/api/v1/data/catalogue/?first_day=2026-02-01&last_day=2026-01-01",
        "/catalogue?from=2026-02-01&to=2026-01-01",
        "/catalogue?from=0001-01-01&to=9999-12-31",
        "/catalogue?west=1e999999&south=NaN&east=Infinity&north=1e-999999",
        "/catalogue?west=-1e999999&south=1&east=2&north=3",
        "/api/v1/data/catalogue/?west=9&south=9&east=1&north=1",
        f"/api/v1/data/catalogue/?page={10**30}",
        f"/api/v1/data/queries/?contract={10**18}&cursor={2**63}",
        "/market/requests?title=%00&format=%00",
        f"/market/contracts/new?product={10**30}",
        "/market/contracts/new?product=%00&answer=%00",
        "/catalog.atom?before=999999999999999999",
        "/indicators?days=%00",
        "/indicators/flows.csv?days=%00",
    ):
        assert cleo.get(path).status_code in (200, 302, 400, 404), path
