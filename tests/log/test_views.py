"""`/log/` over HTTP: forms and caches of C2SP tlog-tiles, openings behind a credential."""

import gzip
import json
from base64 import b64decode
from hashlib import sha256

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client

from ledger.domain.tiles import entries_of
from ledger.models import Account, Block, OpeningsCredential
from tests.log.hall import Hall

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"


def get(path: str, **headers: str) -> HttpResponse:
    answer = Client().get(f"/log/{path}", headers=headers)
    assert isinstance(answer, HttpResponse)
    return answer


@pytest.fixture
def published(hall: Hall) -> Hall:
    hall.book(300, blocks=2)
    hall.step()
    return hall


def test_what_is_served_and_how_long_it_is_kept(published: Hall) -> None:
    for path, kind, cache in (
        ("pending", TEXT, "no-store"),
        ("checkpoint", TEXT, "public, max-age=2"),
        ("policy", TEXT, "public, max-age=60"),
        ("objections", TEXT, "public, max-age=2"),
        ("tile/0/000", BINARY, "public, max-age=31536000, immutable"),
        ("tile/1/000.p/2", BINARY, "public, max-age=31536000, immutable"),
        ("tile/entries/001", BINARY, "public, max-age=31536000, immutable"),
    ):
        answer = get(path)
        told = (path, answer.status_code, answer["Content-Type"], answer["Cache-Control"])
        assert told == (path, 200, kind, cache)
        if not path.startswith(("policy", "objections")):
            assert answer.content == published.folder.read(path), path
        assert Client().head(f"/log/{path}").status_code == 200, path


def test_a_bundle_is_compressed_for_who_asks(published: Hall) -> None:
    plain = get("tile/entries/000")
    for wanted in ("gzip", "br, gzip;q=0.5", "GZIP"):
        packed = get("tile/entries/000", **{"Accept-Encoding": wanted})
        assert packed["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.content) == plain.content
        assert len(packed.content) < len(plain.content)
    for unwanted in ("identity", "gzip;q=0", "br"):
        answer = get("tile/entries/000", **{"Accept-Encoding": unwanted})
        assert answer.content == plain.content
        assert "Content-Encoding" not in answer


def test_a_partial_tile_is_served_when_only_the_full_one_is_there(hall: Hall) -> None:
    hall.book(3)
    hall.step()
    size = Block.objects.get().log_size
    tile = get(f"tile/0/000.p/{size}").content
    bundle = get(f"tile/entries/000.p/{size}").content
    hall.book(400)
    hall.step()
    assert hall.folder.read(f"tile/0/000.p/{size}") is None

    assert get(f"tile/0/000.p/{size}").content == tile
    assert get(f"tile/entries/000.p/{size}").content == bundle
    assert len(entries_of(bundle)) == size


@pytest.mark.usefixtures("published")
def test_nothing_else_is_served() -> None:
    for path in (
        "tile/0/009",
        "tile/0/0",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/entries/../../log.key",
        "tile/../../../log.key",
        "tile/0/000/",
    ):
        answer = get(path)
        assert (path, answer.status_code, answer["Cache-Control"]) == (path, 404, "no-store")


def test_before_the_first_checkpoint_there_is_none(hall: Hall) -> None:
    assert get("pending").status_code == 404
    assert get("checkpoint").status_code == 404
    assert get("policy").content.decode().endswith(f"log {hall.signer.key}\nquorum none\n")
    assert "attested” says only that the log itself has signed" in get("").content.decode()


def test_openings_need_a_credential_that_counts(published: Hall) -> None:
    run = published.database.manage("openings_credential", "vera", "--skip-checks")
    assert run.returncode == 0, run.stderr
    token = run.stdout.strip()
    with pytest.raises(CommandError, match="was made before"):
        call_command("openings_credential", "vera")

    for path in ("openings/1", "openings/documents/book:1:1"):
        for header in ("", "Bearer x", f"Basic {token}", f"Bearer {token}x"):
            answer = get(path, Authorization=header)
            assert answer.status_code == 401, header
            assert answer["WWW-Authenticate"] == "Bearer"
    assert stream("openings/1", token)[0] == 200
    assert stream("openings/9", token)[0] == 404
    assert stream("openings/documents/book:1:1", token)[0] == 404
    stored = OpeningsCredential.objects.get()
    assert bytes(stored.token_hash) == sha256(token.encode()).digest()

    call_command("openings_credential", "--revoke", "vera")
    assert stream("openings/1", token)[0] == 401
    with pytest.raises(CommandError, match="no credential"):
        call_command("openings_credential", "--revoke", "vera")


def stream(path: str, token: str) -> tuple[int, list[bytes]]:
    answer = Client().get(f"/log/{path}", headers={"Authorization": f"Bearer {token}"})
    if not answer.streaming:
        return answer.status_code, [answer.content]
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.getvalue().split(b"\n")


def test_openings_are_those_of_the_leaves(published: Hall) -> None:
    token = published.database.manage("openings_credential", "vera", "--skip-checks").stdout.strip()

    status, lines = stream("openings/1", token)

    assert status == 200
    assert lines.pop() == b""
    head, *openings = [json.loads(line) for line in lines]
    seed = b64decode(head["seed"])
    assert (head["block"], head["first"]) == ("1", "0")
    assert [each["account"] for each in openings[:2]] == [
        str(id_) for id_ in Account.objects.order_by("id").values_list("id", flat=True)
    ]
    assert [each["key"] for each in openings[2:]] == ["deposit-1"]
    entries = entries_of(get("tile/entries/000").content)
    for index, line in enumerate(lines[1:]):
        salt = sha256(seed + index.to_bytes(8, "big")).digest()
        committed = json.loads(entries[index])["commitment"]
        assert b64decode(committed) == sha256(salt + line).digest()
