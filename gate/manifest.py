"""What a version is, as one canonical document: its parts, its chunks, its hashes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from gate.merkle import leaf_hash, tree_root

CHUNK_BYTES: Final = 1 << 20
TAG_BYTES: Final = 16
PACKAGE_ID_BYTES: Final = 32
PARTS_MAX: Final = 100
CHUNKS_MAX: Final = 1 << 20
TYPE: Final = "heliopolis/manifest/1"

_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
# A manifest may come from a stranger: no name leads out of the folder that a package is opened in.
_PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")


class PackageBroken(ValueError):
    """A manifest, package, chunk or key that is not what it is said to be; ``code`` is stable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def canonical_json(document: object) -> bytes:
    """Return the one way to write a document down: RFC 8785 without numbers.

    Integers become decimal strings, names are sorted, nothing stands between the tokens.

    Raises
    ------
    TypeError
        The document holds a float, a truth value, or a name that is no string.
    """
    plain = _without_numbers(document)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _without_numbers(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list | tuple):
        return [_without_numbers(each) for each in value]
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("names of a canonical document are strings")
        return {name: _without_numbers(each) for name, each in value.items()}
    raise TypeError(f"a canonical document holds no {type(value).__name__}")


@dataclass(frozen=True)
class Chunk:
    """One encrypted piece: bytes of it in clear, and the SHA-256 of ciphertext and clear bytes."""

    byte_count: int
    cipher_sha256: str
    plain_sha256: str

    def leaf(self, index: int) -> bytes:
        """Return the hash of this chunk at its place, a leaf of the package's Merkle tree."""
        return leaf_hash(
            canonical_json(
                {
                    "index": index,
                    "bytes": self.byte_count,
                    "cipher": self.cipher_sha256,
                    "plain": self.plain_sha256,
                }
            )
        )


@dataclass(frozen=True)
class Part:
    """One file of a version: its clear bytes and how many chunks of the package hold them."""

    name: str
    media_type: str
    byte_count: int
    sha256: str
    chunk_count: int


@dataclass(frozen=True)
class PackageManifest:
    """The package of a version: the parts in order, and every chunk in order.

    The chunks of a part follow each other, no chunk holds bytes of two parts, and every part has
    at least one chunk. The package's file is the ciphertexts one after the other, so the place of
    each follows from the lengths before it.
    """

    package_id: bytes
    parts: tuple[Part, ...]
    chunks: tuple[Chunk, ...]

    def __post_init__(self) -> None:
        if len(self.package_id) != PACKAGE_ID_BYTES:
            raise PackageBroken("manifest_malformed", "a package's id has 32 bytes")
        if not 1 <= len(self.parts) <= PARTS_MAX or len(self.chunks) > CHUNKS_MAX:
            raise PackageBroken("manifest_malformed", "a package has 1 to 100 parts")
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise PackageBroken("manifest_malformed", "two parts of a package have one name")
        chunks = iter(self.chunks)
        for part in self.parts:
            if not _PART_NAME.fullmatch(part.name):
                raise PackageBroken("manifest_malformed", f"no name for a part: {part.name[:100]}")
            sizes = [each.byte_count for each in islice(chunks, part.chunk_count)]
            full = all(size == CHUNK_BYTES for size in sizes[:-1])
            ends = len(sizes) == part.chunk_count >= 1 and sizes[-1] <= CHUNK_BYTES
            if not (full and ends and sum(sizes) == part.byte_count):
                raise PackageBroken(
                    "manifest_malformed", f"the chunks of part {part.name} do not make its bytes"
                )
        if next(chunks, None) is not None:
            raise PackageBroken("manifest_malformed", "a chunk belongs to no part")

    @property
    def root(self) -> str:
        """The Merkle root over all chunks (RFC 6962), in hex."""
        return tree_root([chunk.leaf(index) for index, chunk in enumerate(self.chunks)]).hex()

    @property
    def byte_count(self) -> int:
        """Clear bytes of all parts."""
        return sum(part.byte_count for part in self.parts)

    @property
    def cipher_byte_count(self) -> int:
        """Bytes of the package's file."""
        return self.byte_count + TAG_BYTES * len(self.chunks)

    def offsets(self) -> Iterator[int]:
        """Yield where each chunk starts in the package's file."""
        offset = 0
        for chunk in self.chunks:
            yield offset
            offset += chunk.byte_count + TAG_BYTES

    def part(self, name: str) -> Part:
        """Return a part by its name."""
        for part in self.parts:
            if part.name == name:
                return part
        raise PackageBroken("no_such_part", f"the package has no part {name}")

    def chunk_range(self, name: str) -> range:
        """Return the numbers of the chunks that hold a part."""
        first = 0
        for part in self.parts:
            if part.name == name:
                return range(first, first + part.chunk_count)
            first += part.chunk_count
        raise PackageBroken("no_such_part", f"the package has no part {name}")


