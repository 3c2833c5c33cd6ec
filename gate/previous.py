"""What was published before of one source: a new version keeps its areas, and its rule for a time.

Two tables of the same trips by different rules, or over different areas, can be subtracted from
each other. So one source has one hierarchy of areas and one policy for each time, for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gate.areas import Areas
from gate.errors import Refused, gettext_noop
from gate.policy import Policy
from gate.profile import Profile


@dataclass(frozen=True)
class Earlier:
    """A published version: its manifest, its policy, and the time it covers (UTC, ISO 8601)."""

    manifest_sha256: str
    policy_sha256: str
    start: str
    end: str


@dataclass(frozen=True)
class Previous:
    """All published versions of a product, newest first, and the areas of the newest."""

    areas: Areas
    versions: Sequence[Earlier]

    def of_the_same_time(self, profile: Profile, policy: Policy, place: str) -> Earlier | None:
        """Return the newest version that covers some of a profile's time.

        Raises
        ------
        Refused
            ``policy-changed``: such a version was published under another policy.
        """
        same = [
            each
            for each in self.versions
            if str(profile.start) < each.end and each.start < str(profile.end)
        ]
        if any(each.policy_sha256 != policy.sha256 for each in same):
            raise Refused(
                "policy-changed",
                gettext_noop("a version of the same time was published by another privacy policy"),
                place,
                gettext_noop("Use the policy of that version, or publish other months."),
            )
        return same[0] if same else None
