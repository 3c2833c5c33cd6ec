"""What validators hand in, and what is refused of it."""

import time
from collections.abc import Callable

import pytest
from django.test import Client

from ledger.domain import notes
from ledger.domain.notes import KeyType, Note, Signer, cosign, sign_note
from ledger.models import Checkpoint, Cosignature, Objection
from ledger.services import attestation
from tests.log.cosigners import Cosigners, post
from tests.log.hall import Hall, cosigner, cosigns

REFUSALS: dict[str, Callable[[Hall, Cosigners], tuple[str, str | bytes, int]]] = {
    "a witness may not hand in": lambda hall, who: (
        "/log/cosignatures",
        cosigned(hall.pending().text, who.keys["wilma"]),
        403,
    ),
    "a stranger": lambda hall, who: (
        "/log/cosignatures",
        cosigned(hall.pending().text, cosigner("mallory.example")),
        403,
    ),
    "a checkpoint of another log": lambda hall, who: (
        "/log/cosignatures",
        cosigned(notes.Checkpoint("x.example", 3, bytes(32)).text(), who.keys["vera"]),
        403,
    ),
    "another root": lambda hall, who: (
        "/log/cosignatures",
        cosigned(
            notes.Checkpoint(
                "hall.example/log", notes.Checkpoint.parse(hall.pending().text).size, bytes(32)
            ).text(),
            who.keys["vera"],
        ),
        403,
    ),
    "a broken signature": lambda hall, who: (
        "/log/cosignatures",
        broken(cosigned(hall.pending().text, who.keys["vera"])),
        403,
    ),
    "no note": lambda hall, who: ("/log/cosignatures", b"\xff\x00", 400),
    "no signature": lambda hall, who: ("/log/cosignatures", hall.pending().text, 400),
    "too much": lambda hall, who: ("/log/cosignatures", "x" * 65_537, 413),
    "an objection by a witness": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["wilma"]),
        403,
    ),
    "an objection by a stranger": lambda hall, who: (
        "/log/objections",
        objection(hall, cosigner("vera.example")),
        403,
    ),
    "an objection against another log": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["vera"], origin="x.example"),
        403,
    ),
    "an objection without form": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["vera"], index="one"),
        400,
    ),
}


def cosigned(text: str, key: Signer) -> str:
    return str(Note(text, (cosign(text, key, timestamp=int(time.time())),)))


def broken(text: str) -> str:
    at = len(text) - 20
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def objection(
    hall: Hall,
    key: Signer,
    *,
    origin: str = "hall.example/log",
    index: str = "4",
    explanation: str = "the state root is another one",
) -> str:
    head = notes.Checkpoint.parse(hall.pending().text)
    root = hall.pending().text.split("\n")[2]
    text = (
        f"heliopolis objection v1\n{origin}\n{head.size}\n{root}\n{index}\nstate_root\n"
        f"{explanation}\n"
    )
    signer = Signer(key.name, KeyType.LOG, key.private)
    return str(Note(text, (sign_note(text, signer),)))


def test_what_is_not_a_validators_word_is_refused(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    # What is refused changes nothing, so that all of it can be tried on one hall.
    for case, refusal in REFUSALS.items():
        path, body, status = refusal(hall, cosigners)
        assert post(path, body) == status, case
        assert not Objection.objects.exists(), case
        assert not Cosignature.objects.exclude(name="wilma").exists(), case


def test_a_cosignature_from_the_future_is_refused(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)

    assert cosigners.hand_in("vera", ahead_seconds=3600) == 403
    assert cosigners.hand_in("vera", ahead_seconds=10) == 200


def test_an_objection_is_kept_once_and_shown(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    said = objection(hall, cosigners.keys["vera"])

    assert [post("/log/objections", said) for _ in range(2)] == [200, 200]

    assert Objection.objects.count() == 1
    answer = Client().get("/log/objections")
    assert answer.content.decode() == said
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    page = Client().get("/log/").content.decode()
    assert "state_root" in page
    assert "the state root is another one" in page


def test_a_validator_that_floods_hides_nobody_s_objection(
    hall: Hall, cosigners: Cosigners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attestation, "OBJECTIONS_MAX", 120)
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    honest = objection(hall, cosigners.keys["vera"])
    assert post("/log/objections", honest) == 200

    flood = [objection(hall, cosigners.keys["victor"], index=str(n)) for n in range(125)]
    assert [post("/log/objections", each) for each in flood] == [200] * 120 + [403] * 5

    assert Objection.objects.filter(name="victor").count() == 120
    assert honest in Client().get("/log/objections").content.decode()
    assert "vera" in Client().get("/log/").content.decode().partition("Objections</h2>")[2]


def test_an_objection_that_does_something_to_its_reader_is_refused(
    hall: Hall, cosigners: Cosigners
) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    for text in ("\x9b2J", "\x7f", "a\u202eb", "\u2028", "x" * 501):
        said = objection(hall, cosigners.keys["vera"], explanation=text)
        assert post("/log/objections", said) == 400, text
        assert not Objection.objects.exists(), text


def test_of_an_objection_nothing_is_kept_that_nobody_signed(
    hall: Hall, cosigners: Cosigners
) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    said = objection(hall, cosigners.keys["vera"])
    assert post("/log/objections", said + f"\N{EM DASH} \x9bevil.example {'A' * 4000}\n") == 200
    assert Objection.objects.get().note == said
