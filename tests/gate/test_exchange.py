"""The texts of the fair exchange, and evidence that anybody can judge."""

import base64
import hashlib
import io
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gate.evidence import Evidence, Verdict, gather, judge
from gate.exchange import Complaint, Origin, Reception, Rewrap, base64_of, unwrap_key, wrap_key
from gate.keys import key_commitment, new_key, new_package_id
from gate.manifest import CHUNK_BYTES, Chunk, Manifest, PackageBroken, PackageManifest
from gate.package import Packer, chunk_context, chunk_nonce

SELLER = Ed25519PrivateKey.generate()
CONTENT = bytes(range(256)) * (CHUNK_BYTES // 64)  # four chunks


@dataclass(frozen=True)
class Packed:
    """A package with everything about it."""

    manifest: Manifest
    cipher: bytes
    key: bytes

    def chunk(self, index: int) -> bytes:
        start = list(self.manifest.package.offsets())[index]
        return self.cipher[start : start + self.manifest.package.chunks[index].byte_count + 16]

    def origin(self) -> Origin:
        package = self.manifest.package
        return Origin(
            contract="c" * 64,
            version=self.manifest.sha256,
            package=package.package_id.hex(),
            chunks=str(len(package.chunks)),
            root=package.root,
            key_commitment=self.manifest.key_commitment,
            seller_key=base64_of(SELLER.public_key().public_bytes_raw()),
            issued="1",
        )

    def evidence(self, index: int) -> Evidence:
        body = self.origin().body()
        return gather(
            manifest=self.manifest,
            origin=body,
            signature=SELLER.sign(body),
            index=index,
            chunk=self.chunk(index),
            key=self.key,
        )


@pytest.fixture(scope="module")
def packed() -> Packed:
    package_id, key, sink = new_package_id(), new_key(), io.BytesIO()
    packer = Packer(sink, package_id, key)
    packer.add("data.csv", "text/csv", CONTENT)
    package = packer.finish()
    manifest = Manifest("counts", 0, package, key_commitment(package_id, key))
    return Packed(manifest, sink.getvalue(), key)


def with_chunk(packed: Packed, index: int, sealed: bytes, plain_sha256: str) -> Packed:
    """Return a package whose seller committed to other bytes in one chunk."""
    chunks = list(packed.manifest.package.chunks)
    old = packed.chunk(index)
    chunks[index] = Chunk(len(sealed) - 16, hashlib.sha256(sealed).hexdigest(), plain_sha256)
    package = PackageManifest(
        packed.manifest.package.package_id, packed.manifest.package.parts, tuple(chunks)
    )
    return Packed(
        replace(packed.manifest, package=package), packed.cipher.replace(old, sealed), packed.key
    )


@pytest.mark.parametrize("index", [0, 2, 3])
def test_a_good_chunk_convicts_nobody(packed: Packed, index: int) -> None:
    evidence = packed.evidence(index)

    assert judge(evidence) == Verdict.GOOD
    assert Evidence.read(evidence.body()) == evidence


@pytest.mark.parametrize("index", [1, 3])
def test_a_seller_who_packed_something_else_is_convicted(packed: Packed, index: int) -> None:
    promised = packed.manifest.package.chunks[index].plain_sha256
    package_id = packed.manifest.package.package_id
    context = chunk_context(package_id, index, is_last=index == 3)
    other = AESGCM(packed.key).encrypt(chunk_nonce(index), bytes(CHUNK_BYTES), context)
    foreign = AESGCM(new_key()).encrypt(chunk_nonce(index), bytes(CHUNK_BYTES), context)

    lying = judge(with_chunk(packed, index, other, promised).evidence(index))
    locked = judge(with_chunk(packed, index, foreign, promised).evidence(index))

    assert (lying, locked) == (Verdict.OTHER_CONTENT, Verdict.UNDECRYPTABLE)
    assert lying.is_sellers_fault and locked.is_sellers_fault


def test_a_buyer_who_lies_convicts_nobody(packed: Packed) -> None:
    good = packed.evidence(1)
    flipped = good.chunk[:-1] + bytes([good.chunk[-1] ^ 1])
    other = replace(good.leaf, plain_sha256="a" * 64)
    stranger = Ed25519PrivateKey.generate()
    lies = {
        Verdict.NOT_THE_KEY: replace(good, key=new_key()),
        Verdict.NOT_THE_CIPHERTEXT: replace(good, chunk=flipped),
        Verdict.NOT_A_CHUNK: replace(good, leaf=other),
        Verdict.NOT_SIGNED: replace(good, origin_signature=stranger.sign(good.origin_body)),
    }

    assert {verdict: judge(lie) for verdict, lie in lies.items()} == {each: each for each in lies}
    # Another place, a path that is too long, and a signature by another key over its own origin.
    assert judge(replace(good, index=2)) == Verdict.NOT_A_CHUNK
    assert judge(replace(good, index=9)) == Verdict.NOT_A_CHUNK
    assert judge(replace(good, path=(*good.path, b"\0" * 32))) == Verdict.NOT_A_CHUNK
    body = good.origin_body
    own = replace(
        good,
        seller_key=stranger.public_key().public_bytes_raw(),
        origin_signature=stranger.sign(body),
    )
    assert judge(own) == Verdict.NOT_SIGNED
    assert not any(verdict.is_sellers_fault for verdict in lies)


def test_a_wrap_opens_for_one_key_and_one_text(packed: Packed) -> None:
    private, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    to = private.public_key().public_bytes_raw().hex()
    request = Reception("a" * 64, "b" * 64, to, base64_of(b"k" * 32), "1")
    wrap = wrap_key(key=packed.key, request=request)

    assert unwrap_key(wrap=wrap, request=request, private_key=private) == packed.key
    again = Rewrap(request.digest(), "1", to, request.buyer_key, "2")
    for asked, key in ((request, other), (replace(request, issued="2"), private), (again, private)):
        with pytest.raises(PackageBroken):
            unwrap_key(wrap=wrap, request=asked, private_key=key)
    with pytest.raises(PackageBroken):
        wrap_key(key=packed.key, request=replace(request, to="00" * 32))


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"[]",
        b"{",
        b'{"type":"heliopolis/proof-of-reception/1"}',
        b" ",
        b"[" * 5000,
    ],
)
def test_what_is_no_text_is_refused(spoilt: bytes) -> None:
    with pytest.raises(PackageBroken, match="signed"):
        Reception.read(spoilt)


def test_a_text_has_one_form(packed: Packed) -> None:
    origin = packed.origin()
    body = origin.body()

    assert Origin.read(body) == origin
    for other in (
        body.replace(b":", b": ", 1),
        body.replace(b'"issued":"1"', b'"issued":"01"'),
        body.replace(b'"issued":"1"', b'"issued":1'),
        body.replace(origin.root.encode(), origin.root.upper().encode()),
        body.replace(b"proof-of-origin", b"proof-of-reception"),
    ):
        with pytest.raises(PackageBroken):
            Origin.read(other)
    with pytest.raises(PackageBroken):
        Complaint.read(body)
    with pytest.raises(PackageBroken):
        Evidence.read(base64.b64encode(body))
