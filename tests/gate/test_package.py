"""A package opens to the bytes it was made of, under its own key and in order, or not at all."""

import hashlib
import io
import json
import random
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate import keys, merkle, package
from gate.manifest import (
    CHUNK_BYTES,
    TAG_BYTES,
    Manifest,
    PackageBroken,
    PackageManifest,
    canonical_json,
)
from ledger.domain.merkle import Frontier
from ledger.domain.merkle import leaf_hash as ledger_leaf_hash

VECTOR = Path(__file__).resolve().parent.parent / "vectors" / "package.json"
PACKAGE_ID, KEY = bytes(range(32)), bytes(range(32, 64))
FLOWS = random.Random(5).randbytes(2 * CHUNK_BYTES + 77)
PARTS = {"flows.csv": FLOWS, "empty.txt": b"", "whole.bin": FLOWS[:CHUNK_BYTES], "last": b"end"}


def packed(parts: dict[str, bytes], *, piece: int = 100_003) -> tuple[io.BytesIO, PackageManifest]:
    sink = io.BytesIO()
    packer = package.Packer(sink, PACKAGE_ID, KEY)
    for name, data in parts.items():
        with closing(packer.add_part(name, "text/csv")) as part:
            for start in range(0, len(data), piece):
                part.write(data[start : start + piece])
            assert part.tell() == len(data)
    return sink, packer.finish()


def manifest_of(made: PackageManifest) -> Manifest:
    return Manifest(
        format="trips",
        row_count=3,
        package=made,
        key_commitment=keys.key_commitment(PACKAGE_ID, KEY),
        policy_sha256="0" * 64,
    )


def code_of(error: pytest.ExceptionInfo[PackageBroken]) -> str:
    return error.value.code


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    sink, made = packed(PARTS)

    assert [part.chunk_count for part in made.parts] == [3, 1, 1, 1]
    assert made.cipher_byte_count == len(sink.getvalue())
    assert package.check_ciphertext(sink, made) is None
    package.verify_package(sink, made, KEY)
    assert package.read_part(sink, made, KEY, "last") == b"end"

    files = package.open_package(sink, made, KEY, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in files} == PARTS
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(PARTS)
    assert FLOWS[1000:1100] not in sink.getvalue()


def test_pieces_do_not_matter_and_neither_does_the_reader() -> None:
    sink, made = packed(PARTS)

    assert packed(PARTS, piece=CHUNK_BYTES)[0].getvalue() == sink.getvalue()
    data = manifest_of(made).to_bytes()
    assert Manifest.from_bytes(data) == manifest_of(made)
    assert data == canonical_json(json.loads(data))


def test_chunks_cannot_be_moved_cut_off_or_taken_from_elsewhere() -> None:
    sink, made = packed(PARTS)
    sealed, size = sink.getvalue(), CHUNK_BYTES + TAG_BYTES
    first, second = sealed[:size], sealed[size : 2 * size]

    moved = second + first + sealed[2 * size :]
    assert package.check_ciphertext(io.BytesIO(moved), made) == 0
    assert package.check_ciphertext(io.BytesIO(sealed[:-1]), made) == len(made.chunks) - 1
    assert package.check_ciphertext(io.BytesIO(sealed + b"x"), made) == len(made.chunks) - 1
    for changed in (moved, sealed[:-1], sealed + b"x", b"\0" + sealed[1:]):
        with pytest.raises(PackageBroken) as broken:
            package.verify_package(io.BytesIO(changed), made, KEY)
        assert code_of(broken) == "chunk_changed"


def relabelled(made: PackageManifest, chunks: list[int], package_id: bytes) -> PackageManifest:
    """Return the manifest of a liar, who hashes what stands there and says that all is well."""
    return PackageManifest(package_id, made.parts, tuple(made.chunks[index] for index in chunks))


def test_a_manifest_that_lies_about_order_or_origin_does_not_open() -> None:
    sink, made = packed({"a": FLOWS[: 2 * CHUNK_BYTES]})
    sealed, size = sink.getvalue(), CHUNK_BYTES + TAG_BYTES

    swapped = io.BytesIO(sealed[size:] + sealed[:size])
    foreign = relabelled(made, [0, 1], bytes(32))
    shorter, cut = packed({"a": FLOWS[:CHUNK_BYTES]})
    # The first of two chunks, sold as the only one: its last-flag is another.
    only_first = PackageManifest(PACKAGE_ID, cut.parts, made.chunks[:1])
    for file, lying in (
        (swapped, relabelled(made, [1, 0], PACKAGE_ID)),
        (sink, foreign),
        (sink, only_first),
    ):
        with pytest.raises(PackageBroken) as broken:
            package.verify_package(file, lying, KEY)
        assert code_of(broken) == "chunk_not_opened"
    package.verify_package(shorter, cut, KEY)


