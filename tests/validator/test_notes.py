"""Signed notes: what others signed, what we sign, and what is not a note."""

import base64
from dataclasses import replace

import pytest

from validator.errors import BadNote, SignatureFailed
from validator.notes import (
    COSIGNER,
    INTEGER_MAX,
    LOG,
    Checkpoint,
    Note,
    Signature,
    SigningKey,
    VerifierKey,
)

DASH = "\u2014"
# From the tests of golang.org/x/mod/sumdb/note.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_LINE = (
    f"{DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
# The test vector of C2SP signed-note.
C2SP_PUBLIC = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    f"This is an example message.\n\n{DASH} example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# A checkpoint of a public Certificate Transparency log of 2026, with one of its cosignatures.
CT_PUBLIC = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
REMORA_PUBLIC = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
CT_NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    f"{DASH} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6"
    "hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    f"{DASH} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lef"
    "whUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    f"{DASH} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+"
    "aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)
LOG_KEY = SigningKey("city.example/log", LOG, b"l" * 32)
ALICE = SigningKey("alice.example/w1", COSIGNER, b"a" * 32)
HEAD = Checkpoint("city.example/log", 7, bytes(range(32)))


def test_a_note_of_go_is_read_and_made_alike() -> None:
    key = SigningKey.parse(GO_PRIVATE)

    assert str(key.verifier) == GO_PUBLIC
    assert str(key.sign(GO_TEXT)) == GO_LINE + "\n"
    assert key.private_text() == GO_PRIVATE
    note = Note.parse(f"{GO_TEXT}\n{GO_LINE}\n".encode())
    assert [found.key for found in note.verified([VerifierKey.parse(GO_PUBLIC)])] == [key.verifier]


def test_the_vector_of_the_specification_verifies() -> None:
    note = Note.parse(C2SP_NOTE.encode())

    assert len(note.verified([VerifierKey.parse(C2SP_PUBLIC)])) == 1
    assert str(note) == C2SP_NOTE


def test_a_public_log_and_its_witness_verify() -> None:
    note = Note.parse(CT_NOTE.encode())
    log, witness = (VerifierKey.parse(text) for text in (CT_PUBLIC, REMORA_PUBLIC))

    # The first line is of a type we do not know, under the log's name: it is passed over.
    assert {found.key.name: found.time for found in note.verified([log, witness])} == {
        log.name: None,
        witness.name: 1_779_573_024,
    }
    assert Checkpoint.parse(note.text).size == 1_432_088_532
    forged = replace(note, text=note.text.replace("1432088532", "1432088533"))
    for key in (log, witness):
        with pytest.raises(SignatureFailed):
            forged.verified([key])


def test_a_cosignature_binds_text_and_time() -> None:
    line = ALICE.cosign(str(HEAD), time=1_700_000_000)
    note = Note(str(HEAD), (LOG_KEY.sign(str(HEAD)), line))

    found = Note.parse(str(note).encode()).verified([ALICE.verifier, LOG_KEY.verifier])

    assert [(each.key.name, each.time) for each in found] == [
        (LOG_KEY.name, None),
        (ALICE.name, 1_700_000_000),
    ]
    later = (1_700_000_001).to_bytes(8) + line.signature[8:]
    impossible = (INTEGER_MAX + 1).to_bytes(8) + line.signature[8:]
    for signature in (later, impossible, line.signature[:-1], line.signature[8:]):
        with pytest.raises(SignatureFailed):
            ALICE.verifier.verify(str(HEAD), signature)


def test_one_seed_as_log_and_as_cosigner_are_two_keys() -> None:
    other = replace(ALICE, algorithm=LOG)
    line = other.sign(str(HEAD))

    assert line.key_id != ALICE.verifier.key_id
    assert Note(str(HEAD), (line,)).verified([ALICE.verifier]) == []


def test_a_note_with_one_bad_signature_of_a_known_key_is_refused_whole() -> None:
    good = LOG_KEY.sign(str(HEAD))
    bad = replace(ALICE.cosign("other\n", time=1), name=ALICE.name)
    note = Note(str(HEAD), (good, bad))

    with pytest.raises(SignatureFailed, match=r"alice\.example"):
        note.verified([LOG_KEY.verifier, ALICE.verifier])
    assert len(note.verified([LOG_KEY.verifier])) == 1


def test_a_key_that_signs_twice_counts_once() -> None:
    lines = tuple(ALICE.cosign(str(HEAD), time=time) for time in (1, 2))

    assert len(Note(str(HEAD), lines).verified([ALICE.verifier])) == 1


