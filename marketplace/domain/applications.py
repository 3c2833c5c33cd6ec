"""Applications to join a community: what an applicant says, and the states it goes through."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

CONFIRMATION_LASTS: Final = timedelta(hours=24)
# What was never sent is forgotten, and so is what a refusal was about.
DRAFT_LASTS: Final = timedelta(days=30)
REFUSED_LASTS: Final = timedelta(days=60)
TOKEN_BYTES: Final = 32
NAME_MAX_LENGTH: Final = 80
METER_MAX_LENGTH: Final = 60
REASON_MAX_LENGTH: Final = 500
PROOF_MAX_BYTES: Final = 2_000_000
PROOF_SIGNS: Final[Mapping[str, bytes]] = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
# Roles that people apply for; planners and operators are let in by an operator.
ENERGY_ROLES: Final = ("household", "enterprise")
OPEN_ROLES: Final = (*ENERGY_ROLES, "data_provider")


class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ApplicationStep(StrEnum):
    """What happens to an application."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    REVISE = "revise"


class RefusalCode(StrEnum):
    """Why an operator refused; pages and mails have the words."""

    METER_UNKNOWN = "meter_unknown"
    METER_TAKEN = "meter_taken"
    OUTSIDE = "outside"
    PROOF_MISSING = "proof_missing"
    OTHER = "other"


_S, _T = ApplicationState, ApplicationStep
_NEXT: Final[Mapping[tuple[ApplicationState, ApplicationStep], ApplicationState]] = {
    (_S.DRAFT, _T.SUBMIT): _S.SUBMITTED,
    (_S.DRAFT, _T.WITHDRAW): _S.WITHDRAWN,
    (_S.SUBMITTED, _T.APPROVE): _S.APPROVED,
    (_S.SUBMITTED, _T.REFUSE): _S.REFUSED,
    (_S.SUBMITTED, _T.WITHDRAW): _S.WITHDRAWN,
    # Whoever was refused may mend what was wrong and send it again.
    (_S.REFUSED, _T.REVISE): _S.DRAFT,
    (_S.REFUSED, _T.WITHDRAW): _S.WITHDRAWN,
}


def next_state(state: str, step: ApplicationStep) -> ApplicationState | None:
    """Return the state after a step; None where the step is not open."""
    return _NEXT.get((ApplicationState(state), step))


@dataclass(frozen=True)
class Details:
    """What an applicant says of themselves: sealed in the database.

    Attributes
    ----------
    user_id, email : int, str
        Who applies, and where they are told of the answer.
    zone : str
        Code of a zone of the community; empty: its first.
    rule : str
        ``default``: limits that the rule set draws; ``own``; ``paused``: the grid alone.
    sell_micro, buy_micro : int or None
        Own limits. [micro/kWh]
    """

    user_id: int
    email: str
    language: str
    name: str = ""
    label: str = ""
    zone: str = ""
    meter: str = ""
    meter_kind: str = ""
    rule: str = ""
    sell_micro: int | None = None
    buy_micro: int | None = None

    def as_text(self) -> str:
        """Write them for the seal."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> Details:
        """Read what `as_text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class TextVersion:
    """A text that members agree to: which version, in which language, with its SHA-256."""

    slug: str
    version: int
    language: str
    sha256: str


def missing_of(details: Details, *, role: str, has_community: bool, texts: int) -> str:
    """Return the first step of the form that is not filled in yet; empty: it can be sent."""
    if not details.name or not has_community:
        return "site"
    if role in ENERGY_ROLES and not details.meter:
        return "meter"
    if not texts:
        return "texts"
    if role in ENERGY_ROLES and not details.rule:
        return "rule"
    return ""


def proof_kind(content: bytes) -> str:
    """Return the media type of a proof by its first bytes; empty if it is none we take."""
    return next((kind for kind, sign in PROOF_SIGNS.items() if content.startswith(sign)), "")


def new_token() -> str:
    """Return the secret of a link, in letters that fit into an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_sha256(token: str) -> bytes:
    """Return what the database keeps of a link's secret."""
    return hashlib.sha256(token.encode()).digest()


def token_key(token: str) -> bytes:
    """Return the key that a link's secret opens what is kept for it with.

    The database has the token's hash and what is sealed under this key: whoever reads it alone
    does not learn to whom a link was sent.
    """
    return hmac.digest(token.encode(), b"heliopolis link", "sha256")
