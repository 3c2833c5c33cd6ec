"""What the making of a version comes to, before anything of it counts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gate.keys import new_key, new_package_id
from gate.manifest import Manifest
from gate.package import Packer
from marketplace.errors import N_, VersionBeingMade
from marketplace.models import DataVersion
from marketplace.services.data import storage
from marketplace.services.data.query_stores import SealedRows

PPM: Final = 10**6


class Follow(Protocol):
    """Told of the step that begins, and of how much of it is done. [ppm]"""

    def __call__(self, step: str, share_ppm: int = 0) -> None: ...


@dataclass(frozen=True)
class Made:
    """A package that stands at its place, and what a version says of it.

    ``asks_provider``: it is about people, and its provider has not seen yet what remains.
    ``is_ours``: the hall made the package, and the version names it since it was begun.
    ``query_rows``: what questions with noise will be answered from, where they are allowed.
    """

    package_id: bytes
    key: bytes = field(repr=False)
    manifest: Manifest
    row_count: int
    profile: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]
    sample: Mapping[str, Any]
    privacy_report: Mapping[str, Any]
    asks_provider: bool = False
    is_ours: bool = True
    query_rows: SealedRows | None = None

    def shown(self) -> dict[str, Any]:
        """Return the columns that a page shows of it."""
        return {
            "row_count": self.row_count,
            "byte_count": self.manifest.package.byte_count,
            "profile": dict(self.profile),
            "findings": [dict(each) for each in self.findings],
            "sample": dict(self.sample),
            "privacy_report": dict(self.privacy_report),
        }

    def pinned(self) -> dict[str, Any]:
        """Return the columns that contracts pin."""
        return {
            "manifest": self.manifest.to_bytes(),
            "manifest_sha256": self.manifest.sha256,
            "key_commitment": self.manifest.key_commitment,
        }


@contextmanager
def reserved(version: DataVersion) -> Iterator[tuple[Packer, bytes, bytes]]:
    """Begin a package under an id that the version names first, so that no run's file is lost."""
    package_id, key = new_package_id(), new_key()
    working = DataVersion.objects.filter(id=version.id, state=DataVersion.State.WORKING)
    if not working.update(package=package_id.hex()):
        raise VersionBeingMade(N_("This version was given up."))
    with storage.new_package(package_id.hex()) as file:
        yield Packer(file, package_id, key), package_id, key
