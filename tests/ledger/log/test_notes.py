"""Notes, keys, checkpoints and cosignatures: the published examples, and one way to write each."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.notes import (
    Checkpoint,
    KeyType,
    Note,
    Signature,
    Signer,
    VerifierKey,
    cosign,
    parse_signatures,
    sign_note,
)
from ledger.errors import LogBroken, LogMalformed
from tests.ledger.log.published import NOW, ORIGIN, cosigners, log_signer, signed

# The key, the note and its signature that the documentation of Go's note package shows.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgK"
    "vqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
WITNESSED = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4U"
    "RYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZ"
    "CB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
checkpoint = Checkpoint(ORIGIN, 7, bytes(range(32)))
keys = {name: signer.key for name, signer in cosigners.items()}


def test_a_note_of_another_implementation_verifies_and_is_signed_the_same() -> None:
    note = Note.parse(GO_NOTE)
    signer = Signer.parse(GO_SECRET)

    assert str(note) == GO_NOTE
    assert str(signer.key) == GO_KEY
    assert signer.secret_text() == GO_SECRET
    assert note.verified([VerifierKey.parse(GO_KEY)]) == {signer.key: None}
    assert sign_note(note.text, signer) == note.signatures[0]


def test_the_specification_s_cosigned_checkpoint_is_read() -> None:
    note = Note.parse(WITNESSED.encode())
    read = Checkpoint.parse(note.text)

    assert str(note) == WITNESSED
    assert (read.origin, read.size, read.extensions) == (
        "example.com/behind-the-sofa",
        20852163,
        (),
    )
    assert read.text() == note.text
    assert [s.name for s in note.signatures] == [read.origin, "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].blob[:8], "big") == 1679315147


def test_a_signed_checkpoint_tells_who_signed_and_when() -> None:
    note = Note.parse(str(signed(checkpoint)))

    verified = note.verified([log_signer.key, *keys.values()])

    assert verified == {log_signer.key: None, **dict.fromkeys(keys.values(), NOW)}
    assert Checkpoint.parse(note.text) == checkpoint


def test_unknown_keys_are_passed_over_even_with_a_known_name() -> None:
    other = Signer.generate(ORIGIN, KeyType.LOG)
    note = signed(checkpoint).signed_also([sign_note(checkpoint.text(), other)])

    assert list(note.verified([log_signer.key])) == [log_signer.key]


def test_a_note_is_refused_whole_if_one_known_key_did_not_sign_it() -> None:
    text = Checkpoint(ORIGIN, 8, bytes(32)).text()
    forged = Note(text, signed(checkpoint).signatures)

    for key in (log_signer.key, keys["v1"]):
        with pytest.raises(LogBroken, match="does not hold"):
            forged.verified([key])


def test_the_time_is_part_of_what_a_cosigner_signs() -> None:
    signature = cosign(checkpoint.text(), cosigners["w1"], timestamp=NOW)
    later = (NOW + 1).to_bytes(8, "big") + signature.blob[8:]

    with pytest.raises(LogBroken):
        keys["w1"].verify(checkpoint.text(), Signature(signature.name, signature.key_id, later))
    for timestamp in (-1, 2**63):
        with pytest.raises(LogMalformed):
            cosign(checkpoint.text(), cosigners["w1"], timestamp=timestamp)
    message = f"cosignature/v1\ntime {2**63}\n{checkpoint.text()}".encode()
    blob = (2**63).to_bytes(8, "big") + cosigners["w1"].private.sign(message)
    with pytest.raises(LogBroken, match="impossible time"):
        keys["w1"].verify(checkpoint.text(), Signature(keys["w1"].name, keys["w1"].key_id, blob))


def test_only_a_checkpoint_is_cosigned() -> None:
    for text in ("a\nb\nc\n", GO_NOTE, checkpoint.text().rstrip("\n")):
        with pytest.raises(LogMalformed):
            cosign(text, cosigners["w1"], timestamp=NOW)


def test_a_signature_of_another_length_is_refused() -> None:
    for signature in signed(checkpoint, by=["w1"]).signatures:
        for blob in (signature.blob[:-1], signature.blob + b"\x00", b"\x00"):
            key = log_signer.key if signature.name == ORIGIN else keys["w1"]
            with pytest.raises(LogBroken):
                key.verify(checkpoint.text(), Signature(key.name, key.key_id, blob))


def test_one_key_makes_one_kind_of_signature() -> None:
    seed = bytes([9]) * 32
    as_log = Signer.from_seed("a", KeyType.LOG, seed)
    as_cosigner = Signer.from_seed("a", KeyType.COSIGNER, seed)

    assert as_log.key.key_id != as_cosigner.key.key_id
    with pytest.raises(LogBroken):
        sign_note(checkpoint.text(), as_cosigner)
    with pytest.raises(LogBroken):
        cosign(checkpoint.text(), as_log, timestamp=NOW)
    # A log that signs a text made to look like a cosigned message gains nothing by it.
    message = f"cosignature/v1\ntime {NOW}\n{checkpoint.text()}"
    blob = NOW.to_bytes(8, "big") + sign_note(message, as_log).blob
    with pytest.raises(LogBroken):
        as_cosigner.key.verify(checkpoint.text(), Signature("a", as_log.key.key_id, blob))


def test_cosignatures_are_added_once() -> None:
    note = signed(checkpoint, by=["v1"])
    again = parse_signatures("".join(map(str, signed(checkpoint, by=["v1", "v2"]).signatures[1:])))

    more = note.signed_also(again)

    assert [s.name for s in more.signatures] == [ORIGIN, "v1.example", "v2.example"]


@given(
    st.text("abc/.é-", min_size=1), st.sampled_from(KeyType), st.binary(min_size=32, max_size=32)
)
def test_a_key_reads_back_from_its_text(name: str, kind: KeyType, seed: bytes) -> None:
    signer = Signer.from_seed(name, kind, seed)

    assert VerifierKey.parse(str(signer.key)) == signer.key
    assert Signer.parse(signer.secret_text()).key == signer.key
    assert base64.b64encode(seed).decode()[:40] not in repr(signer)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x00b", "\udcff"]
)
def test_some_names_cannot_name_a_key(name: str) -> None:
    with pytest.raises(LogMalformed):
        Signer.generate(name, KeyType.LOG)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("+c74f20a3+", "+c74f20a4+"),
        lambda t: t.replace("+c74f20a3+", "+C74F20A3+"),
        lambda t: t.replace("Peter", "Pater"),
        lambda t: t.replace("Peter", "Peter "),
        lambda t: t.replace("+A", "+h"),
        lambda t: t[:-4],
        lambda t: t + "\n",
        lambda t: t.replace("+c74f20a3", ""),
    ],
)
def test_a_changed_key_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(LogMalformed):
        VerifierKey.parse(change(GO_KEY))
    with pytest.raises(LogMalformed):
        Signer.parse(change(GO_SECRET))


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.rstrip("\n"),
        lambda n: n + "\n",
        lambda n: n.replace("\n\n", "\n"),
        lambda n: n.replace("— city", "- city"),
        lambda n: n.replace("— city", "—  city"),
        lambda n: n.replace("— city", "— ci+ty"),
        lambda n: n.replace("city", "ci\ty", 1),
        lambda n: n.replace("\n", "\r\n"),
        lambda n: n.replace("city", "ci\x00ty", 1),
        lambda n: n.replace("=\n", "\n"),
        lambda n: n[: n.index("\n\n") + 2],
        lambda n: n[: n.index("\n\n") + 2] + f"— {ORIGIN} AAAAAA==\n",
        lambda n: n + "".join(f"— x{i} AAAAAAAA\n" for i in range(64)),
        lambda n: n.encode().replace(b"city", b"ci\xff", 1),
    ],
)
def test_what_is_not_exactly_a_note_is_refused(change: Callable[[str], str | bytes]) -> None:
    with pytest.raises(LogMalformed):
        Note.parse(change(str(signed(checkpoint, by=[]))))


def test_a_note_s_text_may_have_empty_lines_and_sixteen_signatures() -> None:
    text = "One roof.\n\nMany windows: é.\n"
    signers = [Signer.generate(f"s{i}", KeyType.LOG) for i in range(16)]
    note = Note.parse(str(Note(text, tuple(sign_note(text, signer) for signer in signers))))

    assert note.text == text
    assert set(note.verified(s.key for s in signers)) == {s.key for s in signers}


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        f"a\n01\n{base64.b64encode(bytes(32)).decode()}\n",
        f"a\n+1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"a\n٣\n{base64.b64encode(bytes(32)).decode()}\n",
        f"a\n{2**63}\n{base64.b64encode(bytes(32)).decode()}\n",
        f"\n1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"a\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"a\n1\n{base64.b64encode(bytes(32)).decode()}",
        f"a\n1\n{base64.b64encode(bytes(32)).decode()}\n\n",
        f"a\n1\n{base64.b64encode(bytes(32)).decode().replace('A=', 'B=')}\n",
        f"a\n1\n {base64.b64encode(bytes(32)).decode()}\n",
    ],
)
def test_another_way_to_write_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(LogMalformed):
        Checkpoint.parse(text)


def test_a_checkpoint_keeps_lines_it_does_not_know() -> None:
    text = checkpoint.text() + "more\n"

    assert Checkpoint.parse(text).extensions == ("more",)
    assert Checkpoint.parse(text).text() == text
    assert Checkpoint.parse(Checkpoint("a", 0, bytes(32)).text()).size == 0
