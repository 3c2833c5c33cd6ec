"""The client end to end, against a hall that is served: buy, sign, receive, verify, complain."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from client.main import main
from marketplace.models import DataDelivery, DataVersion
from tests.client.bad_chunk import with_bad_chunk
from tests.client.conftest import Market
from tests.data.exchanging import (
    CONTENT,
    PRICE_MICRO,
    READ_ME,
    Exchange,
    agree,
    publish_file,
)

PROOFS = "heliopolis-proofs"


def contract_of(version: DataVersion) -> Exchange:
    delivery = DataDelivery.objects.select_related("contract").get(contract__version=version)
    return Exchange(None, None, delivery.pk)  # type: ignore[arg-type]  # only its row is read


def said(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out


def test_bought_signed_received_and_verified_offline(
    market: Market, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hall, ann, ben = market.hall, market.ann, market.ben
    version = publish_file(ann)
    assert hall.client(ben, "buy", str(version.product_id), "--months", "3") == 0
    number = re.search(r"contract (\d+) proposed", said(capfd))
    assert number is not None
    assert hall.client(ann, "sign", number[1]) == 0
    hall.go_on()
    bought = contract_of(version)
    into = ["--into", str(tmp_path / "got")]
    assert hall.client(ben, "receive", str(bought.id), *into) == 6  # the seller has not signed
    assert hall.client(ann, "sell") == 0
    assert hall.client(ben, "receive", str(bought.id), *into) == 6  # the key is not out yet
    assert bought.state == "ACKNOWLEDGED"
    hall.go_on()
    assert hall.client(ben, "receive", str(bought.id), *into) == 0
    assert (tmp_path / "got" / "counts.csv").read_bytes() == CONTENT
    assert (tmp_path / "got" / "read-me.txt").read_bytes() == READ_ME
    assert bought.state == "ACCEPTED"
    hall.go_on()
    policy = hall.publish_log()
    assert hall.client(ben, "receipts", str(bought.id), *into) == 0
    said(capfd)
    assert main(["verify", str(tmp_path / "got"), "--policy", str(policy)]) == 0
    report = said(capfd)
    for what in ("data-version:", "data-contract:", "data-origin:", "data-key:", "counts.csv"):
        assert what in report
    _spoilt(tmp_path / "got", policy)


def _spoilt(folder: Path, policy: Path) -> None:
    """Whatever is changed afterwards is seen."""
    proofs = folder / PROOFS
    receipt = next(proofs.glob("data-contract-*.tlog-proof"))
    swaps: list[tuple[Path, Callable[[bytes], bytes]]] = [
        (folder / "counts.csv", lambda data: data[:-1] + b"9"),
        (proofs / "contract.json", lambda data: data.replace(b'"months":"3"', b'"months":"4"')),
        (proofs / "origin.json", lambda data: data.replace(b'"chunks":"', b'"chunks":"1')),
        (proofs / "manifest.json", lambda data: data.replace(b'"rows":"', b'"rows":"1')),
        (receipt, lambda data: next(proofs.glob("data-version-*.tlog-proof")).read_bytes()),
        (receipt, lambda data: data.replace(b"index ", b"index 1")),
        (receipt, lambda data: data[:-20] + b"A" + data[-19:]),
    ]
    for path, change in swaps:
        whole = path.read_bytes()
        path.write_bytes(change(whole))
        assert main(["verify", str(folder), "--policy", str(policy)]) == 5, path
        path.write_bytes(whole)
    stranger = policy.with_name("strangers")
    stranger.write_text(policy.read_text().replace("quorum none", "quorum nobody"))
    assert main(["verify", str(folder), "--policy", str(stranger)]) == 1
    assert main(["verify", str(folder), "--policy", str(policy)]) == 0


def test_a_buyer_who_lost_everything_receives_again_and_pays_once(
    market: Market, tmp_path: Path
) -> None:
    hall, ben = market.hall, market.ben
    version = publish_file(market.ada)
    bought = Exchange(market.ada, ben, agree(version, market.ada, ben, hall.now).pk)
    before = ben.balance
    hall.go_on()
    assert hall.client(ben, "receive", str(bought.id), "--into", str(tmp_path / "lost")) == 6
    hall.go_on()
    again = ["--into", str(tmp_path / "again")]
    assert hall.client(ben, "receive", str(bought.id), *again) == 1  # nothing opens the wrap
    assert hall.client(ben, "rewrap", str(bought.id), *again) == 0
    assert hall.client(ben, "receive", str(bought.id), *again) == 0
    assert (tmp_path / "again" / "counts.csv").read_bytes() == CONTENT
    hall.go_on()
    assert before - ben.balance == PRICE_MICRO


def test_a_bad_chunk_is_evidence_and_the_money_comes_back(
    market: Market, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hall, ben = market.hall, market.ben
    version = with_bad_chunk(publish_file(market.ada), index=1)
    bought = Exchange(market.ada, ben, agree(version, market.ada, ben, hall.now).pk)
    before = ben.balance
    hall.go_on()
    command = ["receive", str(bought.id), "--into", str(tmp_path / "bad")]
    assert hall.client(ben, *command) == 6
    hall.go_on()
    assert ben.balance == before - PRICE_MICRO
    assert hall.client(ben, *command) == 5
    evidence = tmp_path / "bad" / PROOFS / "evidence.json"
    said(capfd)
    assert main(["verify-evidence", str(evidence)]) == 0
    assert said(capfd) == "other_content: the seller\n"
    spoilt = tmp_path / "spoilt.json"
    spoilt.write_bytes(evidence.read_bytes()[:-2])
    assert main(["verify-evidence", str(spoilt)]) == 5
    assert not (tmp_path / "bad" / "counts.csv").exists()
    assert hall.client(ben, "complain", str(bought.id), "--into", str(tmp_path / "bad")) == 0
    hall.go_on()
    assert (bought.state, bought.money, ben.balance) == ("ENDED", "REFUNDED", before)


def test_what_is_asked_wrongly_is_said_clearly(
    market: Market, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hall, ben = market.hall, market.ben
    assert hall.client(ben, "receive", "999999", "--into", str(tmp_path)) == 3
    assert "not_found" in capfd.readouterr().err
    assert hall.client(ben, "--hall", "http://hall.example", "list") == 1
    assert "https" in capfd.readouterr().err
    open_file = tmp_path / "token"
    open_file.write_text("secret")
    open_file.chmod(0o644)
    assert hall.client(ben, "--token-file", str(open_file), "list") == 1
    assert "chmod 600" in capfd.readouterr().err
    assert hall.client(ben, "--hall", "http://127.0.0.1:9", "list") == 4
