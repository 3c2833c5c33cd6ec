"""A package with a chunk that is not what its manifest says, though everything is signed."""

from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gate.keys import key_commitment, new_key, new_package_id
from gate.manifest import CHUNK_BYTES, Manifest, PackageManifest
from gate.package import Packer, chunk_context, chunk_nonce
from marketplace.models import DataVersion
from marketplace.services.data.deposit_key import seal_for_hall
from marketplace.services.data.storage import new_package, package_path
from tests.data.exchanging import CONTENT


def with_bad_chunk(version: DataVersion, *, index: int) -> DataVersion:
    """Publish the next version with other bytes under the right key, as a lying packer would.

    The row is of a seller who never went through this hall's own check.
    """
    package_id, key = new_package_id(), new_key()
    with new_package(package_id.hex()) as sink:
        packer = Packer(sink, package_id, key)
        packer.add("counts.csv", "text/csv", CONTENT)
        package = packer.finish()
    context = chunk_context(package_id, index, is_last=False)
    sealed = AESGCM(key).encrypt(chunk_nonce(index), bytes(CHUNK_BYTES), context)
    chunks = list(package.chunks)
    chunks[index] = replace(chunks[index], cipher_sha256=sha256(sealed).hexdigest())
    with package_path(package_id.hex()).open("r+b") as file:
        file.seek(list(package.offsets())[index])
        file.write(sealed)
    lying = PackageManifest(package_id, package.parts, tuple(chunks))
    rows = CONTENT.count(b"\n") - 1
    manifest = Manifest("counts", rows, lying, key_commitment(package_id, key))
    return DataVersion.objects.create(
        product=version.product,
        number=version.number + 1,
        state=DataVersion.State.READY,
        manifest=manifest.to_bytes(),
        manifest_sha256=manifest.sha256,
        package=package_id.hex(),
        sealed_key=seal_for_hall(package_id=package_id, key=key),
        key_commitment=manifest.key_commitment,
        byte_count=lying.byte_count,
        created_at=version.created_at,
        published_at=version.published_at,
    )
