"""A member of the worked example who signs terms and has them logged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.validator.interval_story import Logged, Story, told_story
from tests.validator.ledger_twin import base64, canonical, digest

# When the interval of the example begins.
STARTS = 1_781_474_400_000_000
MINUTE = 60_000_000
# H06, who sells at 304,000 or above, where a default limit is 300,000 to 310,000.
POINT, PARTICIPANT, LIMIT = "6", "60", "304000"
KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(digest(name)) for name in (b"1", b"2"))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def hashed(data: bytes) -> str:
    return sha256(data).hexdigest()


@dataclass
class Member:
    """Signs texts for H06, and has them logged one after the other."""

    documents: list[Logged] = field(default_factory=list)
    version: int = 1
    key: Ed25519PrivateKey = KEY
    last: bytes = b""

    def begin(self, key: Ed25519PrivateKey = KEY) -> None:
        self.key = key
        private = {"participant": PARTICIPANT, "public_key": hashed(public(key))}
        self.documents.append(Logged(f"signing-key:{self.number}", "signing-key", private))

    @property
    def number(self) -> int:
        return len(self.documents) + 1

    def text(self, *, minutes: int, **changes: Any) -> dict[str, Any]:
        """Return terms that were issued so many minutes after the interval began."""
        self.version += 1
        terms = {
            "buy_at_or_below_micro_per_kwh": None,
            "community": "1",
            "currency": "CNY",
            "issued": str(STARTS + minutes * MINUTE),
            "key": base64(public(self.key)),
            "metering_point": POINT,
            "participant": PARTICIPANT,
            "rules": None,
            "sell_at_or_above_micro_per_kwh": LIMIT,
            "state": "active",
            "type": "heliopolis/standing-terms/1",
            "valid_until": None,
            "version": str(self.version),
        }
        return {name: value for name, value in (terms | changes).items() if value != "absent"}

    def sign(self, *, minutes: int = -60, **changes: Any) -> None:
        self.log(canonical(self.text(minutes=minutes, **changes)).encode())

    def revoke(self, *, minutes: int = -60, **changes: Any) -> None:
        text = {
            "issued": str(STARTS + minutes * MINUTE),
            "key": base64(public(self.key)),
            "metering_point": POINT,
            "participant": PARTICIPANT,
            "revokes": hashed(self.last),
            "type": "heliopolis/revocation/1",
        }
        self.log(canonical(text | changes).encode())

    def log(self, text: bytes, **changes: Any) -> None:
        self.last = text
        told = text + b"\n" + base64(self.key.sign(text)).encode() + b"\n"
        document = Logged(f"terms:{self.number}", "terms", {"terms": hashed(text)}, told)
        self.documents.append(document._replace(**changes))


Act = Callable[[Member], None]


def sign(**changes: Any) -> Act:
    return lambda member: member.sign(**changes)


def revoke(**changes: Any) -> Act:
    return lambda member: member.revoke(**changes)


def story_of(*acts: Act) -> Story:
    """Return the example after what a member signed; its first book alone."""
    member, story = Member(), told_story()
    member.begin()
    for act in acts:
        act(member)
    story.signed = member.documents
    del story.revisions[1:]
    return story