def test_only_the_key_that_was_committed_to_opens_it() -> None:
    sink, made = packed({"a": b"rows"})
    commitment = keys.key_commitment(PACKAGE_ID, KEY)

    keys.check_key(PACKAGE_ID, KEY, commitment)
    for package_id, key in ((PACKAGE_ID, bytes(32)), (bytes(32), KEY), (PACKAGE_ID, KEY[:31])):
        with pytest.raises(PackageBroken) as other:
            keys.check_key(package_id, key, commitment)
        assert code_of(other) == "other_key"
    with pytest.raises(PackageBroken) as shut:
        package.verify_package(sink, made, bytes(32))
    assert code_of(shut) == "chunk_not_opened"


def test_a_promise_of_other_bytes_is_seen(tmp_path: Path) -> None:
    sink, made = packed({"a": b"rows"})
    other = hashlib.sha256(b"other").hexdigest()
    [chunk], [part] = made.chunks, made.parts

    lying_chunk = type(chunk)(chunk.byte_count, chunk.cipher_sha256, other)
    lying_part = type(part)(part.name, part.media_type, part.byte_count, other, 1)
    for parts, chunks, code in (
        ((part,), (lying_chunk,), "chunk_other"),
        ((lying_part,), (chunk,), "part_other"),
    ):
        with pytest.raises(PackageBroken) as broken:
            package.open_package(sink, PackageManifest(PACKAGE_ID, parts, chunks), KEY, tmp_path)
        assert code_of(broken) == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"rows":"3"', b'"rows":3'),
        (b'"rows":"3"', b'"rows":"03"'),
        (b'"rows":"3"', b'"rows":"3","more":"x"'),
        (b'"name":"a"', b'"name":"../a"'),
        (b'"name":"a"', b'"name":".a"'),
        (b'"bytes":"4","chunks":"1"', b'"bytes":"5","chunks":"1"'),
        (b'"bytes":"4","chunks":"1"', b'"bytes":"4","chunks":"2"'),
        (b'"type":"heliopolis/manifest/1"', b'"type":"heliopolis/manifest/2"'),
        (b'"root":"', b'"root":"0'),
        (b'"format":"trips"', b'"format":"a<b"'),
        (b"{", b"[{"),
        (b"{", b" {"),
    ],
)
def test_a_manifest_out_of_form_is_refused(old: bytes, new: bytes) -> None:
    data = manifest_of(packed({"a": b"rows"})[1]).to_bytes()
    assert Manifest.from_bytes(data)

    with pytest.raises(PackageBroken) as broken:
        Manifest.from_bytes(data.replace(old, new, 1))
    assert code_of(broken) == "manifest_malformed"


def test_a_document_has_no_floats_and_no_truth_values() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"é","b":["1",null]}'.encode()
    for value in (1.0, True, {1: "a"}, b"x"):
        with pytest.raises(TypeError):
            canonical_json({"a": value})


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=40), st.data())
def test_the_tree_is_the_ledgers_and_every_path_leads_to_its_root(
    entries: list[bytes], data: st.DataObject
) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    root = merkle.tree_root(leaves)
    grown = Frontier.empty().extended([ledger_leaf_hash(entry) for entry in entries])
    assert root == grown.root()

    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_path(index, leaves)
    assert merkle.root_of_path(index, len(leaves), leaves[index], path) == root
    assert merkle.root_of_path(index, len(leaves), bytes(32), path) != root
    for wrong in (path[:-1], [*path, bytes(32)]):
        if wrong != path:
            with pytest.raises(ValueError, match="path"):
                merkle.root_of_path(index, len(leaves), leaves[index], wrong)


def test_a_sealed_key_opens_for_its_reader_and_purpose_alone() -> None:
    hall, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    info = keys.deposit_info(PACKAGE_ID)
    sealed = keys.seal(KEY, hall.public_key(), info=info)

    assert len(sealed) == 80
    assert keys.open_sealed(sealed, hall, info=info) == KEY
    for data, reader, purpose in (
        (sealed, other, info),
        (sealed, hall, keys.buyer_info(bytes(32))),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), hall, info),
        (sealed[:40], hall, info),
    ):
        with pytest.raises(PackageBroken) as broken:
            keys.open_sealed(data, reader, info=purpose)
        assert code_of(broken) == "seal_broken"
    for point in (bytes(32), b"\1" + bytes(31), b"short"):
        with pytest.raises(PackageBroken) as unusable:
            keys.public_key(point)
        assert code_of(unusable) == "key_unusable"


def test_the_golden_package() -> None:
    """For a second implementation: these bytes, this manifest."""
    sink, made = packed({"flows.csv": b"period,trips\n1,10\n", "dictionary.json": b"{}"})
    golden = json.loads(VECTOR.read_text())

    assert sink.getvalue().hex() == golden["package"]
    assert manifest_of(made).to_bytes().decode() == golden["manifest"]
    assert manifest_of(made).sha256 == golden["manifest_sha256"]
    assert KEY.hex() == golden["key"]