def test_a_text_may_hold_empty_lines_and_ends_at_the_last() -> None:
    text = "first\n\nsecond\n"
    note = Note.parse(f"{text}\n{LOG_KEY.sign(text)}".encode())

    assert note.text == text
    assert note.verified([LOG_KEY.verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        GO_TEXT.encode() + b"\n",
        f"{GO_TEXT}\n{GO_LINE}".encode(),
        f"{GO_TEXT}{GO_LINE}\n".encode(),
        f"{GO_TEXT}\n{GO_LINE}\n\n".encode(),
        f"{GO_TEXT}\n{GO_LINE}\r\n".encode(),
        f"a\tb\n\n{GO_LINE}\n".encode(),
        f"{GO_TEXT}\n{GO_LINE} \n".encode(),
        f"{GO_TEXT}\n{GO_LINE.replace(DASH, '-')}\n".encode(),
        f"{GO_TEXT}\n{DASH} a+b x08go/ZJkuBS9UG/\n".encode(),
        f"{GO_TEXT}\n{DASH}  x08go/ZJkuBS9UG/\n".encode(),
        f"{GO_TEXT}\n{DASH} a\xa0b x08go/ZJkuBS9UG/\n".encode(),
        f"{GO_TEXT}\n{DASH} name x08goQ==\n".encode(),
        f"{GO_TEXT}\n{DASH} name x08go/Z*\n".encode(),
        f"{GO_TEXT}\n{DASH} name x08go/ZJkuBS9UG\n".encode(),
        f"{GO_TEXT}\n{DASH} name x08go/ZJkuBS9UH=\n".encode(),
        b"\xff\n\n" + f"{GO_LINE}\n".encode(),
        f"{GO_TEXT}\n{GO_LINE}\n".encode() + f"{GO_LINE}\n".encode() * 64,
        b"x" * 1_000_001 + f"\n\n{GO_LINE}\n".encode(),
    ],
    ids=lambda data: repr(data[-24:]),
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(BadNote):
        Note.parse(data)


def test_a_verifier_key_is_read_in_one_writing_only() -> None:
    for start in range(len(GO_PUBLIC)):
        for end in range(start + 1, len(GO_PUBLIC) + 1):
            if (start, end) != (0, len(GO_PUBLIC)):
                with pytest.raises(BadNote):
                    VerifierKey.parse(GO_PUBLIC[start:end])
    for at, sign in enumerate(GO_PUBLIC):
        with pytest.raises(BadNote):
            VerifierKey.parse(GO_PUBLIC[:at] + chr(ord(sign) + 1) + GO_PUBLIC[at + 1 :])


def test_a_private_key_is_read_in_one_writing_only() -> None:
    for wrong in (
        GO_PUBLIC,
        GO_PRIVATE[:-1],
        GO_PRIVATE + "\n",
        GO_PRIVATE.replace("c74f", "c74e"),
    ):
        with pytest.raises(BadNote):
            SigningKey.parse(wrong)


def test_checkpoints() -> None:
    text = "city.example/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

    assert str(HEAD) == text
    assert Checkpoint.parse(text) == HEAD
    extended = Checkpoint.parse(text + "more\n")
    assert extended.extensions == ("more",)
    assert str(extended) == text + "more\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n-7\n"),
        ("\n7\n", "\n7 \n"),
        ("\n7\n", "\n\n"),
        ("\n7\n", "\n\u0667\n"),
        ("\n7\n", f"\n{2**63}\n"),
        ("\n7\n", "\n" + "9" * 5000 + "\n"),
        ("h8=\n", "h8=\n\n"),
        ("h8=\n", "h8=\nmore\n\n"),
        ("h8=\n", "h8="),
        ("Hh8=", "Hh8"),
        ("Hh8=", "Hh9="),
        ("AAECAwQF", ""),
        ("city.example/log\n", "\n"),
        ("city.example/log\n", ""),
    ],
)
def test_what_is_no_checkpoint(old: str, new: str) -> None:
    text = str(HEAD).replace(old, new)
    assert text != str(HEAD)

    with pytest.raises(BadNote):
        Checkpoint.parse(text)


def test_a_signature_line_names_a_key_by_name_and_id() -> None:
    line = Signature.parse(GO_LINE)
    key = VerifierKey.parse(GO_PUBLIC)

    assert (line.name, line.key_id) == (key.name, key.key_id)
    assert base64.b64encode(line.key_id + line.signature).decode() in GO_LINE
