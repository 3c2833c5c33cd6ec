"""What the making of a version comes to, before anything of it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gate.manifest import Manifest
from marketplace.services.data.query_stores import SealedRows


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