@dataclass(frozen=True)
class Manifest:
    """A version: what a contract pins by ``sha256``, and the log says.

    Parameters
    ----------
    format : str
        As ``gate.recognise`` names it.
    row_count : int
        Rows of the published data, not of parts that only describe it.
    package : PackageManifest
        Parts, chunks, root.
    key_commitment : str
        SHA-256 that binds the package's key, see ``gate.keys.key_commitment``.
    policy_sha256, report_sha256 : str or None
        Of the gate's policy and report; both None where nothing is about people.
    previous_sha256 : str or None
        Of the manifest of the version before, where this one covers the same time again.
    """

    format: str
    row_count: int
    package: PackageManifest
    key_commitment: str
    policy_sha256: str | None = None
    report_sha256: str | None = None
    previous_sha256: str | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical document."""
        package = self.package
        return canonical_json(
            {
                "type": TYPE,
                "format": self.format,
                "rows": self.row_count,
                "package": package.package_id.hex(),
                "chunk_bytes": CHUNK_BYTES,
                "parts": [
                    {
                        "name": part.name,
                        "media_type": part.media_type,
                        "bytes": part.byte_count,
                        "sha256": part.sha256,
                        "chunks": part.chunk_count,
                    }
                    for part in package.parts
                ],
                "chunks": [
                    [chunk.byte_count, chunk.cipher_sha256, chunk.plain_sha256]
                    for chunk in package.chunks
                ],
                "root": package.root,
                "key_commitment": self.key_commitment,
                "policy": self.policy_sha256,
                "report": self.report_sha256,
                "previous": self.previous_sha256,
            }
        )

    @property
    def sha256(self) -> str:
        """The hash of the canonical document, in hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read a manifest that anybody may have written.

        Raises
        ------
        PackageBroken
            It is not in form, not canonical, or its root is not the root of its chunks.
        """
        try:
            manifest = _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
            if isinstance(wrong, PackageBroken):
                raise
            raise PackageBroken(
                "manifest_malformed", f"the manifest is not in form: {wrong}"
            ) from None
        if manifest.to_bytes() != data:
            raise PackageBroken(
                "manifest_malformed",
                "the manifest is not canonical, or its root is not the root of its chunks",
            )
        return manifest


def _read(document: dict[str, Any]) -> Manifest:
    if document["type"] != TYPE or _number(document["chunk_bytes"]) != CHUNK_BYTES:
        raise PackageBroken("manifest_malformed", f"the manifest is not {TYPE}")
    package = PackageManifest(
        package_id=bytes.fromhex(_hash(document["package"])),
        parts=tuple(
            Part(
                name=part["name"],
                media_type=_text(part["media_type"]),
                byte_count=_number(part["bytes"]),
                sha256=_hash(part["sha256"]),
                chunk_count=_number(part["chunks"]),
            )
            for part in document["parts"]
        ),
        chunks=tuple(
            Chunk(_number(byte_count), _hash(cipher), _hash(plain))
            for byte_count, cipher, plain in document["chunks"]
        ),
    )
    if not _WORD.fullmatch(document["format"]):
        raise PackageBroken("manifest_malformed", "the manifest names no format")
    return Manifest(
        format=document["format"],
        row_count=_number(document["rows"]),
        package=package,
        key_commitment=_hash(document["key_commitment"]),
        policy_sha256=_hash_or_none(document["policy"]),
        report_sha256=_hash_or_none(document["report"]),
        previous_sha256=_hash_or_none(document["previous"]),
    )


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise PackageBroken("manifest_malformed", f"no number: {text[:40]}")
    return int(text)


def _hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise PackageBroken("manifest_malformed", f"no SHA-256: {text[:80]}")
    return text


def _hash_or_none(text: str | None) -> str | None:
    return None if text is None else _hash(text)


def _text(text: str) -> str:
    if not 1 <= len(text) <= 100:
        raise PackageBroken("manifest_malformed", "a part has a media type of up to 100 characters")
    return text
